package webgpu

import (
	"errors"
	"os"
	"testing"

	"github.com/realm-webgpu/realm/engine/device/conformance"
)

// openTest opens the best adapter. Without one the test is skipped, loudly,
// or fails where REALM_REQUIRE_GPU is set.
func openTest(t testing.TB, o Options) *Device {
	t.Helper()
	d, err := Open(o)
	if err != nil {
		if os.Getenv("REALM_REQUIRE_GPU") != "" {
			t.Fatalf("REALM_REQUIRE_GPU is set: %v", err)
		}
		t.Skipf("NOT TESTED, there is no WebGPU adapter (Debian: apt install mesa-vulkan-drivers): %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// TestConformance runs the suite on the best adapter there is, small on one
// that computes on the CPU.
func TestConformance(t *testing.T) {
	d := openTest(t, Options{})
	size := conformance.Full
	if d.Info().Software {
		size = conformance.Small
	}
	conformance.Run(t, d, size)
}

// TestConformanceSplit runs the products with a limit that splits them.
func TestConformanceSplit(t *testing.T) {
	d := openTest(t, Options{MaxBinding: 1 << 20})
	for _, c := range conformance.Cases(conformance.Small) {
		if c.Name == "matmul/split" {
			if outcome, err := c.Run(t.Context(), d); err != nil {
				t.Error(err)
			} else {
				t.Logf("%+v", outcome)
			}
			return
		}
	}
	t.Fatal("the suite has no case matmul/split")
}

// TestConformanceSlices runs the products the way that GPUs do, whatever the
// adapter: the sum over k shared by the threads of a workgroup.
func TestConformanceSlices(t *testing.T) {
	d := openTest(t, Options{Tuning: defaults(ClassDiscrete)})
	for _, c := range conformance.Cases(conformance.Small) {
		if c.Op != "matmul" && c.Op != "invariance" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			if outcome, err := c.Run(t.Context(), d); err != nil && !errors.Is(err, conformance.ErrSkip) {
				t.Errorf("%v (%+v)", err, outcome)
			}
		})
	}
}
