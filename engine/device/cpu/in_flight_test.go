package cpu_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu"
)

// TestChosenTokens decodes greedily with two steps in flight, where each takes
// its token from the one before, and by hand.
func TestChosenTokens(t *testing.T) {
	r := newRig(t, cpu.Options{})
	m := newTiny(r, 8)
	prompt, one := m.compile(8), m.compile(1)
	const n = 12
	start := func(page int32) int32 {
		step := sequenceStep(0, []int32{3, 1, 4}, []int32{page})
		step.Outputs = []int32{2}
		return r.run(prompt, step).Chosen[0]
	}
	want := []int32{start(0)}
	for i := range n {
		want = append(want, r.run(one, sequenceStep(3+i, want[i:], []int32{0})).Chosen[0])
	}

	got := []int32{start(1)}
	var result device.Result
	submit := func(i int) { r.check(one.Submit(sequenceStep(3+i, []int32{device.Chosen(0)}, []int32{1}))) }
	submit(0)
	for i := 1; i <= n; i++ {
		if i < n {
			submit(i)
		}
		r.check(one.Wait(&result))
		got = append(got, result.Chosen...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("in flight %v, by hand %v", got, want)
	}
	// A step of one row may take what an output past its own bucket chose.
	r.run(prompt, sequenceStep(0, []int32{3, 1, 4}, []int32{2}))
	if got := r.run(one, sequenceStep(3, []int32{device.Chosen(2)}, []int32{2})).Chosen[0]; got != want[1] {
		t.Errorf("output 2 of a larger bucket goes on with %d, want %d", got, want[1])
	}
}

// TestManyExecutables runs steps of several programs from several goroutines,
// over one cache and the same weights.
func TestManyExecutables(t *testing.T) {
	r := newRig(t, cpu.Options{Workers: 3})
	m := newTiny(r, 8)
	tokens := []int32{5, 8, 13, 21}
	want := r.run(m.compile(4), sequenceStep(0, tokens, []int32{7})).Logits
	var group sync.WaitGroup
	for page := range int32(4) {
		e := m.compile(8)
		group.Go(func() {
			var result device.Result
			for range 10 {
				for range device.InFlight {
					if err := e.Submit(sequenceStep(0, tokens, []int32{page})); err != nil {
						t.Error(err)
					}
				}
				for range device.InFlight {
					if err := e.Wait(&result); err != nil {
						t.Error(err)
					}
					if !slices.Equal(result.Logits, want) {
						t.Errorf("page %d: %v, want %v", page, result.Logits, want)
					}
				}
			}
			e.Release()
		})
	}
	group.Wait()
}

func TestInFlightLimits(t *testing.T) {
	r := newRig(t, cpu.Options{})
	m := newTiny(r, 8)
	e := m.compile(1)
	var result device.Result
	step := sequenceStep(0, []int32{1}, []int32{0})
	if err := e.Wait(&result); !errors.Is(err, device.ErrStep) {
		t.Errorf("wait for nothing: %v", err)
	}
	if err := e.Read(m.logits, 0, make([]float32, tinyVocab)); !errors.Is(err, device.ErrStep) {
		t.Errorf("read before the first step: %v", err)
	}
	for range device.InFlight {
		r.check(e.Submit(step))
	}
	if err := e.Submit(step); !errors.Is(err, device.ErrStep) {
		t.Errorf("submit one too many: %v", err)
	}
	r.check(e.Wait(&result))
	if err := e.Read(m.logits, 0, make([]float32, tinyVocab)); !errors.Is(err, device.ErrStep) {
		t.Errorf("read with a step in flight: %v", err)
	}
	r.check(e.Wait(&result))
	r.check(e.Read(m.logits, 0, make([]float32, tinyVocab)))
	for _, v := range []device.View{
		{Buffer: 0, Width: 4}, // of rows
		{Buffer: -1, Width: 4},
		{Buffer: 99, Width: 4},
		{Buffer: m.logits.Buffer, Offset: 48, Width: 8},
		{Buffer: m.logits.Buffer, Offset: -4, Width: 4},
		{Buffer: m.logits.Buffer, Width: -1},
	} {
		if err := e.Read(v, 0, make([]float32, max(0, v.Width))); !errors.Is(err, device.ErrStep) {
			t.Errorf("read of %+v: %v", v, err)
		}
	}
	if c := r.Counters(); c.Submits != 2 || c.Dispatches == 0 || c.Written == 0 || c.ReadBack == 0 {
		t.Errorf("counters after 2 steps: %+v", c)
	}
}
