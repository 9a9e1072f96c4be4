package conformance

import (
	"errors"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
)

// Run runs the suite on d, a subtest for each case. Cases that do not apply to
// the device are skipped with the reason.
func Run(t *testing.T, d device.Device, size Size) {
	info := d.Info()
	t.Logf("%s: %s (%s), class %q, software %v", info.Backend, info.Name, info.Driver, info.Class, info.Software)
	for _, c := range Cases(size) {
		t.Run(c.Name, func(t *testing.T) {
			outcome, err := c.Run(t.Context(), d)
			switch {
			case errors.Is(err, ErrSkip):
				t.Skip(err)
			case err != nil:
				t.Error(err)
			}
			if outcome.Result != "" {
				t.Logf("NMSE %.2g of at most %.2g: %s", outcome.NMSE, outcome.Bound, outcome.Result)
			}
		})
	}
}
