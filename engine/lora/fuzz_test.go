package lora_test

import (
	"bytes"
	"testing"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
)

// FuzzRead has adapters of any bytes be read without harm, and held to a model.
func FuzzRead(f *testing.F) {
	f.Add(good().bytes(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := gguf.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		if a, err := lora.Read(file); err == nil {
			fits(t, a)
		}
	})
}

// FuzzReadPEFT is FuzzRead for the two files of a folder.
func FuzzReadPEFT(f *testing.F) {
	f.Add([]byte(plain), weights(f, halves()))
	f.Fuzz(func(t *testing.T, config, data []byte) {
		if a, err := lora.ReadPEFT(config, data); err == nil {
			fits(t, a)
		}
	})
}

// fits holds an adapter to a model that takes all of it.
func fits(t *testing.T, a *lora.Adapter) {
	for _, p := range a.Pairs {
		if p.Rank < 1 || p.Rank > lora.MaxRank || len(p.A) != p.Rank*p.Columns || len(p.B) != p.Rank*p.Rows {
			t.Fatalf("%q: %d and %d numbers for %d by %d of rank %d", p.Name, len(p.A), len(p.B), p.Rows, p.Columns, p.Rank)
		}
		one := *a
		one.Pairs = []lora.Pair{p}
		_, _ = one.Fit(lora.Target{Architecture: a.Architecture, HeadCount: 2, HeadCountKV: 1, Matrix: func(string) (int, int, error) {
			return p.Rows, p.Columns, nil
		}})
	}
}
