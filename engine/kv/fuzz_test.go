package kv_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/realm-webgpu/realm/engine/kv"
)

// FuzzTables runs a list of operations, three bytes each, on tables that share
// a small pool, and holds them to slices of numbers that share nothing.
func FuzzTables(f *testing.F) {
	f.Fuzz(func(t *testing.T, ops []byte) {
		const pages, size = 9, 4
		pool, m := newPool(pages, size)
		type sequence struct {
			table *kv.Table
			want  []int
		}
		all := []*sequence{{table: pool.NewTable()}}
		value := 0
		for ; len(ops) >= 3; ops = ops[3:] {
			s := all[int(ops[1])%len(all)]
			n := int(ops[2])
			switch ops[0] % 4 {
			case 0: // write behind what is there
				values := make([]int, n%(2*size))
				for i := range values {
					value++
					values[i] = value
				}
				if !fits(t, pool, m.write(s.table, len(s.want), values...)) {
					break
				}
				s.want = append(s.want, values...)
			case 1: // write over what is there
				if len(s.want) == 0 {
					break
				}
				from := n % len(s.want)
				value++
				if fits(t, pool, m.write(s.table, from, value)) {
					s.want = append(s.want[:from], value)
				}
			case 2:
				keep := n % (len(s.want) + 1)
				s.table.Truncate(keep)
				s.want = s.want[:keep]
			case 3:
				if len(all) < 6 {
					all = append(all, &sequence{s.table.Fork(), slices.Clone(s.want)})
				} else {
					s.table.Release()
					s.want = nil
				}
			}
			held := map[int32]bool{}
			for i, s := range all {
				if got := m.read(s.table, len(s.want)); !slices.Equal(got, s.want) {
					t.Fatalf("table %d holds %v, want %v", i, got, s.want)
				}
				for _, page := range s.table.Pages() {
					held[page] = true
				}
			}
			if pool.Free() != pages-len(held) {
				t.Fatalf("%d pages are free, %d are held, of %d", pool.Free(), len(held), pages)
			}
		}
		for _, s := range all {
			s.table.Release()
		}
		if pool.Free() != pages {
			t.Fatalf("%d of %d pages are free in the end", pool.Free(), pages)
		}
	})
}

// fits reports whether a write was made, and checks why it was not.
func fits(t *testing.T, pool *kv.Pool, err error) bool {
	t.Helper()
	var pages *kv.PagesError
	switch {
	case err == nil:
		return true
	case !errors.As(err, &pages):
		t.Fatal(err)
	case pages.Need <= pages.Free || pages.Free != pool.Free():
		t.Fatalf("%v, with %d free", err, pool.Free())
	}
	return false
}
