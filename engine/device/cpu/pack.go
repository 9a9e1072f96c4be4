package cpu

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu/simd"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// choosePacking packs weights whose format the vector kernels have a product of.
func (d *Device) choosePacking(w *weights) error {
	if d.kernels == nil || w.format.Layout.Plain {
		return nil
	}
	packing, err := simd.NewPacking(w.format, w.columns)
	if err != nil {
		return err
	}
	product, ok := d.kernels.Product(packing)
	if !ok {
		return fmt.Errorf("%w: no %s kernel for %s", device.ErrUnsupported, d.kernels.Name(), w.format.Name)
	}
	w.packing, w.product = packing, product
	high, low := bits.Mul64(uint64(w.experts)*uint64(w.tilesOfExpert()), uint64(packing.TileBytes()))
	if high != 0 || low > math.MaxInt {
		return fmt.Errorf("%w: %d experts of %d rows", device.ErrUnsupported, w.experts, w.rows)
	}
	w.bytes = int64(low)
	return nil
}

// packed reports whether products take rounded activations.
func (w *weights) packed() bool {
	if w.whole != nil {
		w = w.whole
	}
	return w.packing != nil
}

func (w *weights) tilesOfExpert() int { return (w.rows + simd.TileRows - 1) / simd.TileRows }

// tile returns a tile of an expert, and what is behind it.
func (w *weights) tile(expert, i int) []byte {
	return w.tiles[(expert*w.tilesOfExpert()+i)*w.packing.TileBytes():]
}

// pack reads the sources a tile at a time, on some goroutines.
func (w *weights) pack(ctx context.Context, sources []device.Source, workers int) error {
	for i, s := range sources {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := readable(s.Reader, int64(w.experts)*int64(s.Rows)*int64(w.rowBytes)); err != nil {
			return fmt.Errorf("source %d: %w", i, err)
		}
	}
	w.tiles = w.device.arena.make(w.bytes)
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, workers)
	for worker := range workers {
		all.Go(func() {
			p := packer{weights: w, sources: sources, rows: make([]byte, simd.TileRows*w.rowBytes)}
			for {
				i := int(next.Add(1) - 1)
				if i >= w.experts*w.tilesOfExpert() {
					return
				}
				if errs[worker] = ctx.Err(); errs[worker] == nil {
					errs[worker] = p.tile(i/w.tilesOfExpert(), i%w.tilesOfExpert())
				}
				if errs[worker] != nil {
					next.Store(math.MaxInt32 * int64(simd.TileRows)) // no more for the others
					return
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// packer is the scratch memory of one goroutine that packs.
type packer struct {
	weights *weights
	sources []device.Source
	rows    []byte // of a tile
	parts   quant.Parts
}

// tile reads the rows of a tile, which may be of several sources, and packs them.
func (p *packer) tile(expert, i int) error {
	w := p.weights
	first := i * simd.TileRows
	last := min(first+simd.TileRows, w.rows)
	for source := range w.parts {
		part := &w.parts[source]
		from, to := max(first, part.first), min(last, part.first+part.rows)
		if from >= to {
			continue
		}
		rows := p.rows[(from-first)*w.rowBytes : (to-first)*w.rowBytes]
		at := int64(expert*part.rows+from-part.first) * int64(w.rowBytes)
		if err := readFull(p.sources[source].Reader, rows, at); err != nil {
			return fmt.Errorf("source %d: %w", source, err)
		}
	}
	tile := w.tile(expert, i)[:w.packing.TileBytes()]
	return w.packing.PackTile(tile, p.rows[:(last-first)*w.rowBytes], &p.parts)
}

// items returns how many items a product has: tiles, or rows.
func (w *weights) items() int {
	if !w.packed() {
		return w.rows
	}
	return (w.first+w.rows+simd.TileRows-1)/simd.TileRows - w.first/simd.TileRows
}

// span returns the rows of a matrix that the items [first, last) have.
func (w *weights) span(first, last int) (from, to int) {
	if !w.packed() {
		return first, last
	}
	before := w.first % simd.TileRows
	return max(0, first*simd.TileRows-before), min(w.rows, last*simd.TileRows-before)
}

// multiply computes the items [first, last) of an expert's rows times the columns
// [from, to) of x, each a row. Column c goes to row c of out.
func (w *weights) multiply(lane *lane, expert, first, last int, x *operand, from, to int, out simd.Rows, bias []float32) {
	whole := w
	if w.whole != nil {
		whole = w.whole
	}
	switch kernels := w.device.kernels; {
	case whole.packing != nil:
		out.Width = w.rows
		lane.multiplication = simd.Multiplication{
			Packing: whole.packing, Weights: whole.tile(expert, 0), Activations: x.activations,
			First: from, Last: to, Out: out, RowFirst: w.first, Bias: bias,
		}
		whole.product.Multiply(&lane.multiplication, w.first/simd.TileRows+first, w.first/simd.TileRows+last)
	case kernels != nil:
		for row := first; row < last; {
			part := whole.partOf(w.first + row)
			end := min(last, part.first+part.rows-w.first)
			weights := part.data[(expert*part.rows+w.first+row-part.first)*w.rowBytes:]
			shifted := out
			shifted.Data = out.Data[row:]
			var some []float32
			if bias != nil {
				some = bias[row:]
			}
			kernels.Plain(&w.format.Layout, weights, w.rowBytes, 0, end-row, x.Rows, from, to, shifted, some)
			row = end
		}
	default:
		decoded := lane.row[:w.columns]
		for i := first; i < last; i++ {
			w.decode(decoded, expert, i, &lane.parts)
			for t := from; t < to; t++ {
				y := dot(x.Row(t), decoded)
				if bias != nil {
					y += bias[i]
				}
				out.Data[t*out.Stride+i] = y
			}
		}
	}
}
