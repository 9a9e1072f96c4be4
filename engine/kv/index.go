package kv

import (
	"crypto/sha256"
	"encoding/binary"
)

// Key names the contents of a page and of all before it in its sequence: a hash
// of the key before and of the page's tokens, as in vLLM's prefix caching. SHA-256
// makes it sure enough that no one can write a prompt that meets another's page.
type Key [sha256.Size]byte

// NewKey returns the key before the first page. Sequences share pages only where
// they began with the same salt: whose they are, and whatever else than tokens
// keys and values depend on.
func NewKey(salt []byte) Key { return sha256.Sum256(salt) }

// Next returns the key of a page of tokens that follows the pages of k.
func (k Key) Next(tokens []int32) Key {
	var buffer [sha256.Size + 4*64]byte
	data := append(buffer[:0], k[:]...)
	for _, token := range tokens {
		data = binary.LittleEndian.AppendUint32(data, uint32(token))
	}
	return sha256.Sum256(data)
}

// IndexStats counts what the index of full pages has done.
type IndexStats struct {
	Queries int64 // pages that were looked for
	Hits    int64 // of those, the ones found
	Evicted int64 // pages that were given away with nobody holding them
	Pages   int   // in the index now
}

// index finds full pages by their keys. A page that no table holds stays in it
// until it is needed for something else, the one that was held the longest ago
// first. Its methods are called with the pool's lock held.
type index struct {
	pages map[Key]int32
	keys  []Key // [pages] of those that are in it
	in    []bool
	// A ring of the pages that no table holds, in the order they were let go of,
	// through the sentinel behind the last page.
	next, prev []int32
	idle       int // pages of the ring
	stats      IndexStats
}

func (x *index) init(pages int) {
	x.pages = map[Key]int32{}
	x.keys, x.in = make([]Key, pages), make([]bool, pages)
	x.next, x.prev = make([]int32, pages+1), make([]int32, pages+1)
	x.next[pages], x.prev[pages] = int32(pages), int32(pages)
}

// has reports whether a page is in the index.
func (x *index) has(page int32) bool { return x.in[page] }

// add puts a page in, unless there is one of that key.
func (x *index) add(key Key, page int32) {
	if _, ok := x.pages[key]; ok {
		return
	}
	x.remove(page)
	x.pages[key], x.keys[page], x.in[page] = page, key, true
}

// remove takes a page out that some table holds.
func (x *index) remove(page int32) {
	if x.in[page] {
		delete(x.pages, x.keys[page])
		x.in[page] = false
	}
}

// rest appends a page that nobody holds any more to the ring.
func (x *index) rest(page int32) {
	end := int32(len(x.keys))
	last := x.prev[end]
	x.next[last], x.prev[page] = page, last
	x.next[page], x.prev[end] = end, page
	x.idle++
}

// wake takes a page out of the ring.
func (x *index) wake(page int32) {
	before, after := x.prev[page], x.next[page]
	x.next[before], x.prev[after] = after, before
	x.idle--
}

// evict takes the page that was let go of the longest ago out of the ring and of
// the index.
func (x *index) evict() (page int32, ok bool) {
	end := int32(len(x.keys))
	if page = x.next[end]; page == end {
		return 0, false
	}
	x.wake(page)
	x.remove(page)
	x.stats.Evicted++
	return page, true
}

// clear takes all pages out; the ring is empty already.
func (x *index) clear() {
	clear(x.pages)
	clear(x.in)
}

// Publish tells the pool that page i of the table is full of the tokens that key
// names, so that others may take it. Nothing is written there from now on, or the
// page leaves the index.
func (t *Table) Publish(i int, key Key) {
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	t.pool.index.add(key, t.pages[i])
}

// Match appends the page of key to the table, if there is one, and shares it. The
// pages of the table are full.
func (t *Table) Match(key Key) bool {
	p := t.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.index.stats.Queries++
	page, ok := p.index.pages[key]
	if !ok {
		return false
	}
	p.index.stats.Hits++
	if p.holders[page] == 0 {
		p.index.wake(page)
	}
	p.holders[page]++
	t.pages = append(t.pages, page)
	return true
}
