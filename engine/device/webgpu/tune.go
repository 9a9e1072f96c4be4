package webgpu

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// tuned is what is remembered of an adapter.
type tuned struct {
	Name   string `json:"name"`
	Driver string `json:"driver"`
	Tuning Tuning `json:"tuning"`
}

// tuningFile is where the tuning of an adapter is kept: another driver, or
// another version of it, has a file of its own.
func tuningFile(dir, name, driver string) string {
	sum := sha256.Sum256([]byte(name + "\x00" + driver))
	return filepath.Join(dir, fmt.Sprintf("tuning-%x.json", sum[:8]))
}

// remembered returns the tuning that Tune left for an adapter, or zeros.
// Slices is never taken from it: the order of sums belongs to the class.
func remembered(dir, name, driver string) Tuning {
	if dir == "" {
		return Tuning{}
	}
	text, err := os.ReadFile(tuningFile(dir, name, driver))
	if err != nil {
		return Tuning{}
	}
	var t tuned
	if json.Unmarshal(text, &t) != nil || t.Name != name || t.Driver != driver || !t.Tuning.sane() {
		return Tuning{}
	}
	t.Tuning.Slices = 0
	return t.Tuning
}

// sane is true of tilings that every adapter can run.
func (t Tuning) sane() bool {
	for _, v := range t.Vectors {
		if v < 0 || v > 8 {
			return false
		}
	}
	switch t.Columns {
	case 0, 1, 2, 4, 8:
	default:
		return false
	}
	return t.Lanes >= 0 && t.Lanes <= 64 && t.MaxRows >= 0 && t.MaxRows <= 1024 && t.MaxRows&(t.MaxRows-1) == 0
}

// Measurement is one tiling of the matrix product, measured.
type Measurement struct {
	Vectors, Columns, Lanes int
	GMACs                   float64 // 1e9 multiply-adds a second
	Err                     error   // where the adapter does not take it
}

// Tune measures tilings of the matrix product on an adapter and remembers the
// best in Options.TuningDir, for Open. report, which may be nil, is told of
// each measurement.
func Tune(ctx context.Context, o Options, report func(Measurement)) (Tuning, error) {
	d, err := Open(o)
	if err != nil {
		return Tuning{}, err
	}
	defer d.Close()
	t := defaults(d.info.Class)
	// One number of lanes serves all tiles: the one that is best for a single
	// row, which is what decoding is made of.
	candidates := map[int][4]choice{}
	for _, lanes := range []int{8, 16, 32} {
		var of [4]choice
		for i := range of {
			for _, vectors := range []int{1, 2, 4, 8} {
				if err := ctx.Err(); err != nil {
					return Tuning{}, err
				}
				if !t.fits(d.limits, vectors, 1<<i, lanes) {
					continue
				}
				m := Measurement{Vectors: vectors, Columns: 1 << i, Lanes: lanes}
				if m.GMACs, m.Err = d.measure(ctx, vectors, 1<<i, lanes); m.Err == nil && m.GMACs > of[i].rate {
					of[i] = choice{vectors, m.GMACs}
				}
				if report != nil {
					report(m)
				}
			}
		}
		candidates[lanes] = of
		if of[0].rate > candidates[t.Lanes][0].rate {
			t.Lanes = lanes
		}
	}
	columns := 0
	for i, c := range candidates[t.Lanes] {
		if c.vectors > 0 {
			t.Vectors[i] = c.vectors
		}
		if c.rate > candidates[t.Lanes][columns].rate {
			columns = i
		}
	}
	t.Columns = 1 << columns
	if o.TuningDir == "" {
		return t, nil
	}
	text, err := json.MarshalIndent(tuned{d.info.Name, d.info.Driver, t}, "", "  ")
	if err == nil {
		err = os.MkdirAll(o.TuningDir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(tuningFile(o.TuningDir, d.info.Name, d.info.Driver), append(text, '\n'), 0o644)
	}
	if err != nil {
		return t, fmt.Errorf("webgpu: remember tuning: %w", err)
	}
	return t, nil
}

// choice is the best number of vectors for a number of columns.
type choice struct {
	vectors int
	rate    float64 // GMAC/s
}

// fits is true of a tile that the adapter has room for: registers for its sums,
// and workgroup memory where slices are joined.
func (t Tuning) fits(l Limits, vectors, columns, lanes int) bool {
	const mostSums = 16
	sums := vectors * columns
	return sums <= mostSums && lanes*t.Slices <= l.WorkgroupInvocations &&
		(t.Slices == 1 || lanes*t.Slices*sums*16 <= l.WorkgroupMemory)
}

// The product that is measured: [2048, 2048] in Q4_0, often enough for a clock.
const (
	tuneSize    = 2048
	tuneRepeats = 8
	tuneRounds  = 4
)

// measure returns the rate of one tiling, the best of some rounds.
func (d *Device) measure(ctx context.Context, vectors, columns, lanes int) (float64, error) {
	kept := d.tuning
	defer func() { d.tuning = kept }()
	for i := range d.tuning.Vectors {
		d.tuning.Vectors[i] = vectors
	}
	d.tuning.Columns, d.tuning.Lanes = columns, lanes
	w, err := d.randomWeights(ctx)
	if err != nil {
		return 0, err
	}
	defer w.Release()
	p := &device.Program{Name: "tune", Rows: columns}
	x := p.NewBuffer(tuneSize)
	p.Add(&device.Embed{Out: x, Table: w})
	for range tuneRepeats {
		p.Add(&device.MatMul{Out: p.NewBuffer(tuneSize), X: x, Weight: w})
	}
	e, err := d.Compile(p)
	if err != nil {
		return 0, err
	}
	defer e.Release()
	s := &device.Step{Tokens: make([]int32, columns), Positions: make([]int32, columns), Sequences: make([]int32, columns)}
	var r device.Result
	best := time.Duration(0)
	for round := range tuneRounds {
		start := time.Now()
		if err := e.Submit(s); err != nil {
			return 0, err
		}
		if err := e.Wait(&r); err != nil {
			return 0, err
		}
		// The first round compiles.
		if took := time.Since(start); round > 0 && (best == 0 || took < best) {
			best = took
		}
	}
	return float64(tuneSize*tuneSize*tuneRepeats*columns) / best.Seconds() / 1e9, nil
}

// randomWeights uploads bytes that decode to finite numbers.
func (d *Device) randomWeights(ctx context.Context) (device.Weights, error) {
	f, _ := quant.ByName("Q4_0")
	random := rand.New(rand.NewPCG(1, 2))
	values := make([]float32, tuneSize)
	for i := range values {
		values[i] = float32(random.NormFloat64())
	}
	size, err := f.RowBytes(tuneSize)
	if err != nil {
		return nil, err
	}
	row := make([]byte, size)
	if err := f.Encode(row, values, nil); err != nil {
		return nil, err
	}
	return d.Upload(ctx, device.Matrix{Name: "tuning weights", Format: f, Columns: tuneSize, Kind: device.KindScratch,
		Sources: []device.Source{{Rows: tuneSize, Reader: bytes.NewReader(bytes.Repeat(row, tuneSize))}}})
}
