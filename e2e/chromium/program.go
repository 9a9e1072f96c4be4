package chromium

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/realm-webgpu/realm/engine/device/webgpu/shim"
)

// runner has the page that runs a program, and its worker.
//
//go:embed program
var runner embed.FS

// Build builds a Go command for pages and returns its file.
func Build(t testing.TB, pkg string) string { return compile(t, pkg, "build") }

// BuildTest builds the tests of a package for pages and returns their file.
func BuildTest(t testing.TB, pkg string) string { return compile(t, pkg, "test", "-c") }

func compile(t testing.TB, pkg string, verb ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program.wasm")
	command := exec.Command("go", append(verb, "-o", file, pkg)...)
	command.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build %s for pages: %v\n%s", pkg, err, out)
	}
	return file
}

// Program is a Go program that Build or BuildTest built.
type Program struct {
	File string
	Args []string // but the first, which is the program's name
	// Before is a script that the worker runs before the program starts, as a page
	// of a browser without some feature would be. It may be empty.
	Before string
}

// Run runs a program in a worker of a page, and calls line for each line that it
// writes, to stdout or stderr. It returns the exit status.
func (p Program) Run(t testing.TB, line func(string)) int {
	t.Helper()
	tab := Open(t)
	origin := Serve(t, p.files(t))
	messages := chromedp.Console(tab)
	if err := chromedp.Do(tab, chromedp.Navigate(origin)); err != nil {
		t.Fatal(err)
	}
	var last []string // that were said, for errors
	say := func(text string) {
		last = append(last, text)
		last = last[max(0, len(last)-mostMessages):]
		line(text)
	}
	for m, err := range messages {
		if err != nil {
			t.Fatalf("%s: %v; it said last:\n%s", p.File, fault(tab, err), strings.Join(last, "\n"))
		}
		// The page writes lines with console.log, and the status with console.info.
		switch m.Type {
		case chromedp.ConsoleLog:
			for text := range strings.SplitSeq(m.Text, "\n") {
				say(text)
			}
		case chromedp.ConsoleInfo:
			var status int
			if _, err := fmt.Sscanf(m.Text, "exit status %d", &status); err == nil {
				return status
			}
			say(m.String())
		default:
			say(m.String())
		}
	}
	t.Fatalf("%s: the page ended before the program: %v; it said last:\n%s", p.File, tab.Err(), strings.Join(last, "\n"))
	return 0
}

// fault prefers what ended a tab to what came of it.
func fault(tab context.Context, err error) error {
	if cause := context.Cause(tab); cause != nil {
		return cause
	}
	return err
}

// files serves the page, the program and what runs it.
func (p Program) files(t testing.TB) http.Handler {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	static, err := fs.Sub(runner, "program")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(static))
	mux.HandleFunc("/favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/program.wasm", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, p.File) })
	mux.HandleFunc("/wasm_exec.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(strings.TrimSpace(string(root)), "lib/wasm/wasm_exec.js"))
	})
	script := func(path string, text []byte) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/javascript")
			if _, err := w.Write(text); err != nil {
				t.Logf("%s: %v", path, err)
			}
		})
	}
	script("/"+shim.Name, shim.Script())
	script("/before.js", []byte(p.Before))
	mux.HandleFunc("/args.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(append([]string{"program"}, p.Args...)); err != nil {
			t.Logf("/args.json: %v", err)
		}
	})
	return mux
}
