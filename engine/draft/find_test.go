package draft_test

import (
	"slices"
	"testing"

	"github.com/realm-webgpu/realm/engine/draft"
)

func TestFind(t *testing.T) {
	for _, c := range []struct {
		name   string
		tokens []int32
		k      int
		want   []int32
	}{
		{"nothing", nil, 4, nil},
		{"one token", []int32{1}, 4, nil},
		{"a single token says too little", []int32{1, 2, 1}, 4, nil},
		{"a pair", []int32{1, 2, 3, 4, 1, 2}, 4, []int32{3, 4, 1, 2}},
		{"no more than asked for", []int32{1, 2, 3, 4, 1, 2}, 1, []int32{3}},
		{"none asked for", []int32{1, 2, 3, 1, 2}, 0, nil},
		{"the longest wins over a later one", []int32{1, 2, 3, 9, 2, 3, 8, 1, 2, 3}, 1, []int32{9}},
		{"of equals the last", []int32{1, 2, 7, 1, 2, 8, 1, 2}, 1, []int32{8}},
		{"six tokens are enough", []int32{0, 1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 8, 0, 1, 2, 3, 4, 5, 6}, 1, []int32{8}},
		{"one that overlaps its own place", []int32{5, 5, 5, 5}, 4, []int32{5}},
		{"an ending of its own is no place", []int32{1, 2}, 4, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := slices.Clone(c.tokens)
			if got := draft.Find(nil, c.tokens, c.k); !slices.Equal(got, c.want) {
				t.Errorf("found %v, want %v", got, c.want)
			}
			if !slices.Equal(c.tokens, before) {
				t.Error("it changed the text")
			}
		})
	}
	if got := draft.Find([]int32{42}, []int32{1, 2, 3, 1, 2}, 1); !slices.Equal(got, []int32{42, 3}) {
		t.Errorf("appended: %v", got)
	}
}
