package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// lab is a device with the reference beside it: what is made on one is made on
// the other. The first error stops all that follows, so that the text of a
// case can be plain: after it, methods return zero values and do nothing.
type lab struct {
	ctx   context.Context
	dev   device.Device
	info  device.Info
	ref   *reference
	err   error
	worst Outcome

	made []interface{ Release() }
	// seen has the bits of rows that must come out the same whenever they are
	// computed, with where they were first.
	seen map[string]sighting
}

type sighting struct {
	where string
	row   []float32
}

func newLab(ctx context.Context, d device.Device) *lab {
	return &lab{
		ctx: ctx, dev: d, info: d.Info(),
		ref:  &reference{weights: map[device.Weights]*tensor{}, caches: map[device.Cache]*store{}, storages: map[device.Storage][]float64{}},
		seen: map[string]sighting{},
	}
}

// close gives back what the case took, last first.
func (l *lab) close() {
	for _, m := range slices.Backward(l.made) {
		m.Release()
	}
	l.made = nil
}

// fail keeps the first error.
func (l *lab) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf(format, args...)
	}
}

// skip ends a case that does not apply to the device.
func (l *lab) skip(format string, args ...any) {
	l.fail("%w: %s", ErrSkip, fmt.Sprintf(format, args...))
}

// require fails with what is wanted unless ok.
func (l *lab) require(ok bool, format string, args ...any) {
	if !ok {
		l.fail(format, args...)
	}
}

// measure takes note of a result, and fails if it is past its bound.
func (l *lab) measure(result string, nmse, bound float64) {
	good := nmse <= bound // false for a NaN
	if l.err != nil || good && bound == boundExact {
		return
	}
	if !good || l.worst.Bound == 0 || nmse/bound >= l.worst.NMSE/l.worst.Bound {
		l.worst = Outcome{result, nmse, bound}
	}
	if !good {
		l.fail("%s: NMSE %.3g is over %.3g", result, nmse, bound)
	}
}

// same fails if a row is not, bit for bit, what it was when it was last
// computed under this key.
func (l *lab) same(key, where string, row []float32) {
	before, ok := l.seen[key]
	if !ok {
		l.seen[key] = sighting{where, slices.Clone(row)}
		return
	}
	for i, v := range row {
		if math.Float32bits(v) != math.Float32bits(before.row[i]) {
			l.fail("%s: %s: element %d is %v, but was %v in %s: a row must not depend on what it is computed with",
				where, key, i, v, before.row[i], before.where)
			return
		}
	}
}

// random returns the random numbers of a name: the same on every run.
func random(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(h.Sum64(), 0))
}

// upload puts a matrix on the device whose rows are the given parts, each a
// source of its own.
func (l *lab) upload(name string, f *quant.Format, parts ...part) device.Weights {
	return l.uploadExperts(name, f, 1, parts...)
}

// uploadExperts is upload for that many matrices: each part has rows of the
// first, then of the second, and so on.
func (l *lab) uploadExperts(name string, f *quant.Format, experts int, parts ...part) device.Weights {
	if l.err != nil {
		return nil
	}
	m := device.Matrix{Name: name, Format: f, Columns: parts[0].columns, Experts: experts}
	for _, p := range parts {
		m.Sources = append(m.Sources, device.Source{Rows: p.rows / experts, Reader: bytes.NewReader(p.bytes)})
	}
	t := &tensor{experts: experts, rows: m.Rows(), columns: m.Columns}
	for e := range experts {
		for _, p := range parts {
			n := len(p.values) / experts
			t.values = append(t.values, p.values[e*n:(e+1)*n]...)
		}
	}
	w, err := l.dev.Upload(l.ctx, m)
	if err != nil {
		l.fail("upload of %s [%d, %d, %d] %s: %w", name, experts, t.rows, t.columns, f.Name, err)
		return nil
	}
	if rows, columns := w.Shape(); rows != t.rows || columns != t.columns || w.Experts() != experts {
		l.fail("upload of %s: shape is [%d, %d, %d], want [%d, %d, %d]", name, w.Experts(), rows, columns, experts, t.rows, t.columns)
	}
	if got := w.Format(); got == nil || got.ID != f.ID {
		l.fail("upload of %s: format is %v, want %s", name, got, f.Name)
	}
	l.keep(w, t)
	return w
}

func (l *lab) keep(w device.Weights, t *tensor) {
	l.ref.weights[w] = t
	l.made = append(l.made, w)
}

// vector puts float32 values on the device.
func (l *lab) vector(values []float32) device.Weights {
	if l.err != nil {
		return nil
	}
	w, err := l.dev.UploadVector(values)
	if err != nil {
		l.fail("upload of a vector [%d]: %w", len(values), err)
		return nil
	}
	l.require(w.Experts() == 1, "a vector is of %d experts, want 1", w.Experts())
	l.keep(w, &tensor{1, 1, len(values), values})
	return w
}

// noise returns a vector of normally distributed values around 1.
func (l *lab) noise(r *rand.Rand, n int) device.Weights {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(1 + 0.3*r.NormFloat64())
	}
	return l.vector(values)
}

// inputs puts a float32 table on the device whose rows a step's tokens choose:
// the way of any number into a program.
func (l *lab) inputs(rows, columns int, value func(row, column int) float64) device.Weights {
	if l.err != nil {
		return nil
	}
	f, ok := quant.ByName("F32")
	if !ok {
		l.fail("package quant has no F32")
		return nil
	}
	p := part{rows: rows, columns: columns}
	for i := range rows {
		for j := range columns {
			v := float32(value(i, j))
			p.values = append(p.values, v)
			p.bytes = binary.LittleEndian.AppendUint32(p.bytes, math.Float32bits(v))
		}
	}
	return l.upload("inputs", f, p)
}

// normal returns an input function of normally distributed numbers with a mean
// of a quarter of their deviation: sums of products with it do not cancel.
func normal(name string, scale float64) func(row, column int) float64 {
	r := random(name)
	return func(int, int) float64 { return scale * (r.NormFloat64() + 0.25) }
}

// cache makes a cache on both sides.
func (l *lab) cache(spec device.CacheSpec) device.Cache {
	if l.err != nil {
		return nil
	}
	c, err := l.dev.NewCache(spec)
	if err != nil {
		l.fail("cache %+v: %w", spec, err)
		return nil
	}
	if c.Spec() != spec {
		l.fail("cache: spec is %+v, want %+v", c.Spec(), spec)
	}
	l.ref.caches[c] = newStore(spec)
	l.made = append(l.made, c)
	return c
}

// choices returns the store that serves a program only for its Chosen tokens.
func (l *lab) choices() device.Cache {
	return l.cache(device.CacheSpec{Layers: 1, HeadCountKV: 1, HeadDim: 4, Pages: 1, Type: device.CacheF32})
}

// expect fails unless err is want.
func (l *lab) expect(what string, err, want error) {
	l.require(errors.Is(err, want), "%s: error is %v, want %v", what, err, want)
}
