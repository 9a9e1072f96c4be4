package kv

import (
	"fmt"
	"slices"
)

// Table is the block table of one sequence. It is for one goroutine at a time;
// tables that share pages may be used at the same time.
type Table struct {
	pool  *Pool
	pages []int32
}

// NewTable returns the table of an empty sequence.
func (p *Pool) NewTable() *Table { return &Table{pool: p} }

// Pages returns the pages in order: token i is in page i/PageTokens of them. It
// is valid until the table changes.
func (t *Table) Pages() []int32 { return t.pages }

// Write makes the tokens [from, to) the table's own, to be written: it takes
// pages where there are none yet, and replaces those that others hold, copying
// the one that from lies inside. from is at most what the pages have room for.
// What was there from from on is void afterwards.
//
// On an error (a PagesError, or what the copier says) the table is as it was.
func (t *Table) Write(from, to int) error {
	p := t.pool
	if from < 0 || to < from || from > len(t.pages)*p.pageTokens {
		return fmt.Errorf("kv: write: tokens %d to %d of a table of %d pages of %d", from, to, len(t.pages), p.pageTokens)
	}
	if from == to {
		return nil
	}
	first, last := from/p.pageTokens, p.pagesOf(to)
	held := t.pages[first:max(first, min(last, len(t.pages)))]

	p.mu.Lock()
	defer p.mu.Unlock()
	need := max(0, last-len(t.pages))
	for _, page := range held {
		if p.holders[page] > 1 {
			need++
		}
	}
	if free := p.available(); need > free {
		return &PagesError{Need: need, Free: free, Total: len(p.holders)}
	}
	for i, page := range held {
		if p.holders[page] == 1 {
			p.index.remove(page)
			continue
		}
		own := p.take()
		if i == 0 && from%p.pageTokens != 0 {
			if err := p.copier.CopyPage(int(own), int(page)); err != nil {
				p.drop(own)
				return fmt.Errorf("kv: write: %w", err)
			}
		}
		held[i] = own
		p.drop(page)
	}
	for len(t.pages) < last {
		t.pages = append(t.pages, p.take())
	}
	return nil
}

// Truncate drops the pages that the first n tokens do not need. It does nothing
// to a table that has no more.
func (t *Table) Truncate(n int) {
	keep := t.pool.pagesOf(max(n, 0))
	if keep >= len(t.pages) {
		return
	}
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	// Last first, so that the next table takes them in order.
	for _, page := range slices.Backward(t.pages[keep:]) {
		t.pool.drop(page)
	}
	t.pages = t.pages[:keep]
}

// Fork returns a table of the same pages, which the two share from now on.
func (t *Table) Fork() *Table {
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	for _, page := range t.pages {
		t.pool.holders[page]++
	}
	return &Table{pool: t.pool, pages: slices.Clone(t.pages)}
}

// Missing returns how many pages Write would have to take.
func (t *Table) Missing(from, to int) int {
	if from >= to {
		return 0
	}
	p := t.pool
	first, last := from/p.pageTokens, p.pagesOf(to)
	need := max(0, last-len(t.pages))
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := first; i < min(last, len(t.pages)); i++ {
		if p.holders[t.pages[i]] > 1 {
			need++
		}
	}
	return need
}

// Release drops all pages: the table is empty again.
func (t *Table) Release() { t.Truncate(0) }
