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
	for _, tile := range t.Tiles {
		switch tile.Vectors {
		case 0, 1, 2, 4, 8:
		default:
			return false
		}
		if tile.Lanes < 0 || tile.Lanes > 64 {
			return false
		}
	}
	switch t.Columns {
	case 0, 1, 2, 4, 8:
	default:
		return false
	}
	return t.MaxRows >= 0 && t.MaxRows <= 1024 && t.MaxRows&(t.MaxRows-1) == 0
}

// Measurement is one tiling of the matrix product, measured.
type Measurement struct {
	Tile
	Columns int
	GMACs   float64 // 1e9 multiply-adds a second
	Err     error   // where the adapter does not take it
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
	t.Columns = 1
	var best [4]float64 // rates, by the logarithm of the columns
	var top float64     // of them
	for i := range best {
		for _, lanes := range []int{8, 16, 32} {
			for _, vectors := range []int{1, 2, 4, 8} {
				if err := ctx.Err(); err != nil {
					return Tuning{}, err
				}
				m := Measurement{Tile: Tile{vectors, lanes}, Columns: 1 << i}
				if !t.fits(d.limits, m.Tile, m.Columns) {
					continue
				}
				if m.GMACs, m.Err = d.measure(ctx, m.Tile, m.Columns); m.Err == nil && m.GMACs > best[i] {
					best[i], t.Tiles[i] = m.GMACs, m.Tile
				}
				if report != nil {
					report(m)
				}
			}
		}
		if best[i] > top {
			top, t.Columns = best[i], 1<<i
		}
	}
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

// fits is true of a tile that the adapter has room for: registers for its sums,
// and workgroup memory where slices are joined.
func (t Tuning) fits(l Limits, tile Tile, columns int) bool {
	const mostSums = 16
	sums, threads := tile.Vectors*columns, tile.Lanes*t.Slices
	return sums <= mostSums && threads <= l.WorkgroupInvocations && (t.Slices == 1 || threads*sums*16 <= l.WorkgroupMemory)
}

// The product that is measured: [2048, 2048] in Q4_0, often enough for a clock.
const (
	tuneSize    = 2048
	tuneRepeats = 8
	tuneRounds  = 4
)

// measure returns the rate of one tiling, the best of some rounds.
func (d *Device) measure(ctx context.Context, tile Tile, columns int) (float64, error) {
	kept := d.tuning
	defer func() { d.tuning = kept }()
	for i := range d.tuning.Tiles {
		d.tuning.Tiles[i] = tile
	}
	d.tuning.Columns = columns
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
