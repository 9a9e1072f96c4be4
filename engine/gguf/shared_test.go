package gguf

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// sharedFiles is the GGUF files of the folder that is shared between checkouts;
// tests that want it skip where it is absent.
func sharedFiles(t testing.TB) []string {
	t.Helper()
	var paths []string
	for _, pattern := range []string{"models/*.gguf", "goldens/arch/*.gguf", "vocab/*.gguf"} {
		found, err := filepath.Glob(filepath.Join("../../../shared", pattern))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	if len(paths) == 0 {
		t.Skip("SKIPPED: no models in ../shared beside the module: real files are not checked")
	}
	return paths
}

// TestSharedRoundTrip: files made by other programs, written again, are the same
// bytes.
func TestSharedRoundTrip(t *testing.T) {
	for _, path := range sharedFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got, err := rewrite(f)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%d bytes written, the file has %d others", len(got), len(want))
			}
		})
	}
}

// rewrite writes a file again.
func rewrite(f *File) ([]byte, error) {
	var out []Output
	for _, x := range f.Tensors {
		out = append(out, Output{Name: x.Name, Dims: x.Dims, Format: x.Format, Data: x.CopyTo})
	}
	var b bytes.Buffer
	err := Write(&b, f.Metadata, out)
	return b.Bytes(), err
}

func BenchmarkRead(b *testing.B) {
	for _, path := range sharedFiles(b) {
		if filepath.Base(filepath.Dir(path)) != "vocab" {
			continue
		}
		b.Run(filepath.Base(path), func(b *testing.B) {
			src, err := NewFileSource(path)
			if err != nil {
				b.Fatal(err)
			}
			defer src.Close()
			b.SetBytes(src.Size())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read(src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
