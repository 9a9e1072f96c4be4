package store

import "golang.org/x/sys/windows"

// freeSpace is what the user may still write to the disk of a folder, in bytes.
func freeSpace(folder string) (free int64, known bool) {
	path, err := windows.UTF16PtrFromString(folder)
	if err != nil {
		return 0, false
	}
	var n uint64
	if err := windows.GetDiskFreeSpaceEx(path, &n, nil, nil); err != nil {
		return 0, false
	}
	return int64(min(n, 1<<62)), true
}

// syncFolder: Windows has names outlast by itself.
func syncFolder(string) error { return nil }
