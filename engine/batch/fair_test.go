package batch

import (
	"slices"
	"testing"
	"time"
)

// TestRideAlong puts steps together of a tenant with 4 texts and one with 32 that has
// received more: how many rows of the latter are in them is a matter of what rows cost.
func TestRideAlong(t *testing.T) {
	const quiet, flood = 4, 32
	for _, c := range []struct {
		name       string
		base, each time.Duration
		ahead      float64 // of the flooding tenant's counter
		want       int     // its rows
	}{
		{"as much received", time.Millisecond, 10 * time.Millisecond, leeway, flood},
		// 2.5 times the 41 ms of four rows are 102 ms: ten rows.
		{"rows are what costs", time.Millisecond, 10 * time.Millisecond, leeway + 1, 10 - quiet},
		{"steps are what costs", 100 * time.Millisecond, time.Millisecond, leeway + 1, flood},
		{"nobody notices", 0, 100 * time.Microsecond, leeway + 1, flood},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &Model{chunk: 64, context: 100}
			m.cost.learn(c.base, c.each, 1, 8, 64)
			few, many := &Tenant{}, &Tenant{counter: c.ahead}
			s := &Scheduler{}
			for i := range quiet + flood {
				owner := few
				if i >= quiet {
					owner = many
				}
				q := &Sequence{model: m, tokens: make([]int32, 5), read: 4}
				s.running = append(s.running, &Run{
					number: uint64(i), model: m, sequence: q, tenant: owner, state: running, limit: 9, slots: make([]Output, 4),
				})
			}
			slices.SortFunc(s.running, before)
			if _, ok := s.fill(m); !ok {
				t.Fatal("there is no step")
			}
			rows := map[*Tenant]int{}
			for _, e := range s.entries {
				rows[e.run.tenant] += e.to - e.from
			}
			if rows[few] != quiet || rows[many] != c.want {
				t.Errorf("%d rows of the one who is owed service and %d of the other, want %d and %d", rows[few], rows[many], quiet, c.want)
			}
		})
	}
}
