package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/lora"
)

// AdapterBudget bounds the memory of the adapters of all models of a device.
type AdapterBudget struct {
	mu          sync.Mutex
	limit, used int64
}

// NewAdapterBudget returns a bound in bytes; 0: there is none.
func NewAdapterBudget(limit int64) *AdapterBudget { return &AdapterBudget{limit: limit} }

// State returns the bytes that banks take now, and the bound.
func (b *AdapterBudget) State() (used, limit int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used, b.limit
}

// change makes from bytes of banks to bytes. It fails with a device.MemoryError.
func (b *AdapterBudget) change(from, to int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if others := b.used - from; b.limit > 0 && to > b.limit-others {
		return &device.MemoryError{Kind: device.KindAdapters, Name: "banks of adapters", Need: to, Used: others, Budget: b.limit}
	}
	b.used += to - from
	return nil
}

// Adapters are the adapters of a model that are on its device. Each is there once,
// whoever uses it. One that nobody uses stays as long as there is room, and gives
// way to others, the one that was used the longest ago first.
type Adapters struct {
	budget *AdapterBudget
	sites  []*matrix
	of     map[string]adapted
	// install calls f while nothing is in flight and no program has banks, and has
	// programs be made with the banks that it returns.
	install func(ctx context.Context, f func() (*Banks, error)) error
	clock   atomic.Uint64

	mu     sync.Mutex
	device device.Device
	closed bool
	plan   bankPlan
	banks  *Banks  // nil: there are none
	slots  []*Slot // [plan.slots], nil where there is none
}

// Slot is an adapter on the device, and its place in the banks.
type Slot struct {
	adapters *Adapters
	index    int32
	fitted   *lora.Fitted
	users    atomic.Int32
	used     atomic.Uint64 // when it had its last user
}

// AdapterUsage says what adapters of a model take.
type AdapterUsage struct {
	Loaded int   // on the device
	Used   int   // of those, the ones that somebody holds
	Slots  int   // that there are
	Bytes  int64 // of all slots
}

// NewAdapters returns an empty set. install is called by Load, from its goroutine,
// where banks have to be made anew: it calls its function while no step is in
// flight and no program has banks, and has programs be made with those that the
// function returns.
func (m *Model) NewAdapters(d device.Device, b *AdapterBudget, install func(ctx context.Context, f func() (*Banks, error)) error) *Adapters {
	s := &Adapters{budget: b, device: d, install: install}
	s.sites, s.of = m.tensors.sites()
	return s
}

// Load puts an adapter that fits the model on the device, and holds it until
// Release. One that is there already is shared. Errors: a device.MemoryError where
// there is no room, those of the device, and ctx.Err().
func (s *Adapters) Load(ctx context.Context, f *lora.Fitted) (*Slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot, err := s.load(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("model: adapter: %w", err)
	}
	return slot, nil
}

// Find returns the adapter of a hash and holds it, nil where it is not on the device.
func (s *Adapters) Find(hash [32]byte) *Slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(hash)
}

func (s *Adapters) find(hash [32]byte) *Slot {
	for _, slot := range s.slots {
		if slot != nil && slot.fitted.Hash == hash {
			slot.users.Add(1)
			return slot
		}
	}
	return nil
}

func (s *Adapters) load(ctx context.Context, f *lora.Fitted) (*Slot, error) {
	if s.closed {
		return nil, fmt.Errorf("model: %w", device.ErrClosed)
	}
	if slot := s.find(f.Hash); slot != nil {
		return slot, nil
	}
	ranks := s.ranks(f)
	covered := s.banks != nil && s.plan.covers(ranks)
	if i := slices.Index(s.slots, nil); covered && i >= 0 {
		return s.put(i, f)
	}
	// More slots, or larger ones; and where there is no memory for them, those of
	// adapters that nobody uses.
	wanted := s.grown(ranks)
	err := s.remake(ctx, wanted)
	if fewer := len(s.slots) + 1; errors.Is(err, device.ErrMemory) && wanted.slots > fewer {
		wanted.slots = fewer
		err = s.remake(ctx, wanted)
	}
	if errors.Is(err, device.ErrMemory) {
		if i := s.idle(); covered && i >= 0 {
			return s.put(i, f)
		}
		if packed, dropped := s.packed(ranks); dropped {
			err = s.remake(ctx, packed)
		}
	}
	if err != nil {
		return nil, err
	}
	if i := slices.Index(s.slots, nil); i >= 0 {
		return s.put(i, f)
	}
	return s.put(s.idle(), f)
}

// ranks returns what an adapter needs of each site: its rank, padded.
func (s *Adapters) ranks(f *lora.Fitted) []int {
	ranks := make([]int, len(s.sites))
	for i := range f.Deltas {
		d := &f.Deltas[i]
		site := s.of[d.Tensor].site
		ranks[site] = max(ranks[site], (d.Rank+3)&^3)
	}
	return ranks
}

// grown returns a plan for all that is there and an adapter of these ranks, with
// as many slots again, so that banks are seldom made anew.
func (s *Adapters) grown(ranks []int) bankPlan {
	p := bankPlan{slots: len(s.slots), ranks: slices.Clone(ranks)}
	for i, r := range s.plan.ranks {
		p.ranks[i] = max(p.ranks[i], r)
	}
	if !slices.Contains(s.slots, nil) {
		p.slots = max(1, 2*len(s.slots))
	}
	return p
}

// packed returns the smallest plan for the adapters that are in use and one more,
// and whether that leaves anything out that is there.
func (s *Adapters) packed(ranks []int) (p bankPlan, dropped bool) {
	p.ranks = slices.Clone(ranks)
	free := false
	for i, slot := range s.slots {
		switch {
		case slot == nil || slot.users.Load() == 0:
			dropped = dropped || slot != nil
			if !free {
				free, p.slots = true, max(p.slots, i+1)
			}
		default:
			p.slots = max(p.slots, i+1)
			for site, r := range s.ranks(slot.fitted) {
				p.ranks[site] = max(p.ranks[site], r)
			}
		}
	}
	if !free {
		p.slots++
	}
	return p, dropped || s.banks != nil && p.bytes(s.sites) < s.plan.bytes(s.sites)
}

// idle returns the slot of the adapter that nobody uses and that was used the
// longest ago, -1 where there is none.
func (s *Adapters) idle() int {
	best := -1
	for i, slot := range s.slots {
		if slot != nil && slot.users.Load() == 0 && (best < 0 || slot.used.Load() < s.slots[best].used.Load()) {
			best = i
		}
	}
	return best
}

// put writes an adapter into a slot that is free, or whose adapter nobody uses.
func (s *Adapters) put(i int, f *lora.Fitted) (*Slot, error) {
	s.slots[i] = nil
	if err := s.banks.write(i, f, s.of); err != nil {
		return nil, err
	}
	slot := &Slot{adapters: s, index: int32(i), fitted: f}
	slot.users.Store(1)
	s.slots[i] = slot
	return slot, nil
}

// remake makes the banks anew. Adapters keep their places; those that nobody uses
// and that have no room are gone.
func (s *Adapters) remake(ctx context.Context, p bankPlan) error {
	if most := s.device.Info().MaxBinding; p.largest(s.sites) > most {
		return &device.MemoryError{Kind: device.KindAdapters, Name: "the adapters of one matrix, in one binding", Need: p.largest(s.sites), Budget: most}
	}
	before, after := int64(0), p.bytes(s.sites)
	if s.banks != nil {
		before = s.plan.bytes(s.sites)
	}
	if err := s.budget.change(before, after); err != nil {
		return err
	}
	err := s.install(ctx, func() (*Banks, error) {
		kept := s.kept(p)
		made, err := s.replace(p, kept)
		if err == nil {
			s.plan, s.slots = p, kept
			return made, nil
		}
		if before == 0 {
			return nil, err
		}
		// Those that were there take no more than before.
		back, lost := s.replace(s.plan, s.slots)
		if lost != nil {
			err = errors.Join(err, fmt.Errorf("and those that were there are lost: %w", lost))
		}
		return back, err
	})
	if err == nil {
		return nil
	}
	// Less than before is always within the bound.
	now := int64(0)
	if s.banks != nil {
		now = s.plan.bytes(s.sites)
	}
	s.budget.forced(after, now)
	return err
}

// forced is change for what there is already.
func (b *AdapterBudget) forced(from, to int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += to - from
}

// kept returns the slots of a plan: the adapters that have a place in it.
func (s *Adapters) kept(p bankPlan) []*Slot {
	kept := make([]*Slot, p.slots)
	for i, slot := range s.slots {
		if slot != nil && i < p.slots && (slot.users.Load() > 0 || p.covers(s.ranks(slot.fitted))) {
			kept[i] = slot
		}
	}
	return kept
}

// replace releases the banks, and makes those of a plan with the adapters of slots.
func (s *Adapters) replace(p bankPlan, slots []*Slot) (*Banks, error) {
	if s.banks != nil {
		s.banks.release()
		s.banks = nil
	}
	made, err := newBanks(s.device, s.sites, p)
	if err != nil {
		return nil, err
	}
	for i, slot := range slots {
		if slot != nil && err == nil {
			err = made.write(i, slot.fitted, s.of)
		}
	}
	if err != nil {
		made.release()
		return nil, err
	}
	s.banks = made
	return made, nil
}

// Usage returns what the adapters take now.
func (s *Adapters) Usage() AdapterUsage {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := AdapterUsage{Slots: len(s.slots)}
	if s.banks != nil {
		u.Bytes = s.plan.bytes(s.sites)
	}
	for _, slot := range s.slots {
		if slot != nil {
			u.Loaded++
			if slot.users.Load() > 0 {
				u.Used++
			}
		}
	}
	return u
}

// Restore makes the banks anew on another device, after the one that they were on
// was lost, and returns them: nil where there were none. Programs of the old ones
// are gone by then.
func (s *Adapters) Restore(d device.Device) (*Banks, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.device = d
	before := int64(0)
	if s.banks != nil {
		before = s.plan.bytes(s.sites)
	}
	if s.closed || before == 0 && !slices.ContainsFunc(s.slots, func(slot *Slot) bool { return slot != nil }) {
		return nil, nil
	}
	made, err := s.replace(s.plan, s.slots)
	after := int64(0)
	if err == nil {
		after = s.plan.bytes(s.sites)
	}
	s.budget.forced(before, after)
	return made, err
}

// Close gives the memory back. Programs with banks are gone by then.
func (s *Adapters) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	if s.banks != nil {
		s.budget.forced(s.plan.bytes(s.sites), 0)
		s.banks.release()
		s.banks = nil
	}
	s.slots = nil
}

// Index returns the slot's place in the banks, for Step.Adapters.
func (s *Slot) Index() int32 { return s.index }

// Hash returns the hash of the adapter.
func (s *Slot) Hash() [32]byte { return s.fitted.Hash }

// Hold makes one more user of an adapter that has some. It fails where nobody has
// it any more.
func (s *Slot) Hold() bool {
	for {
		n := s.users.Load()
		if n == 0 {
			return false
		}
		if s.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release ends the use that Load, Find or Hold began.
func (s *Slot) Release() {
	s.used.Store(s.adapters.clock.Add(1))
	s.users.Add(-1)
}
