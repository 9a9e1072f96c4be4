package gguf

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shard is a file with a tensor of each name, whose one element is its number in
// the whole.
func shard(t *testing.T, no, count uint16, total int32, names ...string) []byte {
	t.Helper()
	m := new(Metadata)
	if no == 0 {
		m.Set("general.name", Scalar("whole"))
	}
	m.Set("split.no", Scalar(no))
	m.Set("split.count", Scalar(count))
	m.Set("split.tensors.count", Scalar(total))
	var out []Output
	for _, name := range names {
		out = append(out, Output{name, []int{1}, format(t, "F32"), From(strings.NewReader("=" + name + "=="))})
	}
	var b bytes.Buffer
	if err := Write(&b, m, out); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOpenSplit(t *testing.T) {
	dir := t.TempDir()
	path := func(no string) string { return filepath.Join(dir, "m-0000"+no+"-of-00003.gguf") }
	writeFile(t, path("1"), shard(t, 0, 3, 4, "a"))
	writeFile(t, path("3"), shard(t, 2, 3, 4, "c", "d"))

	_, err := Open(path("1"))
	if want := "gguf: open " + path("1") + ": shard 2 of 3: open " + path("2") + ": "; !errors.Is(err, fs.ErrNotExist) ||
		!strings.HasPrefix(err.Error(), want) {
		t.Errorf("without a shard: error %v, want %s...", err, want)
	}

	writeFile(t, path("2"), shard(t, 1, 3, 4, "b"))
	f, err := Open(path("1"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if name, err := f.String("general.name"); name != "whole" {
		t.Errorf("general.name is %q, %v; want the first shard's", name, err)
	}
	for i, want := range []struct {
		name  string
		shard int
	}{{"a", 0}, {"b", 1}, {"c", 2}, {"d", 2}} {
		x := f.Tensors[i]
		if b, err := x.Bytes(); err != nil || string(b) != "="+want.name+"==" || x.Shard != want.shard || x.Name != want.name {
			t.Errorf("tensor %d is %q of shard %d, %q, %v; want %q of %d", i, x.Name, x.Shard, b, err, want.name, want.shard)
		}
	}

	_, err = Open(path("2"))
	if want := "gguf: open " + path("2") + ": shards do not belong together: it is shard 2 of 3, open the first: " + path("1"); !errors.Is(err, ErrShard) || err.Error() != want {
		t.Errorf("the second shard: error %v, want %s", err, want)
	}
	renamed := filepath.Join(dir, "renamed.gguf")
	if err := os.Rename(path("1"), renamed); err != nil {
		t.Fatal(err)
	}
	_, err = Open(renamed)
	if want := "gguf: open " + renamed + ": shards do not belong together: it is shard 1 of 3, but its name does not end in -00001-of-00003.gguf"; !errors.Is(err, ErrShard) || err.Error() != want {
		t.Errorf("a renamed shard: error %v, want %s", err, want)
	}
}

func TestReadSplit(t *testing.T) {
	plain := small(t)
	for _, c := range []struct {
		name   string
		shards [][]byte
		want   string // of the error
	}{
		{"two", [][]byte{shard(t, 0, 2, 2, "a"), shard(t, 1, 2, 2, "b")}, ""},
		{"not split", [][]byte{plain}, ""},
		{"split in one", [][]byte{shard(t, 0, 1, 1, "a")}, ""},
		{"none", nil, "shards do not belong together: there are none"},
		{"one missing", [][]byte{shard(t, 0, 2, 2, "a")}, "shards do not belong together: shard 1 of 1 says that it is 1 of 2"},
		{"wrong order", [][]byte{shard(t, 1, 2, 2, "b"), shard(t, 0, 2, 2, "a")}, "shards do not belong together: shard 1 of 2 says that it is 2 of 2"},
		{"of another count", [][]byte{shard(t, 0, 2, 2, "a"), shard(t, 1, 3, 2, "b")}, "shards do not belong together: shard 2 of 2 says that it is 2 of 3"},
		{"same tensor", [][]byte{shard(t, 0, 2, 2, "a"), shard(t, 1, 2, 2, "a")}, `shards do not belong together: tensor "a" of shard 2: duplicate: shard 1 has it too`},
		{"too few tensors", [][]byte{shard(t, 0, 2, 3, "a"), shard(t, 1, 2, 3, "b")}, "shards do not belong together: they have 2 tensors, split.tensors.count is 3"},
		{"no number of tensors", [][]byte{plain, plain}, `shards do not belong together: shard 1: metadata "split.tensors.count": not found`},
		{"malformed", [][]byte{shard(t, 0, 2, 2, "a"), plain[:100]}, `shard 2 of 2: metadata "general.alignment" value at byte 98: file ends too early: needs 4 bytes, has 2`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var srcs []Source
			for _, b := range c.shards {
				srcs = append(srcs, bytes.NewReader(b))
			}
			f, err := ReadSplit(srcs...)
			if c.want != "" {
				if err == nil || err.Error() != "gguf: read: "+c.want {
					t.Errorf("error %v, want gguf: read: %s", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range f.Tensors {
				if got, err := f.Tensor(x.Name); got != x {
					t.Errorf("Tensor(%q) is %v, %v; want Tensors[%d]", x.Name, got, err, i)
				}
			}
		})
	}
}

// TestOpenSplitPaths opens shards that are called otherwise.
func TestOpenSplitPaths(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "x"), filepath.Join(dir, "y.gguf")
	writeFile(t, a, shard(t, 0, 2, 2, "a"))
	writeFile(t, b, shard(t, 1, 2, 2, "b"))
	f, err := OpenSplit(a, b)
	if err != nil || len(f.Tensors) != 2 {
		t.Fatalf("opened %v, %v", f, err)
	}
	if data, err := f.Tensors[1].Bytes(); err != nil || string(data) != "=b==" {
		t.Errorf("tensor b is %q, %v", data, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	for _, paths := range [][]string{nil, {a}, {b, a}, {a, a}} {
		if _, err := OpenSplit(paths...); !errors.Is(err, ErrShard) {
			t.Errorf("%q: error %v", paths, err)
		}
	}
	missing := filepath.Join(dir, "z")
	if _, err := OpenSplit(a, missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("error %v", err)
	}
}
