package render_test

import (
	"os"
	"testing"

	"github.com/realm-webgpu/realm/hostfn/abi/render"
)

// TestGenerated holds the header and the page to the tables.
func TestGenerated(t *testing.T) {
	for path, want := range map[string]string{"../../../guest/realm.h": render.Header(), "../../../docs/guest-abi.md": render.Page()} {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not what the tables say: go run ./hostfn/abi/generate", path)
		}
	}
}
