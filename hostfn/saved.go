package hostfn

import (
	"container/list"
	"sync"
	"time"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// Saved keeps sequences of one tenant from one request to the next. Its methods
// may be called from many goroutines.
type Saved struct {
	limit int

	mu    sync.Mutex
	byKey map[savedKey]*list.Element
	order *list.List        // of *saved, the one used last in front
	gone  map[savedKey]bool // keys whose sequence was evicted or has expired
}

type savedKey struct {
	model *engine.Model
	key   string
}

type saved struct {
	savedKey
	sequence *engine.Sequence
	until    time.Time
}

// NewSaved keeps at most limit sequences; the one used least recently gives way.
func NewSaved(limit int) *Saved {
	return &Saved{limit: limit, byKey: map[savedKey]*list.Element{}, order: list.New(), gone: map[savedKey]bool{}}
}

// maxTTL bounds how long a sequence is kept, in seconds: a day.
const maxTTL = 24 * 60 * 60

// put keeps a fork of s for ttl seconds.
func (s *Saved) put(q *sequence, key string, ttl uint64) error {
	if s.limit < 1 {
		return errSaved
	}
	fork, err := q.Sequence.Fork()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := savedKey{q.model.Engine, key}
	s.drop(k)
	s.sweep()
	for s.order.Len() >= s.limit {
		s.evict(s.order.Back())
	}
	delete(s.gone, k)
	until := time.Now().Add(time.Duration(min(ttl, maxTTL)) * time.Second)
	s.byKey[k] = s.order.PushFront(&saved{k, fork, until})
	return nil
}

// take returns a fork of what was kept.
func (s *Saved) take(m *Model, key string) (*engine.Sequence, abi.Errno) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	k := savedKey{m.Engine, key}
	e, ok := s.byKey[k]
	switch {
	case !ok && s.gone[k]:
		return nil, abi.Evicted
	case !ok:
		return nil, abi.Noent
	}
	s.order.MoveToFront(e)
	fork, err := e.Value.(*saved).sequence.Fork()
	return fork, errnoOf(err)
}

// Close gives all sequences back.
func (s *Saved) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.order.Len() > 0 {
		s.evict(s.order.Back())
	}
}

// sweep drops what has expired. The caller holds the lock.
func (s *Saved) sweep() {
	now := time.Now()
	for e := s.order.Back(); e != nil; {
		before := e.Prev()
		if now.After(e.Value.(*saved).until) {
			s.evict(e)
		}
		e = before
	}
}

// maxGone bounds the keys that are remembered.
const maxGone = 4096

// evict drops a sequence, and remembers that it was there.
func (s *Saved) evict(e *list.Element) {
	k := e.Value.(*saved).savedKey
	s.drop(k)
	if len(s.gone) >= maxGone {
		clear(s.gone)
	}
	s.gone[k] = true
}

func (s *Saved) drop(k savedKey) {
	if e, ok := s.byKey[k]; ok {
		e.Value.(*saved).sequence.Close()
		s.order.Remove(e)
		delete(s.byKey, k)
	}
}
