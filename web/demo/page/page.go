// Package page has the files of Realm in a page, and of its ES module, as they are
// served, but for those of package assets.
package page

import "embed"

//go:embed *.html *.css *.js
var files embed.FS

// Files returns them.
func Files() embed.FS { return files }
