// Package build makes Realm in a page: from the program, the page and the models that
// come with it, the files that a web server serves.
package build

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine/device/webgpu/shim"
	"github.com/realm-webgpu/realm/hostfn/browser/script"
	"github.com/realm-webgpu/realm/web/assets"
	"github.com/realm-webgpu/realm/web/demo/page"
)

// programs are the two variants of the engine, of which a browser takes one: the second
// where it lacks Memory64 or JSPI. The values are the tags that they are built with.
var programs = map[string]string{"realm.wasm": "", "realm-interpreter.wasm": "interpreter"}

// program is what they are built from.
const program = "github.com/realm-webgpu/realm/web/demo/program"

// MaxProgram is the most that a program takes, compressed as it is sent, in bytes.
const MaxProgram = 3 << 20

// packed is what a file's name ends with that is compressed with brotli
// (https://www.rfc-editor.org/rfc/rfc7932).
const packed = ".br"

// BestQuality is the compression that is published: it takes minutes.
const BestQuality = brotli.BestCompression

// Publish writes the page and all that it needs to a folder, which any server of static
// files may serve. Beside each file but models, which hardly get smaller, stands a
// compressed one, NAME.br, for servers that send such files. quality, 0 to BestQuality, is how much time that
// may take; at the best, a program over MaxProgram is an error. It needs the go command
// and the sources.
func Publish(dir string, quality int) error {
	if err := publish(dir, quality); err != nil {
		return fmt.Errorf("build: publish: %w", err)
	}
	return nil
}

func publish(dir string, quality int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files, err := static()
	if err != nil {
		return err
	}
	names := make([]string, 0, len(files)+len(programs))
	for name, content := range files {
		names = append(names, name)
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	for name, tag := range programs {
		names = append(names, name)
		if err := compile(filepath.Join(dir, name), tag); err != nil {
			return err
		}
	}
	slices.Sort(names)
	list, err := json.Marshal(names)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "files.json"), list, 0o644); err != nil {
		return err
	}
	for _, name := range append(names, "files.json") {
		if filepath.Ext(name) == ".gguf" {
			continue
		}
		size, err := pack(filepath.Join(dir, name), quality)
		if err != nil {
			return err
		}
		if _, ok := programs[name]; ok && size > MaxProgram && quality == BestQuality {
			return fmt.Errorf("%s%s has %d bytes, at most %d: look at what it imports", name, packed, size, MaxProgram)
		}
	}
	return nil
}

// static returns the files that need no building but for Go's own script.
func static() (map[string][]byte, error) {
	files, err := assets.With(page.Files())
	if err != nil {
		return nil, err
	}
	files[shim.Name], files[script.Name] = shim.Script(), script.Text()
	files["atlas.gguf"] = models.Atlas
	for name, adapter := range models.Adapters() {
		files[name+".gguf"] = adapter
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	// It belongs to the version of Go that the programs are built with.
	files["wasm_exec.js"], err = os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"))
	return files, err
}

// compile builds a program.
func compile(file, tag string) error {
	c := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", tag, "-o", file, program)
	c.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", filepath.Base(file), err, out)
	}
	return nil
}

// pack compresses a file to one beside it, and returns the bytes of that.
func pack(file string, quality int) (int64, error) {
	source, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer source.Close()
	target, err := os.Create(file + packed)
	if err != nil {
		return 0, err
	}
	w := brotli.NewWriterLevel(target, quality)
	_, err = io.Copy(w, source)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		target.Close()
		return 0, err
	}
	info, err := target.Stat()
	if err != nil {
		target.Close()
		return 0, err
	}
	return info.Size(), target.Close()
}
