package service

import (
	"maps"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
)

// Snapshot is the state of a service, for metrics and health.
type Snapshot struct {
	Device           device.Info
	Memory           engine.Usage // what is taken on the device, and the bounds
	Running, Waiting int          // runs of the engine
	Answers          int          // calls that have been let in and have not ended
	Models           []ModelState
	Totals           engine.Totals // of the scheduler
	Accepted         int64         // drafted tokens that were chosen, ever
	Proposed         int64         // drafted tokens, ever
}

// ModelState is the state of a model that is loaded.
type ModelState struct {
	Name     string
	Context  int
	Cache    engine.CacheUsage
	Leases   int            // requests that hold it
	Adapters map[string]int // of those, the ones that use each adapter
}

// totals are counted over all calls.
type totals struct{ accepted, proposed int64 }

func (t *totals) add(r Result) {
	t.accepted += int64(r.Usage.Accepted)
	t.proposed += int64(r.Usage.Proposed)
}

// Snapshot returns the state now.
func (s *Service) Snapshot() Snapshot {
	e := s.options.Engine
	x := Snapshot{Device: e.Device(), Memory: e.Usage(), Totals: e.Totals()}
	x.Running, x.Waiting = e.Runs()
	s.mu.Lock()
	x.Answers = len(s.answers)
	x.Accepted, x.Proposed = s.totals.accepted, s.totals.proposed
	s.mu.Unlock()
	s.models.mu.Lock()
	defer s.models.mu.Unlock()
	there := s.models.library.Models()
	for _, m := range s.models.order {
		if on := m.onDevice(there); on != nil {
			x.Models = append(x.Models, ModelState{
				Name: m.spec.Name, Context: on.Context(), Cache: on.CacheUsage(), Leases: m.leases, Adapters: maps.Clone(m.users),
			})
		}
	}
	return x
}
