//go:build !demo

package demo

import "io/fs"

// builtin returns nil: this build is without the page.
func builtin() fs.FS { return nil }
