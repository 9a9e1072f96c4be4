//go:build demo

package demo

import (
	"embed"
	"io/fs"
)

// dist is what go run ./web/demo/publish wrote.
//
//go:embed dist/*.br dist/*.gguf
var dist embed.FS

// builtin returns the files of the page.
func builtin() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("demo: " + err.Error()) // the name is good
	}
	return files
}
