package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// ModelSource is where a model comes from, and how it is loaded.
type ModelSource struct {
	// Name is what errors, notices and Library.Models call the model.
	Name string
	// Open opens its file, which the library closes when the model leaves the device.
	Open func() (*gguf.File, error)
	// Load says how it is loaded.
	Load LoadOptions
	// Plan, unless nil, completes Load by what is in the file.
	Plan func(*gguf.File, *LoadOptions) error
	// Version says what is in the file, as its digest does, or its path, size and time
	// of change. As long as a model of the same Version and Load is there, Acquire does
	// not open the file. "": it is opened and its contents are hashed every time.
	Version string
	// Draft, unless nil, is the model that drafts for it, and is held as long as it is.
	// One that cannot be loaded is done without, as Lease.DraftError says.
	Draft *ModelSource
}

// LibraryOptions are the bounds of a library.
type LibraryOptions struct {
	// Memory bounds the weights and caches of its models together, in bytes. 0: no
	// bound but Options.Memory of the engine, which goes for all there is.
	Memory int64
}

// Library keeps models on the device of an engine for all who want them: each is
// there once, whoever uses it and by whatever name its file goes. A model that nobody
// holds stays as long as nothing else needs its memory; those go first that were used
// the longest ago. One that is held stays, whatever is asked for.
//
// Its methods may be called from many goroutines. It is closed before its engine.
type Library struct {
	engine *Engine
	limit  int64
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup
	// turn has a token while models are loaded or unloaded: one at a time, so that what
	// is free on the device is what the one before has left.
	turn chan struct{}

	mu      sync.Mutex
	closed  bool
	entries map[contentKey]*entry
	known   map[sourceKey]*entry   // by the versions that they were acquired by
	waits   map[sourceKey]*arrival // of sources with a version that are being loaded
	clock   uint64
	stats   LibraryStats
}

// LibraryStats count what a library has done.
type LibraryStats struct {
	Hits      int64 // Acquires of a model that was there
	Loads     int64 // of models onto the device
	Evictions int64 // of models from it, for the memory
}

// sourceKey is what tells sources with a version apart.
type sourceKey struct {
	version string
	options optionsKey
	draft   string
}

// contentKey is what tells models apart: what is in the file, and how it is loaded.
type contentKey struct {
	digest  [sha256.Size]byte
	options optionsKey
	draft   string
}

// optionsKey are the LoadOptions that make a model another.
type optionsKey struct {
	context, cacheTokens, stepTokens int
	cacheMemory                      int64
	cacheType                        device.CacheType
	template                         string
}

func (o *LoadOptions) key() optionsKey {
	return optionsKey{o.Context, o.CacheTokens, o.StepTokens, o.CacheMemory, o.CacheType, o.Template}
}

func (s *ModelSource) key() sourceKey {
	return sourceKey{version: s.Version, options: s.Load.key(), draft: s.draftKey()}
}

// draftKey names the draft model.
func (s *ModelSource) draftKey() string {
	if s.Draft == nil {
		return ""
	}
	return fmt.Sprintf("%q %q", s.Draft.Name, s.Draft.Version)
}

// check reports a source that is none.
func (s *ModelSource) check() error {
	switch {
	case s.Open == nil:
		return fmt.Errorf("no Open: %w", ErrOption)
	case s.Draft == nil:
		return nil
	case s.Draft.Open == nil || s.Draft.Draft != nil:
		return fmt.Errorf("draft %s: no Open, or a Draft of its own: %w", s.Draft.Name, ErrOption)
	}
	return nil
}

// entry is a model that is on the device.
type entry struct {
	key      contentKey
	name     string
	file     *gguf.File
	model    *Model
	bytes    int64  // weights and cache
	cache    int64  // of those, keys and values
	draft    *entry // held; nil: there is none
	draftErr error
	// Guarded by Library.mu:
	aliases []sourceKey
	leases  int // of users, and of the models that it drafts for
	used    uint64
	at      time.Time // when it was used last
	dropped bool      // it goes when nobody holds it
}

// arrival is a model that somebody waits for.
type arrival struct {
	done    chan struct{} // closed when what follows is known
	entry   *entry        // with a lease for each of the waiters; nil: see err
	err     error
	waiters int // guarded by Library.mu
	landed  bool
}

// NewLibrary returns an empty library. It fails with ErrOption.
func (e *Engine) NewLibrary(o LibraryOptions) (*Library, error) {
	if o.Memory < 0 {
		return nil, fmt.Errorf("engine: library: Memory %d: %w", o.Memory, ErrOption)
	}
	l := &Library{
		engine: e, limit: o.Memory, turn: make(chan struct{}, 1),
		entries: map[contentKey]*entry{}, known: map[sourceKey]*entry{}, waits: map[sourceKey]*arrival{},
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

// Lease holds a model of a library, which stays on the device until Release.
type Lease struct {
	library *Library
	entry   *entry
	once    sync.Once
}

// Model returns the model. It stays the library's, which closes it.
func (l *Lease) Model() *Model { return l.entry.model }

// DraftError says why no model drafts for it though its source has one; nil: all is
// as it should be.
func (l *Lease) DraftError() error { return l.entry.draftErr }

// Release gives the model back. Its sequences are to be closed by then.
func (l *Lease) Release() {
	l.once.Do(func() {
		l.library.mu.Lock()
		defer l.library.mu.Unlock()
		l.library.drop(l.entry)
	})
}

// Acquire returns a lease of a model, and loads it where it is not there. A load goes
// on when the one who began it does not wait any more. Errors: ErrClosed, ErrOption, a
// device.MemoryError where there is no room for it even without the models that nobody
// holds, which then stay; those of Load, of the source and of its Plan; and ctx.Err().
func (l *Library) Acquire(ctx context.Context, src ModelSource) (*Lease, error) {
	e, err := l.acquire(ctx, &src)
	if err != nil {
		return nil, fmt.Errorf("engine: library: %s: %w", src.Name, err)
	}
	return &Lease{library: l, entry: e}, nil
}

func (l *Library) acquire(ctx context.Context, src *ModelSource) (*entry, error) {
	if err := src.check(); err != nil {
		return nil, err
	}
	key := src.key()
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, ErrClosed
	}
	if e := l.known[key]; e != nil {
		defer l.mu.Unlock()
		return l.hit(e), nil
	}
	a := l.waits[key]
	if a == nil {
		a = &arrival{done: make(chan struct{})}
		if key.version != "" {
			l.waits[key] = a
		}
		l.work.Go(func() { l.bring(a, src, key) })
	}
	a.waiters++
	l.mu.Unlock()
	select {
	case <-a.done:
		return a.entry, a.err
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !a.landed:
		a.waiters--
	case a.entry != nil:
		l.drop(a.entry)
	}
	return nil, context.Cause(ctx)
}

// bring gets the model of a source for those who wait.
func (l *Library) bring(a *arrival, src *ModelSource, key sourceKey) {
	var e *entry
	err := l.inTurn(func() (err error) {
		e, err = l.find(src)
		return err
	})
	if err != nil && l.ctx.Err() != nil && !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waits[key] == a {
		delete(l.waits, key)
	}
	a.landed, a.err = true, err
	if err == nil {
		a.entry = e
		e.leases += a.waiters
		l.drop(e) // the lease of find
	}
	close(a.done)
}

// inTurn calls f while nothing else is loaded or unloaded. It fails with ErrClosed.
func (l *Library) inTurn(f func() error) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
		return f()
	case <-l.ctx.Done():
		return ErrClosed
	}
}

// hit holds a model that is there. The caller holds l.mu.
func (l *Library) hit(e *entry) *entry {
	l.stats.Hits++
	l.hold(e)
	return e
}

// hold is one more use of a model. The caller holds l.mu.
func (l *Library) hold(e *entry) {
	e.leases++
	e.dropped = false
	l.touch(e)
}

func (l *Library) touch(e *entry) {
	l.clock++
	e.used, e.at = l.clock, time.Now()
}

// drop ends a use of a model. The caller holds l.mu.
func (l *Library) drop(e *entry) {
	e.leases--
	l.touch(e)
	l.sweepLater(e)
}

// sweepLater unloads a model that nobody is to hold again. The caller holds l.mu.
func (l *Library) sweepLater(e *entry) {
	if e.dropped && e.leases == 0 && !l.closed {
		l.work.Go(func() {
			// Where the library was closed meanwhile, that has unloaded it.
			_ = l.inTurn(func() error { l.sweep(); return nil })
		})
	}
}

// Forget has the model of a source with a version unloaded as soon as nobody holds it,
// and not only when its memory is needed. Who acquires it before that keeps it.
func (l *Library) Forget(src ModelSource) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.known[src.key()]; e != nil {
		e.dropped = true
		l.sweepLater(e)
	}
}

// LibraryModel is a model that is on the device.
type LibraryModel struct {
	Name     string // of the source that it was loaded from
	Model    *Model
	Bytes    int64 // weights and cache
	Leases   int   // the models that it drafts for among them
	LastUsed time.Time
	Draft    string // the name of the model that drafts for it, "": none
}

// Models returns the models that are on the device, the one that was used the longest
// ago first.
func (l *Library) Models() []LibraryModel {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []LibraryModel
	for _, e := range l.inOrder() {
		m := LibraryModel{Name: e.name, Model: e.model, Bytes: e.bytes, Leases: e.leases, LastUsed: e.at}
		if e.draft != nil {
			m.Draft = e.draft.name
		}
		list = append(list, m)
	}
	return list
}

// Stats returns what the library has done so far.
func (l *Library) Stats() LibraryStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// inOrder returns the models, the one that was used the longest ago first. The caller
// holds l.mu.
func (l *Library) inOrder() []*entry {
	list := make([]*entry, 0, len(l.entries))
	for _, e := range l.entries {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *entry) int { return cmp.Compare(a.used, b.used) })
	return list
}

// Close ends the loads under way and closes all models, those that are held too, whose
// sequences fail with ErrClosed from then on.
func (l *Library) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	l.work.Wait()
	l.mu.Lock()
	all := l.inOrder()
	clear(l.entries)
	clear(l.known)
	l.mu.Unlock()
	var errs []error
	for _, e := range all {
		errs = append(errs, l.unload(e))
	}
	return errors.Join(errs...)
}
