package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// TestDefaultContext: a context that nobody asked for is bounded, and said to be.
func TestDefaultContext(t *testing.T) {
	for _, c := range []struct {
		own   uint32
		asked countValue
		kv    sizeValue // of 4096 bytes a token
		want  int
		told  string
	}{
		{512, 0, 0, 0, ""},
		{8192, 0, 0, 0, ""},
		{131072, 0, 0, 8192, "--ctx 131072"},
		{131072, 100000, 0, 100000, ""},
		{131072, 0, 1 << 30, 8192, "--ctx 131072"},
		{131072, 0, 1 << 20, 512, "512 of the 131072 tokens"},
		{512, 0, 1<<19 - 1, 224, "224 of the 512 tokens"},
		{512, 400, 1 << 19, 400, ""}, // which loading refuses
		{512, 0, 1, 0, ""},
	} {
		f, err := gguf.Read(bytes.NewReader(models.Atlas))
		if err != nil {
			t.Fatal(err)
		}
		f.Set("llama.context_length", gguf.Scalar(c.own))
		var notes strings.Builder
		l := loadFlags{context: c.asked}
		if got := l.contextOf(f, c.kv, &notes); got != c.want {
			t.Errorf("own %d, asked %d: context %d, want %d", c.own, c.asked, got, c.want)
		}
		if !strings.Contains(notes.String(), c.told) || (c.told == "") != (notes.Len() == 0) {
			t.Errorf("own %d, asked %d: told %q", c.own, c.asked, notes.String())
		}
	}
}
