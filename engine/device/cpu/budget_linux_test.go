package cpu

import (
	"testing"
	"testing/fstest"
)

func TestMemoryOf(t *testing.T) {
	const mem = "MemTotal:       16000000 kB\nMemFree: 1 kB\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"nothing to read", nil, 0},
		{"no control groups", map[string]string{"proc/meminfo": mem}, 16000000 << 10},
		{"no limit", map[string]string{"proc/meminfo": mem, "proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n"}, 16000000 << 10},
		{"version 2", map[string]string{"proc/meminfo": mem, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "4096000\n"}, 4096000},
		{"version 2, above", map[string]string{"proc/meminfo": mem, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "8192\n", "sys/fs/cgroup/a/b/memory.max": "16384"}, 8192},
		{"version 2, at the root of a container", map[string]string{"proc/meminfo": mem, "proc/self/cgroup": "0::/elsewhere/b\n", "sys/fs/cgroup/memory.max": "12288\n"}, 12288},
		{"version 1", map[string]string{"proc/meminfo": mem, "proc/self/cgroup": "8:pids:/\n4:memory:/x\n0::/\n", "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "20480\n"}, 20480},
		{"version 1 without a limit", map[string]string{"proc/meminfo": mem, "proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 16000000 << 10},
		{"garbage", map[string]string{"proc/meminfo": "MemTotal: much\n", "proc/self/cgroup": "::\nx\n0::../../..\n", "sys/fs/cgroup/memory.max": "-5"}, 0},
	} {
		root := fstest.MapFS{}
		for name, text := range c.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := memoryOf(root); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
	if n := DefaultBudget(); n <= 0 {
		t.Errorf("this machine: %d bytes", n)
	}
}
