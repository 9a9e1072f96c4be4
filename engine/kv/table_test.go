package kv_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/kv"
)

// memory is a cache whose keys and values are one number a token.
type memory struct {
	slots []int
	size  int // tokens of a page
	fail  error
}

func (m *memory) CopyPage(dst, src int) error {
	if m.fail != nil {
		return m.fail
	}
	copy(m.slots[dst*m.size:(dst+1)*m.size], m.slots[src*m.size:(src+1)*m.size])
	return nil
}

func newPool(pages, size int) (*kv.Pool, *memory) {
	m := &memory{slots: make([]int, pages*size), size: size}
	return kv.NewPool(pages, size, m), m
}

// write writes values behind the first from tokens, as a step does.
func (m *memory) write(t *kv.Table, from int, values ...int) error {
	if err := t.Write(from, from+len(values)); err != nil {
		return err
	}
	for i, v := range values {
		at := from + i
		m.slots[int(t.Pages()[at/m.size])*m.size+at%m.size] = v
	}
	return nil
}

// read returns the first n tokens.
func (m *memory) read(t *kv.Table, n int) []int {
	var out []int
	for i := range n {
		out = append(out, m.slots[int(t.Pages()[i/m.size])*m.size+i%m.size])
	}
	return out
}

func TestWriteTakesPagesAsTheyAreNeeded(t *testing.T) {
	pool, m := newPool(4, 3)
	table := pool.NewTable()
	for n, pages := range []int{0, 1, 1, 1, 2, 2, 2, 3} {
		if n > 0 {
			if err := m.write(table, n-1, n); err != nil {
				t.Fatal(err)
			}
		}
		if got := len(table.Pages()); got != pages || pool.Free() != 4-pages {
			t.Errorf("%d tokens: %d pages, %d free", n, got, pool.Free())
		}
	}
	if got, want := m.read(table, 7), []int{1, 2, 3, 4, 5, 6, 7}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestForkSharesUntilOneWrites(t *testing.T) {
	pool, m := newPool(5, 2)
	a := pool.NewTable()
	if err := m.write(a, 0, 1, 2, 3); err != nil {
		t.Fatal(err)
	}
	b := a.Fork()
	if pool.Free() != 3 {
		t.Errorf("a fork took pages: %d free", pool.Free())
	}
	if err := m.write(b, 3, 40); err != nil {
		t.Fatal(err)
	}
	if pool.Free() != 2 || a.Pages()[0] != b.Pages()[0] || a.Pages()[1] == b.Pages()[1] {
		t.Errorf("pages %v and %v, %d free", a.Pages(), b.Pages(), pool.Free())
	}
	own := a.Pages()[1]
	if err := m.write(a, 3, 4); err != nil {
		t.Fatal(err)
	}
	if a.Pages()[1] != own {
		t.Error("the last holder of a page copied it")
	}
	if got, want := m.read(a, 4), []int{1, 2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("a: %v, want %v", got, want)
	}
	if got, want := m.read(b, 4), []int{1, 2, 3, 40}; !slices.Equal(got, want) {
		t.Errorf("b: %v, want %v", got, want)
	}
}

func TestWriteAtAPageBoundaryCopiesNothing(t *testing.T) {
	pool, m := newPool(4, 2)
	a := pool.NewTable()
	if err := m.write(a, 0, 1, 2, 3, 4); err != nil {
		t.Fatal(err)
	}
	b := a.Fork()
	m.fail = errors.New("copied")
	if err := m.write(b, 2, 30, 40); err != nil {
		t.Fatal(err)
	}
	if got, want := m.read(a, 4), []int{1, 2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("a: %v, want %v", got, want)
	}
}

func TestRunningOutChangesNothing(t *testing.T) {
	pool, m := newPool(3, 2)
	a := pool.NewTable()
	if err := m.write(a, 0, 1, 2, 3); err != nil {
		t.Fatal(err)
	}
	b := a.Fork()
	before := slices.Clone(b.Pages())
	err := b.Write(3, 5) // a copy of the last page, and one more
	var pages *kv.PagesError
	if !errors.As(err, &pages) || !errors.Is(err, kv.ErrPages) {
		t.Fatalf("error %v", err)
	}
	if *pages != (kv.PagesError{Need: 2, Free: 1, Total: 3}) {
		t.Errorf("error %+v", *pages)
	}
	if !slices.Equal(b.Pages(), before) || pool.Free() != 1 {
		t.Errorf("pages %v, were %v; %d free", b.Pages(), before, pool.Free())
	}
}

func TestAFailedCopyChangesNothing(t *testing.T) {
	pool, m := newPool(3, 2)
	a := pool.NewTable()
	if err := m.write(a, 0, 1); err != nil {
		t.Fatal(err)
	}
	b := a.Fork()
	m.fail = errors.New("device lost")
	if err := b.Write(1, 2); !errors.Is(err, m.fail) {
		t.Fatalf("error %v", err)
	}
	if b.Pages()[0] != a.Pages()[0] || pool.Free() != 2 {
		t.Errorf("pages %v and %v, %d free", a.Pages(), b.Pages(), pool.Free())
	}
}

func TestTruncateAndRelease(t *testing.T) {
	pool, m := newPool(4, 2)
	a := pool.NewTable()
	if err := m.write(a, 0, 1, 2, 3, 4, 5); err != nil {
		t.Fatal(err)
	}
	b := a.Fork()
	for _, c := range []struct{ tokens, pages, free int }{{6, 3, 1}, {4, 2, 1}, {3, 2, 1}, {2, 1, 1}, {0, 0, 1}, {-1, 0, 1}} {
		b.Truncate(c.tokens)
		if len(b.Pages()) != c.pages || pool.Free() != c.free {
			t.Errorf("truncated to %d: %d pages, %d free", c.tokens, len(b.Pages()), pool.Free())
		}
	}
	a.Release()
	a.Release()
	if pool.Free() != pool.Total() {
		t.Errorf("%d of %d pages are free", pool.Free(), pool.Total())
	}
}

func TestWriteOutsideTheTable(t *testing.T) {
	pool, _ := newPool(4, 2)
	table := pool.NewTable()
	for _, c := range [][2]int{{-1, 1}, {1, 2}, {2, 1}} {
		if err := table.Write(c[0], c[1]); err == nil || !strings.Contains(err.Error(), "kv: write") {
			t.Errorf("%v: error %v", c, err)
		}
	}
	if err := table.Write(0, 0); err != nil || len(table.Pages()) != 0 {
		t.Errorf("nothing to write: %v, %v", err, table.Pages())
	}
}
