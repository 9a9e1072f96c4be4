package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"regexp"
	"testing"
)

// pageAddress is in what realm says when it serves.
var pageAddress = regexp.MustCompile(`the playground is at (http://127\.0\.0\.1:[1-9][0-9]*/) `)

// TestDesktop starts realm without a command, asks for its page, and interrupts it.
func TestDesktop(t *testing.T) {
	c := newFolder(t).command("--no-open")
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	page := ""
	for page == "" && lines.Scan() {
		if m := pageAddress.FindStringSubmatch(lines.Text()); m != nil {
			page = m[1]
		}
	}
	if page == "" {
		t.Fatalf("no address was told: %v", c.Wait())
	}
	response, err := http.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", page, response.Status)
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, stderr); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("interrupted: %v", err)
	}
}
