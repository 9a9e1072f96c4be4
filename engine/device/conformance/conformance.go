// Package conformance is the suite that every compute backend passes: each
// operation of package device on each format of package quant over awkward
// shapes, the promise of the same text every time, and the small print of the
// contract.
//
// What a device computes is held against a reference that interprets the same
// [device.Program] in float64, straight from the definitions in program.go,
// with the values that the bytes of a weight stand for (quant.Decode). The
// distance is the normalised mean square error
//
//	NMSE(a, b) = sum (a-b)² / sum b²
//
// of one result of one step, and every result has a bound of its own
// (bounds.go); ids, counts and copies are exact.
//
// Tests call [Run]. A command or a page calls [Verify], or goes through [Cases]
// itself. All data is made from fixed seeds, so a device that passes once
// passes always.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/realm-webgpu/realm/engine/device"
)

// ErrSkip is wrapped by the error of a case that does not apply to a device,
// with the reason. Every other error is a failure.
var ErrSkip = errors.New("skipped")

// Size is how much of each shape, bucket and length is tried. Both sizes have
// every operation, and every format in those that any model has. Small has one
// format of each size of blocks in EmbedPosition and Experts, whose kernels are
// no other codecs but many more to compile.
type Size int

// The sizes.
const (
	Small Size = iota // for adapters that compute on the CPU, and for pages
	Full
)

// Case is one entry of the suite.
type Case struct {
	Name   string // "matmul/Q4_K", unique
	Op     string // "matmul"
	Format string // "Q4_K"; empty where the case is not about one
	run    func(*lab)
}

// Outcome is how near a device came to the reference: the result of the case
// that is nearest to its bound, or past it. A case of exact results only has
// zeros here.
type Outcome struct {
	Result string  // which one: "rows=8 step of 5: k544"
	NMSE   float64 // of that result
	Bound  float64 // that NMSE may not pass
}

// Run tries the case on d and gives back all that it took from it. It fails on
// the first result that is wrong, with an error that says which.
func (c Case) Run(ctx context.Context, d device.Device) (Outcome, error) {
	l := newLab(ctx, d)
	c.run(l)
	l.close()
	if l.err != nil {
		return l.worst, fmt.Errorf("conformance: %s: %w", c.Name, l.err)
	}
	return l.worst, nil
}

// Cases returns the suite in the order in which it is best run: operations by
// themselves first, then what is made of them.
func Cases(size Size) []Case {
	var all []Case
	for _, family := range []func(Size) []Case{
		embedCases, matmulCases, normCases, elementwiseCases, expertsCases, ropeCases, attentionCases,
		topKCases, sampleCases, cacheCases, storageCases, adapterCases, contractCases, invarianceCases,
	} {
		all = append(all, family(size)...)
	}
	return all
}

// Report is what became of one case, as it is written in JSON.
type Report struct {
	Name    string  `json:"name"`
	Op      string  `json:"op"`
	Format  string  `json:"format,omitempty"`
	Passed  bool    `json:"passed"`
	Skipped string  `json:"skipped,omitempty"` // why it does not apply
	Error   string  `json:"error,omitempty"`   // why it failed
	Result  string  `json:"result,omitempty"`  // the result nearest to its bound
	NMSE    float64 `json:"nmse"`              // of that result; -1: not a finite number
	Bound   float64 `json:"bound"`
	Seconds float64 `json:"seconds"`
}

// Verify runs the cases one after the other and yields a report of each, until
// the context is done or the caller has seen enough.
func Verify(ctx context.Context, d device.Device, size Size) iter.Seq[Report] {
	return func(yield func(Report) bool) {
		for _, c := range Cases(size) {
			if ctx.Err() != nil || !yield(c.report(ctx, d)) {
				return
			}
		}
	}
}

func (c Case) report(ctx context.Context, d device.Device) Report {
	start := time.Now()
	outcome, err := c.Run(ctx, d)
	r := Report{
		Name: c.Name, Op: c.Op, Format: c.Format,
		Result: outcome.Result, NMSE: outcome.NMSE, Bound: outcome.Bound,
		Seconds: time.Since(start).Seconds(),
	}
	if !(r.NMSE <= maxJSON) {
		r.NMSE = -1
	}
	switch {
	case err == nil:
		r.Passed = true
	case errors.Is(err, ErrSkip):
		r.Skipped = err.Error()
	default:
		r.Error = err.Error()
	}
	return r
}

// maxJSON keeps NaN and infinities, which JSON does not have, out of a Report.
const maxJSON = 1e300
