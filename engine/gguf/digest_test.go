package gguf

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
)

// TestDigest: the same bytes have the same digest wherever they are, and a byte of a
// tensor makes another.
func TestDigest(t *testing.T) {
	data := small(t)
	// More than a piece: what is behind the tensors counts too.
	data = append(data, sequence(0, digestBytes+5)...)
	digest := func(data []byte) [32]byte {
		t.Helper()
		f, err := Read(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		d, err := f.Digest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first := digest(data)
	if digest(slices.Clone(data)) != first {
		t.Error("the same bytes have another digest")
	}
	for _, at := range []int{len(small(t)) - 1, digestBytes - 1, len(data) - 1} {
		changed := slices.Clone(data)
		changed[at] ^= 1
		if digest(changed) == first {
			t.Errorf("byte %d is another, and the digest is the same", at)
		}
	}
	if digest(data[:len(data)-1]) == first {
		t.Error("a byte less, and the digest is the same")
	}

	path := writeFile(t, t.TempDir()+"/x.gguf", data)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := f.Digest(t.Context()); err != nil || d != first {
		t.Errorf("from a file: %x, %v", d, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Digest(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	f.Close()
	if _, err := f.Digest(t.Context()); err == nil {
		t.Error("a closed file has a digest")
	}
}
