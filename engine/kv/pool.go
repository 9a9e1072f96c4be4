package kv

import (
	"fmt"
	"math"
	"sync"
)

// Copier copies a page of keys and values onto another, in the order of the
// steps around the call. A device.Cache is one.
type Copier interface {
	CopyPage(dst, src int) error
}

// Pool is the pages of a cache. It may be used by many goroutines.
type Pool struct {
	pageTokens int
	copier     Copier

	mu      sync.Mutex
	holders []int32 // [pages] how many tables hold each
	free    []int32 // pages that no table holds and the index has not; the next to be taken is last
	index   index
}

// NewPool returns a pool of pages, numbered from 0, of pageTokens tokens each.
// It panics unless there are from 1 to 2³¹-1 pages of at least a token: these
// are the program's own numbers, not a file's.
func NewPool(pages, pageTokens int, copier Copier) *Pool {
	if pages < 1 || pages > math.MaxInt32 || pageTokens < 1 {
		panic(fmt.Sprintf("kv: %d pages of %d tokens", pages, pageTokens))
	}
	p := &Pool{pageTokens: pageTokens, copier: copier, holders: make([]int32, pages), free: make([]int32, pages)}
	for i := range p.free {
		p.free[i] = int32(pages - 1 - i)
	}
	p.index.init(pages)
	return p
}

// SetCopier has pages copied by another from now on: those of a cache in place of one
// that was lost.
func (p *Pool) SetCopier(c Copier) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.copier = c
}

// Total returns the number of pages.
func (p *Pool) Total() int { return len(p.holders) }

// Free returns how many pages no table holds. Those that the index keeps are
// among them: they are there to be taken.
func (p *Pool) Free() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.available()
}

// Stats returns what the index has done so far.
func (p *Pool) Stats() IndexStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.index.stats
	s.Pages = len(p.index.pages)
	return s
}

// PageTokens returns the number of tokens of a page.
func (p *Pool) PageTokens() int { return p.pageTokens }

// Forget empties the index: keys and values are no longer what they were.
func (p *Pool) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		page, ok := p.index.evict()
		if !ok {
			break
		}
		p.free = append(p.free, page)
	}
	p.index.clear()
}

// pagesOf returns how many pages hold n tokens.
func (p *Pool) pagesOf(n int) int { return (n + p.pageTokens - 1) / p.pageTokens }

// available returns how many pages can be taken. The caller holds p.mu.
func (p *Pool) available() int { return len(p.free) + p.index.idle }

// take moves a free page to a holder: one that the index does not have, or the
// one of the index that was used the longest ago. The caller holds p.mu and has
// seen that there is one.
func (p *Pool) take() int32 {
	var page int32
	if n := len(p.free); n > 0 {
		page = p.free[n-1]
		p.free = p.free[:n-1]
	} else {
		page, _ = p.index.evict()
	}
	p.holders[page] = 1
	return page
}

// drop lets go of a page. The caller holds p.mu.
func (p *Pool) drop(page int32) {
	p.holders[page]--
	if p.holders[page] > 0 {
		return
	}
	if p.index.has(page) {
		p.index.rest(page)
		return
	}
	p.free = append(p.free, page)
}
