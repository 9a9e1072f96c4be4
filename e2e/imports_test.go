// Package e2e has the tests that look at Realm as a whole.
package e2e

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/realm-webgpu/realm/"

// layers are the first two levels of folders, from the top down: a package may
// import its own layer and those below it.
var layers = []string{"cmd/", "e2e/", "web/", "hostfn/", "guest/", "engine/", "shaders/", "docs/"}

// models is the exception: data that any test or command may embed.
const models = "e2e/models"

// tests is what tests only are made of.
const tests = "web/internal/webtest"

// only says which folders may import a library.
var only = map[string][]string{
	"github.com/cogentcore/webgpu":      {"engine/device/webgpu"},
	"github.com/chromedp":               {"e2e/"},
	"github.com/tetratelabs/wazero":     {"hostfn/", "cmd/"},
	"github.com/gorilla/websocket":      {"web/", "e2e/"},
	"github.com/dustin/go-humanize":     {"cmd/", "web/", "e2e/bench"},
	"github.com/spf13/cobra":            {"cmd/"},
	"github.com/cli/browser":            {"cmd/"},
	"github.com/schollz/progressbar":    {"cmd/"},
	"github.com/peterh/liner":           {"cmd/"},
	"github.com/edsrzf/mmap-go":         {"engine/gguf"},
	"github.com/dlclark/regexp2":        {"engine/token"},
	"github.com/nlpodyssey/safetensors": {"engine/lora"},
	"github.com/getkin/kin-openapi":     {"web/api"},
	"github.com/prometheus":             {"web/metrics"},
	"go.opentelemetry.io":               {"web/trace"},
	"github.com/openai/openai-go":       {"e2e/openai"},
	"github.com/gofrs/flock":            {"web/store"},
	"github.com/adrg/xdg":               {"web/config"},
	"modernc.org/sqlite":                {"web/tenant"},
	"golang.org/x/time":                 {"web/tenant"},
	"github.com/andybalholm/brotli":     {"web/demo"},
	"github.com/pelletier/go-toml":      {"web/config"},
}

// TestForbiddenImports holds every package to the direction of imports.
func TestForbiddenImports(t *testing.T) {
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	type pkg struct {
		ImportPath string
		Imports    []string
	}
	seen := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; seen++ {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := strings.TrimPrefix(p.ImportPath, module) + "/"
		for _, i := range p.Imports {
			to, own := strings.CutPrefix(i, module)
			if own && layer(from) > layer(to+"/") && to != models {
				t.Errorf("%s imports %s, which is above it: move what both need into the lower one, or pass it in", from, to)
			}
			if own && to == tests {
				t.Errorf("%s imports %s, which is for tests", from, to)
			}
			for library, folders := range only {
				if strings.HasPrefix(i, library) && !slices.ContainsFunc(folders, func(f string) bool { return strings.HasPrefix(from, f) }) {
					t.Errorf("%s imports %s, which only %v may: ask one of those for what is needed", from, i, folders)
				}
			}
			if strings.HasPrefix(from, "shaders/quant/") && strings.Contains(i, ".") {
				t.Errorf("%s imports %s: it keeps to the standard library", from, i)
			}
		}
	}
	if seen < 10 {
		t.Fatalf("go list showed %d packages only", seen)
	}
}

// layer returns the place of a folder from the top, 0 and up.
func layer(folder string) int {
	for i, l := range layers {
		if strings.HasPrefix(folder, l) {
			return i
		}
	}
	return -1
}
