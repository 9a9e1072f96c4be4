package conformance

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/sample"
)

func (x *pass) topK(o *device.TopK) {
	x.logits = &o.Logits
	for i := range x.step.Outputs {
		ids, logSumExp := rank(float32s(x.row(o.Logits, i)), o.K)
		x.result.Chosen = append(x.result.Chosen, ids[0])
		x.result.IDs = append(x.result.IDs, ids...)
		x.result.LogSumExp = append(x.result.LogSumExp, float32(logSumExp))
	}
}

func (x *pass) sample() {
	for i, s := range x.step.Samplers {
		x.result.Chosen[i] = newDraw(float32s(x.row(*x.logits, i)), s).nominal
	}
}

func float32s(row []float64) []float32 {
	out := make([]float32, len(row))
	for i, v := range row {
		out[i] = float32(v)
	}
	return out
}

// rank returns the k best ids of a row, best first, the lower id first among
// equals, and the logarithm of the sum of the exponentials of all of them.
func rank(logits []float32, k int) (ids []int32, logSumExp float64) {
	ids = make([]int32, len(logits))
	sum, best := 0.0, float64(slices.Max(logits))
	for i, v := range logits {
		ids[i] = int32(i)
		sum += math.Exp(float64(v) - best)
	}
	slices.SortFunc(ids, func(a, b int32) int {
		return cmp.Or(cmp.Compare(logits[b], logits[a]), cmp.Compare(a, b))
	})
	return ids[:k], best + math.Log(sum)
}

// draw is what package sample defines for one row and sampler, from the whole
// row: the ids that survive the filters, best first, with their probabilities.
type draw struct {
	ids     []int32
	shares  []float64
	u       float64 // the uniform number
	nominal int32   // what u draws
	// near is how far the nearest of all that had to be compared was from
	// falling out the other way, in probability or, for min_p, in logits.
	near float64
}

func newDraw(logits []float32, s device.Sampler) draw {
	ids, _ := rank(logits, len(logits))
	if s.Temperature == 0 {
		return draw{ids: ids[:1], shares: []float64{1}, nominal: ids[0], near: math.Inf(1)}
	}
	if s.TopK > 0 && int(s.TopK) < len(ids) {
		ids = ids[:s.TopK]
	}
	d := draw{u: float64(sample.Uniform(s.Seed, uint64(s.Position))), near: math.Inf(1)}
	d.shares = shares(logits, ids, 1)
	if s.TopP > 0 && s.TopP < 1 {
		if n := d.reach(float64(s.TopP)); n < len(ids) {
			ids = ids[:n+1]
		}
	}
	if s.MinP > 0 {
		floor := float64(logits[ids[0]]) + math.Log(float64(s.MinP))
		for i, id := range ids {
			d.near = min(d.near, math.Abs(float64(logits[id])-floor))
			if float64(logits[id]) < floor {
				ids = ids[:i]
				break
			}
		}
	}
	d.ids, d.shares = ids, shares(logits, ids, float64(s.Temperature))
	d.nominal = ids[min(d.reach(math.Nextafter(d.u, 1)), len(ids)-1)]
	return d
}

// reach returns the rank at which the sum of the shares comes to a goal.
func (d *draw) reach(goal float64) int {
	n, sum := len(d.shares), 0.0
	for i, p := range d.shares {
		sum += p
		d.near = min(d.near, math.Abs(sum-goal))
		if sum >= goal && n == len(d.shares) {
			n = i
		}
	}
	return n
}

// shares returns the probabilities of ids at a temperature.
func shares(logits []float32, ids []int32, temperature float64) []float64 {
	out := make([]float64, len(ids))
	for i, id := range ids {
		out[i] = float64(logits[id]) / temperature
	}
	softmax(out)
	return out
}

const (
	// drawTolerance is how far from a boundary between two tokens, in
	// probability, a device must be on the right side of it: the error of
	// exponentials and their sum in float32.
	drawTolerance = 1e-5
	// drawMargin is how near to a boundary a device may leave the draw to the
	// host, whose float64 is what decides. Package sample itself takes a
	// logsumexp to be off by up to 2^-12.
	drawMargin = 1e-3
)

// allows reports whether a device with rounding errors may choose id.
func (d *draw) allows(id int32) bool {
	sum := 0.0
	for i, p := range d.shares {
		if d.ids[i] == id && d.u >= sum-drawTolerance && d.u <= sum+p+drawTolerance {
			return true
		}
		sum += p
	}
	return id == d.nominal
}

// decided reports whether the k best of the row and its logsumexp say what is
// drawn, with some room for rounding, so that a device has no reason to pass.
func (d *draw) decided(s device.Sampler, k, vocabulary int) bool {
	switch {
	case d.near <= drawMargin:
		return false
	case s.Temperature == 0, k == vocabulary, s.TopK > 0 && int(s.TopK) <= k:
		return true
	case s.TopK > 0 && int(s.TopK) < vocabulary:
		return false // the mass of what is between k and TopK is not known
	case len(d.ids) < k:
		return true // the filters end among the candidates
	case len(d.ids) < vocabulary || s.Temperature != 1:
		return false
	}
	listed := 0.0
	for _, p := range d.shares[:k] {
		listed += p
	}
	return d.u < listed-drawMargin // nothing is filtered, and the draw ends among them
}

// checkChoice holds one row's part of a Result against the row of logits that
// it was made of. sampler is nil where the program has no Sample.
func checkChoice(logits []float32, k int, r *device.Result, i int, sampler *device.Sampler, lse *deviation) error {
	ids, logSumExp := rank(logits, k)
	for j, want := range ids {
		got, value := r.IDs[i*k+j], r.Logits[i*k+j]
		if got != want {
			return fmt.Errorf("output %d: candidate %d is %d, want %d", i, j, got, want)
		}
		if value != logits[want] {
			return fmt.Errorf("output %d: candidate %d has the logit %v, want %v of id %d", i, j, value, logits[want], want)
		}
	}
	lse.add(r.LogSumExp[i], logSumExp)
	chosen := r.Chosen[i]
	if sampler == nil {
		if chosen != ids[0] {
			return fmt.Errorf("output %d: chosen is %d, want the best, %d", i, chosen, ids[0])
		}
		return nil
	}
	d := newDraw(logits, *sampler)
	switch {
	case chosen == device.NoChoice:
		if d.decided(*sampler, k, len(logits)) {
			return fmt.Errorf("output %d: chosen is NoChoice, but %+v is decided by the %d candidates: %d", i, *sampler, k, d.nominal)
		}
	case !d.allows(chosen):
		return fmt.Errorf("output %d: chosen is %d, but %+v draws %d (u = %v)", i, chosen, *sampler, d.nominal, d.u)
	case !slices.Contains(ids, chosen):
		return fmt.Errorf("output %d: chosen is %d, which is not among the %d candidates", i, chosen, k)
	}
	return nil
}
