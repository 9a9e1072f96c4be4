package engine

import (
	"errors"
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// find returns the model of a source with a lease: one that is there, or it is loaded.
// It is called in turn, as all in this file.
func (l *Library) find(src *ModelSource) (*entry, error) {
	key := src.key()
	l.mu.Lock()
	if e := l.known[key]; e != nil {
		defer l.mu.Unlock()
		return l.hit(e), nil
	}
	l.mu.Unlock()
	file, err := src.Open()
	if err != nil {
		return nil, err
	}
	o := src.Load
	if src.Plan != nil {
		err = src.Plan(file, &o)
	}
	var content contentKey
	if err == nil {
		content = contentKey{options: o.key(), draft: key.draft}
		content.digest, err = file.Digest(l.ctx)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	l.mu.Lock()
	e := l.entries[content]
	if e != nil {
		l.hit(e)
		l.alias(e, key)
	}
	l.mu.Unlock()
	if e != nil {
		return e, file.Close()
	}
	e = &entry{key: content, name: src.Name, file: file}
	if err := l.load(e, o); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if src.Draft != nil {
		l.setDraft(e, src.Draft)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alias(e, key)
	return e, nil
}

// alias has a source with a version find the model without its file. The caller holds
// l.mu.
func (l *Library) alias(e *entry, key sourceKey) {
	if key.version != "" {
		e.aliases = append(e.aliases, key)
		l.known[key] = e
	}
}

// load puts a model on the device, and holds it.
func (l *Library) load(e *entry, o LoadOptions) error {
	if err := l.makeRoom(e.file, o); err != nil {
		return err
	}
	m, err := l.engine.Load(l.ctx, e.file, o)
	for errors.Is(err, device.ErrMemory) && l.evictOldest() {
		// The driver has less than the budget says, or nobody knows how much.
		m, err = l.engine.Load(l.ctx, e.file, o)
	}
	if err != nil {
		return err
	}
	u := m.Usage()
	e.model, e.bytes, e.cache = m, u.Total(), u.Cache
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Loads++
	l.entries[e.key] = e
	l.hold(e)
	return nil
}

// setDraft has another model draft for one, and holds it.
func (l *Library) setDraft(e *entry, src *ModelSource) {
	d, err := l.find(src)
	if err == nil {
		if err = e.model.SetDraft(d.model); err == nil {
			e.draft = d
			return
		}
		l.mu.Lock()
		l.drop(d)
		l.mu.Unlock()
	}
	e.draftErr = err
	l.engine.say(fmt.Sprintf("%s: no draft model, so that nothing is drafted ahead: %s: %v", e.name, src.Name, err))
}

// shortage is memory that a load needs and that is not free.
type shortage struct {
	err  *device.MemoryError
	idle func(*entry) int64 // what a model would give back
}

// shortages returns what there is too little of for a plan.
func (l *Library) shortages(p *Plan) []shortage {
	weights := func(e *entry) int64 { return e.bytes }
	var list []shortage
	var short *device.MemoryError
	if errors.As(l.engine.cacheBudget.fits(p.cache), &short) {
		list = append(list, shortage{short, func(e *entry) int64 { return e.cache }})
	}
	if errors.As(p.fits(l.engine.current()), &short) {
		list = append(list, shortage{short, weights})
	}
	if l.limit > 0 {
		used := int64(0)
		for _, e := range l.entries {
			used += e.bytes
		}
		if need := p.Weights + p.Cache; need > l.limit-used {
			list = append(list, shortage{&device.MemoryError{Kind: device.KindWeights, Name: "the models of the library", Need: need, Used: used, Budget: l.limit}, weights})
		}
	}
	return list
}

// makeRoom unloads models that nobody holds until a file can be loaded, the one that
// was used the longest ago first. Where that would not be enough it unloads none, and
// fails with a device.MemoryError.
func (l *Library) makeRoom(f *gguf.File, o LoadOptions) error {
	p, err := l.engine.Plan(f, o)
	if err != nil {
		return err
	}
	for {
		l.mu.Lock()
		short := l.shortages(&p)
		for _, s := range short {
			free := s.err.Budget - s.err.Used
			for _, e := range l.entries {
				if l.idle(e) {
					free += s.idle(e)
				}
			}
			if s.err.Need > free {
				l.mu.Unlock()
				return s.err
			}
		}
		l.mu.Unlock()
		if len(short) == 0 {
			return nil
		}
		if !l.evictOldest() {
			return short[0].err
		}
	}
}

// idle reports whether nobody holds a model but models that nobody holds. The caller
// holds l.mu.
func (l *Library) idle(e *entry) bool {
	users := e.leases
	for _, x := range l.entries {
		if x.draft == e && x.leases == 0 {
			users--
		}
	}
	return users == 0
}

// evictOldest unloads the model that nobody holds and that was used the longest ago.
// It reports whether there was one.
func (l *Library) evictOldest() bool {
	l.mu.Lock()
	for _, e := range l.inOrder() {
		if e.leases > 0 {
			continue
		}
		l.stats.Evictions++
		l.forget(e)
		l.mu.Unlock()
		l.finish(e)
		return true
	}
	l.mu.Unlock()
	return false
}

// sweep unloads the models that nobody is to hold again.
func (l *Library) sweep() {
	l.mu.Lock()
	var gone []*entry
	for _, e := range l.entries {
		if e.dropped && e.leases == 0 {
			l.forget(e)
			gone = append(gone, e)
		}
	}
	l.mu.Unlock()
	for _, e := range gone {
		l.finish(e)
	}
}

// forget takes a model out of the library. The caller holds l.mu.
func (l *Library) forget(e *entry) {
	delete(l.entries, e.key)
	for _, key := range e.aliases {
		if l.known[key] == e {
			delete(l.known, key)
		}
	}
}

// finish unloads a model that has left the library. What cannot be closed is told.
func (l *Library) finish(e *entry) {
	if err := l.unload(e); err != nil {
		l.engine.say(fmt.Sprintf("unloading %s: %v", e.name, err))
	}
}

// unload closes a model and its file, and gives its draft model back.
func (l *Library) unload(e *entry) error {
	err := errors.Join(e.model.Close(), e.file.Close())
	if e.draft != nil {
		l.mu.Lock()
		l.drop(e.draft)
		l.mu.Unlock()
	}
	return err
}
