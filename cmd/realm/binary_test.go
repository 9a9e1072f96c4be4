package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
)

// TestMain builds the binary once. The tests run it as people do: what counts is
// what it prints, how it ends and what it leaves behind.
func TestMain(m *testing.M) { os.Exit(testMain(m)) }

const binaryVariable = "REALM_TEST_BINARY"

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "realm-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "realm")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if output, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, output)
		return 1
	}
	if err := os.Setenv(binaryVariable, binary); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// folder is a folder of a test's own, which the binary runs in.
type folder struct {
	t   *testing.T
	dir string
}

func newFolder(t *testing.T) folder { return folder{t, t.TempDir()} }

// put writes a file and returns its name.
func (f folder) put(name string, data []byte) string {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), data, 0o644); err != nil {
		f.t.Fatal(err)
	}
	return name
}

func (f folder) get(name string) []byte {
	f.t.Helper()
	b, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// holds checks that the folder has these files and no others.
func (f folder) holds(names ...string) {
	f.t.Helper()
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		f.t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(names)
	if !slices.Equal(got, names) {
		f.t.Errorf("the folder has %q, want %q", got, names)
	}
}

// command is the binary in the folder, with its temporary files there too.
func (f folder) command(args ...string) *exec.Cmd {
	c := exec.CommandContext(f.t.Context(), os.Getenv(binaryVariable), args...)
	c.Dir = f.dir
	c.Env = append(os.Environ(), "TMPDIR="+f.dir, "XDG_CACHE_HOME="+f.dir, "XDG_CONFIG_HOME="+f.dir, "XDG_DATA_HOME="+f.dir, "HOME="+f.dir, hubVariable+"=http://127.0.0.1:1", tokenVariable+"=")
	return c
}

// outcome is how a run of the binary ended.
type outcome struct {
	stdout, stderr string
	code           int
}

// realm runs the binary with something on its standard input.
func (f folder) realm(stdin string, args ...string) outcome {
	f.t.Helper()
	c := f.command(args...)
	var stdout, stderr bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		f.t.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), c.ProcessState.ExitCode()}
}

// good runs the binary, which must succeed, and returns what it printed.
func (f folder) good(stdin string, args ...string) outcome {
	f.t.Helper()
	o := f.realm(stdin, args...)
	if o.code != exitOK {
		f.t.Fatalf("realm %q: exit code %d\n%s", args, o.code, o.stderr)
	}
	return o
}

// atlas writes the built-in model to a file and returns its name.
func (f folder) atlas() string { return f.put("atlas.gguf", models.Atlas) }

// endless writes a model with a context that takes minutes to fill, and returns the
// arguments with which no answer of it ends before.
func (f folder) endless() []string {
	f.t.Helper()
	key := []byte("llama.context_length\x04\x00\x00\x00")
	before, after, found := bytes.Cut(models.Atlas, key)
	if !found {
		f.t.Fatal("the model says nothing of its context")
	}
	context := binary.LittleEndian.AppendUint32(nil, 1<<15)
	name := f.put("endless.gguf", slices.Concat(before, key, context, after[len(context):]))
	return []string{"--device", "cpu", "-m", name, "--ctx", "32768", "--logit-bias", "2=-inf", "--logit-bias", "4=-inf"}
}
