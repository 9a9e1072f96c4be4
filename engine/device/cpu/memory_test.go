package cpu_test

import (
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu"
)

// TestMemoryComesBackAtOnce releases what a step has used when that step was waited for,
// and nothing else is in flight.
func TestMemoryComesBackAtOnce(t *testing.T) {
	r := newRig(t, cpu.Options{Workers: 2})
	m := newTiny(r, 8)
	before := r.Memory()
	var result device.Result
	for i := range 300 {
		e := m.compile(1)
		r.check(e.Submit(sequenceStep(0, []int32{1}, []int32{0})))
		r.check(e.Wait(&result))
		e.Release()
		if after := r.Memory(); after != before {
			t.Fatalf("after %d steps memory in use is %v, and was %v", i+1, after, before)
		}
	}
}
