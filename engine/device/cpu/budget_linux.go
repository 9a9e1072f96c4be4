package cpu

import (
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

func physicalMemory() int64 { return memoryOf(os.DirFS("/")) }

// memoryOf returns the bytes of memory of a system's root: MemTotal of /proc/meminfo,
// and the limits of the process's control groups, of version 1
// (https://docs.kernel.org/admin-guide/cgroup-v1/memory.html) and 2
// (https://docs.kernel.org/admin-guide/cgroup-v2.html), those above them counted.
// 0: it cannot be read.
func memoryOf(root fs.FS) int64 {
	least := int64(math.MaxInt64)
	for line := range strings.Lines(text(root, "proc/meminfo")) {
		if value, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			if kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64); err == nil && kib > 0 {
				least = min(least, kib<<10)
			}
		}
	}
	for line := range strings.Lines(text(root, "proc/self/cgroup")) {
		// ID:CONTROLLERS:PATH, without controllers in version 2.
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		folder, file := "sys/fs/cgroup", "memory.max"
		if controllers == "memory" {
			folder, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		} else if controllers != "" {
			continue
		}
		for at := path.Clean("/" + group); ; at = path.Dir(at) {
			limit, err := strconv.ParseInt(strings.TrimSpace(text(root, path.Join(folder, at, file))), 10, 64)
			if err == nil && limit > 0 {
				least = min(least, limit) // "max" is none
			}
			if at == "/" {
				break
			}
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}

// text returns what is in a file, "" where it cannot be read.
func text(root fs.FS, name string) string {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	return string(data)
}
