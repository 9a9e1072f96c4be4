package render

import (
	"os"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/docs"
)

// TestPage holds docs/api.md to docs/openapi.yaml.
func TestPage(t *testing.T) {
	want, err := Page(docs.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/api.md is not what docs/openapi.yaml makes: go run ./web/api/generate")
	}
	for _, text := range []string{"### POST /v1/chat/completions", "| `messages` (required) |", "`MODEL_NOT_FOUND`"} {
		if !strings.Contains(want, text) {
			t.Errorf("the page has no %q", text)
		}
	}
	if _, err := Page([]byte("openapi: [")); err == nil {
		t.Error("a page was made of nothing")
	}
}
