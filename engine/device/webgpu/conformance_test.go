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
	runSome(t, Options{MaxBinding: 1 << 20}, func(c conformance.Case) bool {
		return c.Name == "matmul/split" || c.Name == "experts/split"
	})
}

// TestConformanceSlices runs the products the way that GPUs do, whatever the
// adapter: the sum over k shared by the threads of a workgroup. Short, it has one
// format: how codecs and sums go together is no more than that.
func TestConformanceSlices(t *testing.T) {
	runSome(t, Options{Tuning: defaults(ClassDiscrete)}, func(c conformance.Case) bool {
		return (c.Op == "matmul" || c.Op == "block" || c.Op == "experts") && (!testing.Short() || c.Format == "" || c.Format == "Q4_K")
	})
}

// TestConformanceBudget runs the contract on a device that has a budget.
func TestConformanceBudget(t *testing.T) {
	runSome(t, Options{Budget: 256 << 20}, func(c conformance.Case) bool { return c.Name == "contract/budget" })
}

// runSome runs some of the suite's cases; none at all is a failure.
func runSome(t *testing.T, o Options, want func(conformance.Case) bool) {
	d := openTest(t, o)
	ran := 0
	for _, c := range conformance.Cases(conformance.Small) {
		if !want(c) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			outcome, err := c.Run(t.Context(), d)
			switch {
			case errors.Is(err, conformance.ErrSkip) && c.Op != "contract":
				t.Logf("skipped: %v", err)
			case err != nil:
				t.Errorf("%v (%+v)", err, outcome)
			}
		})
		ran++
	}
	if ran == 0 {
		t.Fatal("the suite has no such case")
	}
}
