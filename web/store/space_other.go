//go:build (!unix && !windows) || solaris || illumos || netbsd || openbsd

package store

// freeSpace does not know: writing fails where a disk is full.
func freeSpace(string) (free int64, known bool) { return 0, false }

// syncFolder: there is nothing to do, a file's own Sync has to be enough.
func syncFolder(string) error { return nil }
