package cpu_test

import (
	"testing"

	"github.com/realm-webgpu/realm/engine/device/conformance"
	"github.com/realm-webgpu/realm/engine/device/cpu"
)

// TestConformance runs the suite on a device with a budget, so that its cases
// about memory apply.
func TestConformance(t *testing.T) {
	d, err := cpu.New(cpu.Options{Budget: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	size := conformance.Full
	if testing.Short() {
		size = conformance.Small
	}
	conformance.Run(t, d, size)
}
