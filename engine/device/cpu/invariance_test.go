package cpu_test

import (
	"fmt"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu"
)

// TestSameTextEveryTime cuts a prompt into steps of several sizes, in buckets
// of several sizes, beside another sequence or not, with one worker or three:
// the logits of every position are the same to the bit.
func TestSameTextEveryTime(t *testing.T) {
	const n = 40 // past one page
	var want [][]float32
	for _, workers := range []int{1, 3} {
		r := newRig(t, cpu.Options{Workers: workers})
		tokens := make([]int32, n)
		for i := range tokens {
			tokens[i] = r.random.Int32N(tinyVocab)
		}
		m := newTiny(r, 8)
		if want == nil {
			e := m.compile(64)
			r.run(e, sequenceStep(0, tokens, []int32{0, 1}))
			want = r.read(e, m.logits, n)
		}
		for _, test := range []struct {
			bucket, chunk int
			beside        bool
		}{{1, 1, false}, {2, 1, true}, {8, 3, false}, {8, 7, true}, {16, 16, false}, {64, 32, true}, {64, 40, false}} {
			name := fmt.Sprintf("%d workers, bucket %d, chunks of %d, beside another %v", workers, test.bucket, test.chunk, test.beside)
			e := m.compile(test.bucket)
			for at := 0; at < n; at += test.chunk {
				chunk := tokens[at:min(at+test.chunk, n)]
				step := sequenceStep(at, chunk, []int32{7, 2})
				if test.beside { // in row 0, so that all others move
					step.Tokens = append([]int32{int32(at)}, step.Tokens...)
					step.Positions = append([]int32{0}, step.Positions...)
					step.Sequences = append([]int32{1}, step.Sequences...)
					step.BlockTables = append(step.BlockTables, []int32{4})
					step.Lengths = append(step.Lengths, 1)
					for i := range step.Outputs {
						step.Outputs[i]++
					}
				}
				r.run(e, step)
				for i, row := range r.read(e, m.logits, len(chunk)) {
					same(t, fmt.Sprintf("%s: position %d", name, at+i), row, want[at+i])
				}
			}
			e.Release()
		}
	}
}

// TestStepAllocatesNothing holds submit, run and wait to no allocation, draws
// included.
func TestStepAllocatesNothing(t *testing.T) {
	r := newRig(t, cpu.Options{Workers: 2})
	m := newTiny(r, 8)
	m.sampled = true
	e := m.compile(4)
	step := sequenceStep(0, []int32{1, 2, 3}, []int32{0})
	step.Samplers = make([]device.Sampler, 3)
	for i := range step.Samplers {
		step.Samplers[i] = device.Sampler{Temperature: 1, TopK: 5, Seed: 7, Position: uint32(i)}
	}
	var result device.Result
	allocations := testing.AllocsPerRun(20, func() {
		r.check(e.Submit(step))
		r.check(e.Wait(&result))
	})
	if allocations != 0 {
		t.Errorf("a step makes %v allocations", allocations)
	}
}
