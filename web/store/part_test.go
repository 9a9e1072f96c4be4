package store

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestRangesModel compares ranges with a list of bytes.
func TestRangesModel(t *testing.T) {
	const size = 60
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var r ranges
		var there [size]bool
		for range random.IntN(12) {
			start := random.Int64N(size)
			end := start + random.Int64N(size-start+1)
			r = r.with(start, end)
			for i := start; i < end; i++ {
				there[i] = true
			}
		}
		if !r.valid(size) {
			t.Fatalf("%v is not valid", r)
		}
		n := int64(0)
		for _, x := range there {
			if x {
				n++
			}
		}
		if r.bytes() != n {
			t.Fatalf("%v has %d bytes, want %d", r, r.bytes(), n)
		}
		chunk := 1 + random.Int64N(20)
		for start, end := range r.missing(size, chunk) {
			if end-start > chunk || start >= end {
				t.Fatalf("%v lacks %d to %d, in pieces of %d", r, start, end, chunk)
			}
			for i := start; i < end; i++ {
				if there[i] {
					t.Fatalf("%v lacks byte %d", r, i)
				}
				there[i] = true
			}
		}
		for i, x := range there {
			if !x {
				t.Fatalf("%v: nobody brings byte %d", r, i)
			}
		}
	}
	for _, bad := range []ranges{{{-1, 2}}, {{0, 0}}, {{3, 2}}, {{0, 61}}, {{0, 5}, {5, 6}}, {{5, 6}, {0, 1}}} {
		if bad.valid(size) {
			t.Errorf("%v is valid", bad)
		}
	}
	for start, end := range (ranges{{0, 10}}).missing(10, 3) {
		t.Errorf("%d to %d are missing of all", start, end)
	}
}

func TestContentRange(t *testing.T) {
	type parsed struct {
		start, end, size int64
		ok               bool
	}
	for value, want := range map[string]parsed{
		"bytes 0-0/1":                     {0, 1, 1, true},
		"bytes 10-19/1000":                {10, 20, 1000, true},
		"bytes 10-19/*":                   {10, 20, -1, true},
		"bytes 0-9223372036854775806/*":   {0, 1<<63 - 1, -1, true},
		"bytes 0-9/9223372036854775807":   {0, 10, 1<<63 - 1, true},
		"":                                {},
		"bytes */1000":                    {},
		"bytes 10-9/1000":                 {},
		"bytes 0-1000/1000":               {},
		"bytes -5-9/1000":                 {},
		"bytes 0-9":                       {},
		"items 0-9/10":                    {},
		"bytes 0-9/x":                     {},
		"bytes 0-9/-1":                    {},
		"bytes 0-9/10, 11-12/20":          {},
		"bytes 0-99999999999999999999/*":  {},
		"bytes 0-9223372036854775807/*":   {},
		"bytes 0-9/99999999999999999999 ": {},
	} {
		start, end, size, err := contentRange(value)
		if got := (parsed{start, end, size, err == nil}); err == nil && got != want || want.ok != got.ok {
			t.Errorf("%q: %+v, %v; want %+v", value, got, err, want)
		}
	}
}

func TestState(t *testing.T) {
	want := state{URL: "https://e.com/x", Size: 100, validators: validators{ETag: `"x"`}, Done: ranges{{0, 5}, {10, 100}}}
	path := t.TempDir() + "/x.json"
	if err := writeJSON(path, want); err != nil {
		t.Fatal(err)
	}
	data, err := readBounded(path, maxStateBytes)
	if got, ok := parseState(data); err != nil || !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %t, %v", got, ok, err)
	}
	if _, err := readBounded(path, 10); err == nil {
		t.Error("no error over the limit")
	}
}
