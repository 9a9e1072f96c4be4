//go:build !wasm

package gguf

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestMappedSource(t *testing.T) {
	want := sequence(0, 100)
	path := writeFile(t, filepath.Join(t.TempDir(), "x"), want)
	s, err := NewMappedSource(path)
	if err != nil {
		t.Fatal(err)
	}
	if s.Size() != 100 {
		t.Errorf("size %d, want 100", s.Size())
	}
	for _, c := range []struct {
		off, n int64
		ok     bool
	}{
		{0, 100, true}, {99, 1, true}, {100, 0, true}, {3, 7, true},
		{0, 101, false}, {100, 1, false}, {101, 0, false}, {-1, 1, false}, {1, -1, false}, {1, 1<<63 - 1, false},
	} {
		b, err := s.Slice(c.off, c.n)
		if !c.ok {
			if !errors.Is(err, ErrRange) {
				t.Errorf("Slice(%d, %d): error %v, want ErrRange", c.off, c.n, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(b, want[c.off:c.off+c.n]) || int64(cap(b)) != c.n {
			t.Errorf("Slice(%d, %d) = %x of capacity %d, %v", c.off, c.n, b, cap(b), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Slice(0, 1); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Slice after Close: error %v, want os.ErrClosed", err)
	}
	if _, err := s.ReadAt(make([]byte, 1), 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("ReadAt after Close: error %v, want os.ErrClosed", err)
	}
	if _, err := NewMappedSource(path + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: error %v, want fs.ErrNotExist", err)
	}
}

// TestFileSource: without a map, Bytes reads.
func TestFileSource(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "small.gguf"), small(t))
	s, err := NewFileSource(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Read(s)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := f.Tensors[1].Bytes(); err != nil || !bytes.Equal(b, sequence(0x10, 68)) {
		t.Errorf("bytes %x, %v; want 10 11 ...", b, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.ReadAt(make([]byte, 1), 0); err != nil {
		t.Errorf("Close of a file that was Read closed its source: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.Tensors[1].Bytes(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Bytes after the source's Close: error %v, want os.ErrClosed", err)
	}
	if _, err := NewFileSource(path + ".none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: error %v, want fs.ErrNotExist", err)
	}
}
