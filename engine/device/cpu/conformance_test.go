package cpu_test

import (
	"testing"

	"github.com/realm-webgpu/realm/engine/device/conformance"
	"github.com/realm-webgpu/realm/engine/device/cpu"
	"github.com/realm-webgpu/realm/engine/device/cpu/simd"
)

// TestConformance runs the suite in plain Go and on the kernels of every
// instruction set that this processor has, on devices with a budget, so that its
// cases about memory apply.
func TestConformance(t *testing.T) {
	size := conformance.Full
	if testing.Short() {
		size = conformance.Small
	}
	options := cpu.Options{Budget: 1 << 30}
	run := func(name string, kernels simd.Kernels) {
		t.Run(name, func(t *testing.T) {
			d, err := cpu.NewWith(options, kernels)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			}()
			conformance.Run(t, d, size)
		})
	}
	run("exact", nil)
	all := simd.All()
	for _, kernels := range all {
		run(kernels.Name(), kernels)
	}
	if len(all) == 0 {
		t.Log("NOT TESTED: this build or this processor has no vector kernels")
	}
}
