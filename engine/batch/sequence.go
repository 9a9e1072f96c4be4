package batch

import (
	"fmt"
	"slices"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/kv"
	"github.com/realm-webgpu/realm/engine/model"
)

// Sequence is one text: its tokens, and the cache pages of those that were read.
// While a run writes on it, it has the tokens that were taken from the run.
type Sequence struct {
	model  *Model
	tenant *Tenant

	// Guarded by the scheduler's lock:
	closed bool
	held   bool // by a loop of its owner's
	run    *Run // the one that reads and writes it
	tokens []int32
	shown  int // tokens that the owner knows of; all of them but for a run
	read   int // the tokens whose keys and values are in the cache, or will be after what is in flight
	table  *kv.Table
	keys   []kv.Key // of the full pages that were published
	root   kv.Key
	pages  int    // of the table, as the tenant counts them
	used   uint64 // the last step that it was in
	alone  bool   // it shares no pages but with its forks
	mirror *mirror

	adapter *model.Slot // held until it is dropped; nil: none
	scale   float32
}

// NewSequence returns an empty sequence of a tenant, nil for the default one. It
// fails with ErrClosed.
func (m *Model) NewSequence(t *Tenant) (*Sequence, error) {
	s := m.scheduler
	if t == nil {
		t = s.tenant
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := m.usable(); err != nil {
		return nil, err
	}
	return m.newSequence(t), nil
}

func (m *Model) newSequence(t *Tenant) *Sequence {
	q := &Sequence{model: m, tenant: t, table: m.pool.NewTable()}
	q.setRoot()
	m.sequences[q] = struct{}{}
	return q
}

// Usable returns ErrClosed for a model that is no more, or what ended the device.
func (m *Model) Usable() error {
	m.scheduler.mu.Lock()
	defer m.scheduler.mu.Unlock()
	return m.usable()
}

// usable returns ErrClosed for a model that is no more, or what ended the device.
// The caller holds the lock.
func (m *Model) usable() error {
	s := m.scheduler
	switch {
	case m.closed:
		return fmt.Errorf("engine: model: %w", ErrClosed)
	case s.closed:
		return fmt.Errorf("engine: %w", ErrClosed)
	}
	return s.err
}

// free reports why a sequence cannot be changed now. The caller holds the lock.
func (q *Sequence) free() error {
	switch {
	case q.closed:
		return fmt.Errorf("engine: sequence: %w", ErrClosed)
	case q.held || q.run != nil:
		return fmt.Errorf("engine: sequence: %w", ErrBusy)
	}
	return nil
}

// Hold keeps the sequence for a loop of its owner's, until Release: whatever else
// wants it meanwhile finds it busy, save runs that StartHeld starts. Errors:
// ErrBusy, ErrClosed.
func (q *Sequence) Hold() error {
	q.lock()
	defer q.unlock()
	if err := q.free(); err != nil {
		return err
	}
	q.held = true
	return nil
}

// Release ends Hold, and finishes a Close that came meanwhile.
func (q *Sequence) Release() {
	q.lock()
	defer q.unlock()
	q.held = false
	if q.closed {
		q.drop()
	}
}

func (q *Sequence) lock()   { q.model.scheduler.mu.Lock() }
func (q *Sequence) unlock() { q.model.scheduler.mu.Unlock() }

// Append adds tokens to be read by the next run. On an error (ErrToken, ErrBusy,
// ErrClosed, or a ContextError where they do not all fit) it has added none.
func (q *Sequence) Append(tokens ...int32) error {
	q.lock()
	defer q.unlock()
	if err := q.free(); err != nil {
		return err
	}
	for i, id := range tokens {
		if id < 0 || int(id) >= q.model.vocab {
			return fmt.Errorf("engine: append: token %d is %d, the vocabulary has %d: %w", i, id, q.model.vocab, ErrToken)
		}
	}
	if need := len(q.tokens) + len(tokens); need > q.model.context {
		return &ContextError{Need: need, Limit: q.model.context}
	}
	q.tokens = append(q.tokens, tokens...)
	q.shown = len(q.tokens)
	return nil
}

// Tokens returns a copy of the tokens.
func (q *Sequence) Tokens() []int32 {
	q.lock()
	defer q.unlock()
	return slices.Clone(q.tokens[:q.shown])
}

// Len returns the number of tokens.
func (q *Sequence) Len() int {
	q.lock()
	defer q.unlock()
	return q.shown
}

// Cached returns how many of the tokens need not be read again.
func (q *Sequence) Cached() int {
	q.lock()
	defer q.unlock()
	return min(q.read, q.shown)
}

// Pages returns how many cache pages the sequence has, shared ones among them.
func (q *Sequence) Pages() int {
	q.lock()
	defer q.unlock()
	return len(q.table.Pages())
}

// Model returns the model of the sequence.
func (q *Sequence) Model() *Model { return q.model }

// Tenant returns whose the sequence is.
func (q *Sequence) Tenant() *Tenant { return q.tenant }

// NoPrefix keeps the sequence out of the index of known prefixes: nothing is taken
// from there, and nothing is left to it. It is for a sequence without tokens.
func (q *Sequence) NoPrefix() {
	q.lock()
	defer q.unlock()
	q.alone = true
}

// Busy reports whether a run or a loop has the sequence.
func (q *Sequence) Busy() bool {
	q.lock()
	defer q.unlock()
	return q.held || q.run != nil
}

// Truncate drops the tokens from n on. Errors: ErrOption where n is not in 0 to
// Len, ErrBusy, ErrClosed.
func (q *Sequence) Truncate(n int) error {
	q.lock()
	defer q.unlock()
	if err := q.free(); err != nil {
		return err
	}
	if n < 0 || n > len(q.tokens) {
		return fmt.Errorf("engine: truncate: to %d of %d tokens: %w", n, len(q.tokens), ErrOption)
	}
	q.cut(n)
	return nil
}

// cut drops the tokens from n on, and what the cache has behind those that were
// read. The caller holds the lock.
func (q *Sequence) cut(n int) {
	q.tokens = q.tokens[:n]
	q.shown = min(q.shown, n)
	q.reread(n)
	q.table.Truncate(q.read)
	q.account()
}

// reread makes the tokens from n on ones that have not been read.
func (q *Sequence) reread(n int) {
	q.read = min(q.read, n)
	q.keys = q.keys[:min(len(q.keys), q.read/device.PageTokens)]
}

// account tells the tenant how many pages the table has.
func (q *Sequence) account() { q.pages = len(q.table.Pages()) }

// Fork returns a sequence of the same tokens, which shares the cache pages until
// one of the two writes to them. It may be called while a run writes. It fails
// with ErrClosed.
func (q *Sequence) Fork() (*Sequence, error) {
	q.lock()
	defer q.unlock()
	if q.closed {
		return nil, fmt.Errorf("engine: fork: sequence: %w", ErrClosed)
	}
	if err := q.model.usable(); err != nil {
		return nil, err
	}
	f := q.model.newSequence(q.tenant)
	f.tokens, f.read, f.keys, f.used = slices.Clone(q.tokens[:q.shown]), q.read, slices.Clone(q.keys), q.used
	f.table, f.shown, f.alone = q.table.Fork(), q.shown, q.alone
	if q.adapter != nil && q.adapter.Hold() { // it is held, by q
		f.adapter, f.scale, f.root = q.adapter, q.scale, q.root
	}
	f.cut(q.shown)
	return f, nil
}

// ForkTable returns a table of the pages of the tokens that were read, and how many
// those are. The caller releases it. Errors: ErrBusy, ErrClosed.
func (q *Sequence) ForkTable() (table *kv.Table, read int, err error) {
	q.lock()
	defer q.unlock()
	if err := q.free(); err != nil {
		return nil, 0, err
	}
	table, read = q.table.Fork(), min(q.read, len(q.tokens))
	table.Truncate(read)
	return table, read, nil
}

// Close gives the cache pages back and ends what runs on the sequence; at the end
// of the loop that holds it where it is called inside of one.
func (q *Sequence) Close() {
	s := q.model.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.closed {
		return
	}
	q.closed = true
	if q.held {
		return
	}
	if q.run != nil {
		s.end(q.run, fmt.Errorf("engine: sequence: %w", ErrClosed))
		s.leave(q.run)
	}
	q.drop()
}

// drop gives back all that a closed sequence has. The caller holds the lock.
func (q *Sequence) drop() {
	q.evict()
	q.dropMirror()
	q.releaseAdapter()
	delete(q.model.sequences, q)
}

// evict gives the pages back; the tokens stay, to be read again.
func (q *Sequence) evict() {
	q.reread(0)
	q.table.Release()
	q.account()
}

// publish puts the pages that have become full into the index. The caller holds
// the lock.
func (q *Sequence) publish() {
	if q.model.whole || q.alone {
		return // states depend on what comes behind, or are nobody else's
	}
	const size = device.PageTokens
	for full := min(q.read, len(q.tokens)) / size; len(q.keys) < full; {
		i := len(q.keys)
		q.keys = append(q.keys, q.key().Next(q.tokens[i*size:(i+1)*size]))
		q.table.Publish(i, q.keys[i])
	}
}

// key returns the key of the last page that was published.
func (q *Sequence) key() kv.Key {
	if n := len(q.keys); n > 0 {
		return q.keys[n-1]
	}
	return q.root
}

// match takes the pages of the first tokens, up to n, that the index has, into
// an empty table.
func (q *Sequence) match(n int) {
	if q.model.whole || q.alone || q.read > 0 || len(q.table.Pages()) > 0 {
		return
	}
	const size = device.PageTokens
	for i := 0; (i+1)*size <= n; i++ {
		key := q.key().Next(q.tokens[i*size : (i+1)*size])
		if !q.table.Match(key) {
			break
		}
		q.keys = append(q.keys, key)
		q.read = (i + 1) * size
	}
	q.account()
}
