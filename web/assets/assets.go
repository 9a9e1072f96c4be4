// Package assets has the files that Realm's pages share: the colours, the type and the
// frame that they are set in, how their elements are made, and their mark. Each page
// serves them beside its own files, so that none needs another to be there.
package assets

import (
	"embed"
	"fmt"
	"io/fs"
)

//go:embed base.css element.js icon.svg
var shared embed.FS

// With returns the files of a page, which are in one folder, and those that pages share,
// by name. A name that is in both is an error.
func With(page fs.FS) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, folder := range []fs.FS{shared, page} {
		entries, err := fs.ReadDir(folder, ".")
		if err != nil {
			return nil, fmt.Errorf("assets: %w", err)
		}
		for _, e := range entries {
			if _, ok := files[e.Name()]; ok {
				return nil, fmt.Errorf("assets: %s: a page has a file that pages share", e.Name())
			}
			if files[e.Name()], err = fs.ReadFile(folder, e.Name()); err != nil {
				return nil, fmt.Errorf("assets: %w", err)
			}
		}
	}
	return files, nil
}
