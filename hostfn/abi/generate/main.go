// Generate writes guest/realm.h and docs/guest-abi.md from the tables of package
// abi. Run it from the root of the repository: go run ./hostfn/abi/generate
package main

import (
	"fmt"
	"os"

	"github.com/realm-webgpu/realm/hostfn/abi/render"
)

func main() {
	for path, text := range map[string]string{"guest/realm.h": render.Header(), "docs/guest-abi.md": render.Page()} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
