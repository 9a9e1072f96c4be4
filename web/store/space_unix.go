//go:build unix && !solaris && !illumos && !netbsd && !openbsd

package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// freeSpace is what the user may still write to the disk of a folder, in bytes.
func freeSpace(folder string) (free int64, known bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}

// syncFolder has the names in a folder outlast a machine that stops.
func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
