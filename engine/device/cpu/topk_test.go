package cpu_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu"
	"github.com/realm-webgpu/realm/engine/sample"
)

// logitsProgram returns a program whose row i has the logits x[i].
func logitsProgram(r *rig, x [][]float32, ops ...device.Op) (device.Executable, device.View) {
	p := program(8)
	logits := output(p, r.input(p, x))
	for _, op := range ops {
		if o, ok := op.(*device.TopK); ok {
			o.Logits = logits
		}
	}
	p.Add(ops...)
	return r.compile(p), logits
}

func TestTopK(t *testing.T) {
	r := newRig(t, cpu.Options{})
	x := r.normal(4, 200)
	for j := range x[1] {
		x[1][j] = float32(j % 3) // ties
	}
	for j := range x[2] {
		x[2][j] = -1e4 * float32(j+1)
	}
	x[3][0], x[3][1], x[3][2] = 0, float32(math.Copysign(0, -1)), 80
	for _, k := range []int{1, 2, 7, device.MaxTopK} {
		e, _ := logitsProgram(r, x, &device.TopK{K: k})
		result := r.run(e, plainStep(len(x)))
		var ids, chosen []int32
		var logits, sums []float32
		for _, row := range x {
			order := count(len(row))
			slices.SortStableFunc(order, func(a, b int32) int {
				switch {
				case row[a] > row[b]:
					return -1
				case row[a] < row[b]:
					return 1
				}
				return 0
			})
			ids, chosen = append(ids, order[:k]...), append(chosen, order[0])
			sum := 0.0
			for _, v := range row {
				sum += math.Exp(float64(v - row[order[0]]))
			}
			sums = append(sums, float32(float64(row[order[0]])+math.Log(sum)))
			for _, id := range order[:k] {
				logits = append(logits, row[id])
			}
		}
		if !slices.Equal(result.IDs, ids) || !slices.Equal(result.Chosen, chosen) {
			t.Errorf("K %d: ids %v and %v, want %v and %v", k, result.IDs, result.Chosen, ids, chosen)
		}
		same(t, fmt.Sprintf("K %d: logits", k), result.Logits, logits)
		near(t, fmt.Sprintf("K %d: logsumexp", k), [][]float32{result.LogSumExp}, wide([][]float32{sums}), 1e-7)
	}
}

// TestSample compares draws from candidates with those of package sample from
// whole rows.
func TestSample(t *testing.T) {
	r := newRig(t, cpu.Options{})
	x := r.normal(8, 64)
	for i := range x {
		for j := range x[i] {
			x[i][j] *= 3
		}
	}
	e, _ := logitsProgram(r, x, &device.TopK{K: 16}, &device.Sample{})
	drawn, left := 0, 0
	for round := range 40 {
		step := plainStep(len(x))
		for i := range x {
			step.Samplers = append(step.Samplers, []device.Sampler{
				{},
				{Temperature: 1, TopK: 10},
				{Temperature: 0.8, TopP: 0.9},
				{Temperature: 1.2, MinP: 0.1},
				{Temperature: 2, TopK: 12, TopP: 0.95, MinP: 0.05},
				{Temperature: 5}, // nothing is cut: often past the candidates
			}[(i+round)%6])
			step.Samplers[i].Seed, step.Samplers[i].Position = uint64(i/2), uint32(100+round)
		}
		result := r.run(e, step)
		for i, s := range step.Samplers {
			sampler := must(sample.New(sample.Spec{Temperature: s.Temperature, TopK: int(s.TopK), TopP: s.TopP, MinP: s.MinP, Seed: s.Seed}, 64, nil))
			want, _, err := sampler.Row(x[i], nil, uint64(s.Position))
			r.check(err)
			switch result.Chosen[i] {
			case want:
				drawn++
			case device.NoChoice:
				left++
				if s.Temperature < 5 && s.TopK > 0 {
					t.Errorf("round %d, row %d: %+v stays within the candidates, but has no choice", round, i, s)
				}
			default:
				t.Errorf("round %d, row %d: %+v chose %d, want %d", round, i, s, result.Chosen[i], want)
			}
		}
	}
	if drawn == 0 || left == 0 {
		t.Errorf("%d draws were finished and %d were not: the test wants some of both", drawn, left)
	}
}

// TestNotFinite makes every number of a model NaN or infinite: steps end, ids
// are in the vocabulary, and a draw leaves the row to the host.
func TestNotFinite(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, bad := range []float32{float32(math.NaN()), inf, -inf} {
		r := newRig(t, cpu.Options{})
		m := newTiny(r, 8)
		m.sampled = true
		for i := range m.layers {
			values := make([]float32, (tinyHeads+2*tinyKV)*tinyDim)
			for j := range values {
				values[j] = bad
			}
			m.layers[i].bias = r.vector(values)
		}
		e := m.compile(4)
		step := sequenceStep(0, []int32{1, 2}, []int32{0})
		step.Samplers = []device.Sampler{{}, {Temperature: 1, TopP: 0.9}}
		result := r.run(e, step)
		for _, id := range result.IDs {
			if id < 0 || id >= tinyVocab {
				t.Errorf("%v: candidate %d of %d", bad, id, tinyVocab)
			}
		}
		if !slices.Equal(result.Chosen, []int32{device.NoChoice, device.NoChoice}) {
			t.Errorf("%v: chose %v from logits %v", bad, result.Chosen, result.Logits)
		}
		// What follows on the device has a token all the same.
		step = sequenceStep(2, []int32{device.Chosen(0)}, []int32{0})
		step.Samplers = []device.Sampler{{Temperature: float32(math.NaN())}}
		if got := r.run(e, step).Chosen[0]; got != device.NoChoice {
			t.Errorf("%v: a temperature that is no number chose %d", bad, got)
		}
	}
}

func TestSampleNeedsSamplers(t *testing.T) {
	r := newRig(t, cpu.Options{})
	e, _ := logitsProgram(r, r.normal(2, 8), &device.TopK{K: 2}, &device.Sample{})
	if err := e.Submit(plainStep(2)); !errors.Is(err, device.ErrStep) {
		t.Errorf("no samplers: %v", err)
	}
}
