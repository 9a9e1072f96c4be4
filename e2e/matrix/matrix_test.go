package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// TestUpToDate holds README.md to the code.
func TestUpToDate(t *testing.T) {
	root := filepath.Join("..", "..")
	old, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := matrix(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(model.Architectures(), "cpu", "webgpu", "Q4_K_M") {
		if !strings.Contains(table, name) {
			t.Errorf("the matrix is without %s", name)
		}
	}
	for _, f := range quant.All() {
		if !strings.Contains(table, "\n| "+f.Name+" | ") {
			t.Errorf("the matrix is without %s", f.Name)
		}
	}
	text, err := replace(old, table)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, old) {
		t.Error("the support matrix of README.md is out of date: go run ./e2e/matrix")
	}
}

func TestReplace(t *testing.T) {
	const want = "a\n" + begin + "new\n" + end + "z\n"
	for _, old := range []string{"a\n" + begin + end + "z\n", "a\n" + begin + "old\nold\n" + end + "z\n", want} {
		if got, err := replace([]byte(old), "new\n"); string(got) != want || err != nil {
			t.Errorf("%q becomes %q, %v", old, got, err)
		}
	}
	for _, old := range []string{"", begin, end, end + begin} {
		if got, err := replace([]byte(old), "new\n"); err == nil {
			t.Errorf("%q becomes %q", old, got)
		}
	}
}

func TestUpdate(t *testing.T) {
	root := t.TempDir()
	readme := filepath.Join(root, "README.md")
	if err := update(root); err == nil {
		t.Error("no README.md: no error")
	}
	if err := os.WriteFile(readme, []byte("# x\n"+begin+end), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := update(root); err == nil {
		t.Error("no devices: no error")
	}
	if err := os.MkdirAll(filepath.Join(root, "engine", "device", "abacus"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := update(root); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(readme)
	if err != nil || !strings.Contains(string(text), "| architecture | abacus |\n| --- | --- |\n") {
		t.Errorf("%s, %v", text, err)
	}
}
