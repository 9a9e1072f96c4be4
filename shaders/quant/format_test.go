package quant

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// TestTable holds each row of the table to what the rest of the package takes
// for granted.
func TestTable(t *testing.T) {
	names, ids := map[string]bool{}, map[uint32]bool{}
	for _, f := range All() {
		t.Run(f.Name, func(t *testing.T) {
			if names[strings.ToLower(f.Name)] || ids[f.ID] {
				t.Error("name or id stands twice")
			}
			names[strings.ToLower(f.Name)], ids[f.ID] = true, true
			l := f.Layout
			if l.Plain {
				if f.BlockElements != 1 || f.decode == nil || f.encode == nil || l.Exponent != 5 && l.Exponent != 8 {
					t.Errorf("not a plain format: %+v", f)
				}
				return
			}
			elements := Unit
			if l.Super {
				elements = BlockMax
			}
			if f.BlockElements != elements {
				t.Errorf("blocks of %d elements", f.BlockElements)
			}
			if l.Sub != 16 && l.Sub != 32 || !l.Super && l.Sub != Unit {
				t.Errorf("scales for %d elements", l.Sub)
			}
			if l.SubScales != (f.scaleBits > 0) || f.scaleBits > 8 || l.SubScales && !l.Super {
				t.Errorf("scales of %d bits", f.scaleBits)
			}
			if top := l.top(); l.Offset != 0 && 2*l.Offset != top+1 || top > 255 {
				t.Errorf("quants to %d about %d", top, l.Offset)
			}
			words := 0
			for _, p := range f.Planes() {
				words += BlockMax / p.Elements * p.Words
			}
			if words > tileWords {
				t.Errorf("a tile would take %d words of a row", words)
			}
			if f.split == nil || f.join == nil || f.fit == nil || f.ErrorBound <= 0 {
				t.Error("row is not complete")
			}
		})
	}
}

func TestLookup(t *testing.T) {
	for _, f := range All() {
		for _, name := range []string{f.Name, strings.ToLower(f.Name)} {
			if got, ok := ByName(name); !ok || got.ID != f.ID {
				t.Errorf("ByName(%q) = %v, %v", name, got, ok)
			}
		}
		if got, ok := ByID(f.ID); !ok || got.Name != f.Name {
			t.Errorf("ByID(%d) = %v, %v", f.ID, got, ok)
		}
	}
	if f, ok := ByName("Q9_9"); ok {
		t.Errorf("Q9_9 is %v", f)
	}
	if f, ok := ByID(4); ok { // a type that GGML has given up
		t.Errorf("4 is %v", f)
	}
}

// TestLookupIsFresh changes a format and its layout and looks it up again.
func TestLookupIsFresh(t *testing.T) {
	f, _ := ByName("Q5_0")
	f.Name, f.Layout.Bits[0] = "mine", 99
	if again, ok := ByName("Q5_0"); !ok || again.Layout.Bits[0] != 4 {
		t.Error("a caller's change reached the table")
	}
}

func TestRowBytes(t *testing.T) {
	for _, f := range All() {
		if got, err := f.RowBytes(512); err != nil || got != 512/f.BlockElements*f.BlockBytes {
			t.Errorf("%s: %d, %v", f.Name, got, err)
		}
		for _, n := range []int{-f.BlockElements, f.BlockElements - 1, math.MaxInt} {
			if n == 0 || n == math.MaxInt && f.BlockBytes == 1 {
				continue
			}
			if got, err := f.RowBytes(n); !errors.Is(err, ErrLength) {
				t.Errorf("%s row of %d: %d, %v", f.Name, n, got, err)
			}
		}
	}
}

// TestSplitJoin takes apart and puts together blocks that Encode made: no bit of
// a block may be lost.
func TestSplitJoin(t *testing.T) {
	for _, f := range quantised() {
		t.Run(f.Name, func(t *testing.T) {
			src := golden(t, goldenName(f)+".bin")
			var p Parts
			block := make([]byte, f.BlockBytes)
			for at := 0; at < len(src); at += f.BlockBytes {
				want := src[at : at+f.BlockBytes]
				f.Split(want, &p)
				f.join(block, &p)
				i := firstDifference(block, want)
				// The sum in Q8_1 is of the scale before it was rounded.
				if f.Name == "Q8_1" && (i == 2 || i == 3) {
					continue
				}
				if i >= 0 {
					t.Fatalf("block %d, byte %d: got %#x, want %#x", at/f.BlockBytes, i, block[i], want[i])
				}
			}
		})
	}
}
