// Generate writes docs/api.md from docs/openapi.yaml. Run it from the root of the
// repository: go run ./web/api/generate
package main

import (
	"fmt"
	"os"

	"github.com/realm-webgpu/realm/docs"
	"github.com/realm-webgpu/realm/web/api/render"
)

func main() {
	text, err := render.Page(docs.OpenAPI)
	if err == nil {
		err = os.WriteFile("docs/api.md", []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
