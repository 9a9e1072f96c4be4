package cpu

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/bits"
	"sync/atomic"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu/simd"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// Slicer is the power of a source's Reader to show its bytes without copying
// them. Upload then copies nothing: the bytes must not change and must stay
// readable until the weights are released and the device is idle, or closed.
type Slicer interface {
	// Slice returns the n bytes at off.
	Slice(off, n int64) ([]byte, error)
}

// readBytes is how much of a source is read at a time, between looks at ctx.
const readBytes = 4 << 20

// weights is a matrix or one for each expert, packed for the vector kernels or as
// the blocks of its format, or a vector of float32 values.
type weights struct {
	device        *Device
	kind          device.Kind
	experts       int
	rows, columns int // of each expert
	format        *quant.Format
	rowBytes      int // 0: a vector
	bytes         int64
	parts         []part        // of a matrix, unless it is packed
	values        []float32     // of a vector
	packing       *simd.Packing // nil: not packed
	product       simd.Product  // of the packing
	tiles         []byte        // [experts][tiles]
	whole         *weights      // of a slice: the matrix that has its rows, from row first on
	first         int
	released      atomic.Bool
}

// Slice implements [device.Tensors].
func (d *Device) Slice(w device.Weights, first, n int) (device.Weights, error) {
	d.mu.Lock() // released vectors lose their values
	defer d.mu.Unlock()
	own, ok := w.(*weights)
	if !ok || own.device != d {
		return nil, fmt.Errorf("cpu: slice: weights of another device: %w", device.ErrProgram)
	}
	size := own.rows
	if own.rowBytes == 0 {
		size = own.columns
	}
	if own.experts > 1 || first < 0 || first%4 != 0 || n < 1 || n > size || first > size-n {
		return nil, fmt.Errorf("cpu: slice: %d from %d on of [%d, %d, %d]: %w", n, first, own.experts, own.rows, own.columns, device.ErrUnsupported)
	}
	slice := &weights{
		device: d, experts: 1, rows: n, columns: own.columns, format: own.format, rowBytes: own.rowBytes,
		whole: own, first: own.first + first,
	}
	if own.whole != nil {
		slice.whole = own.whole
	}
	if own.rowBytes == 0 {
		slice.rows, slice.columns = 1, n
		if values := own.values; len(values) >= first+n { // unless it was released
			slice.values = values[first : first+n]
		}
	}
	return slice, nil
}

// gone reports whether the memory was given back.
func (w *weights) gone() bool {
	if w.whole != nil {
		w = w.whole
	}
	return w.released.Load()
}

// part is the rows of one source.
type part struct {
	first int    // row of each expert's matrix
	rows  int    // of each expert
	data  []byte // [experts, rows] rows
}

// Upload implements [device.Device]. A reader that is a [Slicer] is not read.
func (d *Device) Upload(ctx context.Context, m device.Matrix) (device.Weights, error) {
	if err := d.open("upload"); err != nil {
		return nil, err
	}
	w, err := d.upload(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("cpu: upload %q: %w", m.Name, err)
	}
	return w, nil
}

func (d *Device) upload(ctx context.Context, m device.Matrix) (*weights, error) {
	w, err := d.newMatrix(&m)
	if err != nil {
		return nil, err
	}
	if err := d.take(m.Kind, m.Name, w.bytes); err != nil {
		return nil, err
	}
	if w.packing != nil {
		err = w.pack(ctx, m.Sources, d.pool.size)
	} else {
		err = w.read(ctx, m.Sources)
	}
	if err != nil {
		d.memory.give(m.Kind, w.bytes)
		return nil, err
	}
	return w, nil
}

// read takes the sources as they are.
func (w *weights) read(ctx context.Context, sources []device.Source) error {
	for i, s := range sources {
		data, err := readSource(ctx, s.Reader, int64(w.experts)*int64(s.Rows)*int64(w.rowBytes))
		if err != nil {
			return fmt.Errorf("source %d: %w", i, err)
		}
		w.parts[i].data = data
	}
	return nil
}

// newMatrix checks the shape of a matrix and returns it without its bytes.
func (d *Device) newMatrix(m *device.Matrix) (*weights, error) {
	if m.Experts < 0 || m.Experts > math.MaxInt32 {
		return nil, fmt.Errorf("%w: %d experts", device.ErrUnsupported, m.Experts)
	}
	if m.Format == nil || m.Columns < 4 || m.Columns%4 != 0 || len(m.Sources) == 0 {
		return nil, fmt.Errorf("%w: %d columns of %d sources: needs a format, a multiple of 4 columns and a source",
			device.ErrUnsupported, m.Columns, len(m.Sources))
	}
	if m.Kind < 0 || m.Kind >= device.KindCount {
		return nil, fmt.Errorf("%w: memory kind %d", device.ErrUnsupported, int(m.Kind))
	}
	rowBytes, err := m.Format.RowBytes(m.Columns)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", device.ErrUnsupported, err)
	}
	w := &weights{
		device: d, kind: m.Kind, experts: max(1, m.Experts), columns: m.Columns,
		format: m.Format, rowBytes: rowBytes,
	}
	for _, s := range m.Sources {
		if s.Rows < 1 || s.Rows > math.MaxInt32-w.rows {
			return nil, fmt.Errorf("%w: a source of %d rows", device.ErrUnsupported, s.Rows)
		}
		w.parts = append(w.parts, part{first: w.rows, rows: s.Rows})
		w.rows += s.Rows
	}
	high, low := bits.Mul64(uint64(w.experts)*uint64(w.rows), uint64(rowBytes))
	if high != 0 || low > math.MaxInt {
		return nil, fmt.Errorf("%w: %d experts of %d rows of %d bytes", device.ErrUnsupported, w.experts, w.rows, rowBytes)
	}
	w.bytes = int64(low)
	return w, d.choosePacking(w)
}

// readSource returns the first n bytes of r: shown, or read.
func readSource(ctx context.Context, r io.ReaderAt, n int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s, ok := r.(Slicer); ok {
		data, err := s.Slice(0, n)
		if err == nil && int64(len(data)) != n {
			err = fmt.Errorf("%d bytes of %d: %w", len(data), n, io.ErrUnexpectedEOF)
		}
		return data, err
	}
	if err := readable(r, n); err != nil {
		return nil, err
	}
	data := make([]byte, n)
	for off := int64(0); off < n; off += readBytes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := readFull(r, data[off:min(off+readBytes, n)], off); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// readable looks for the last of n bytes: a size that is only claimed must not take
// memory.
func readable(r io.ReaderAt, n int64) error {
	var last [1]byte
	return readFull(r, last[:], n-1)
}

func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%d bytes at byte %d: %w", len(p), off, err)
}

// UploadVector implements [device.Device].
func (d *Device) UploadVector(values []float32) (device.Weights, error) {
	if err := d.open("upload vector"); err != nil {
		return nil, err
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("cpu: upload vector: %w: no values", device.ErrUnsupported)
	}
	w := &weights{device: d, experts: 1, rows: 1, columns: len(values), format: d.f32, bytes: 4 * int64(len(values))}
	if err := d.take(w.kind, "vector", w.bytes); err != nil {
		return nil, fmt.Errorf("cpu: upload vector: %w", err)
	}
	w.values = append([]float32(nil), values...)
	return w, nil
}

// Shape implements [device.Weights].
func (w *weights) Shape() (rows, columns int) { return w.rows, w.columns }

// Experts implements [device.Weights].
func (w *weights) Experts() int { return w.experts }

// Format implements [device.Weights].
func (w *weights) Format() *quant.Format { return w.format }

// Bytes implements [device.Weights].
func (w *weights) Bytes() int64 { return w.bytes }

// Release implements [device.Weights].
func (w *weights) Release() {
	if w.whole != nil || w.released.Swap(true) {
		return
	}
	w.device.release(func() {
		w.parts, w.values, w.tiles = nil, nil, nil
		w.device.memory.give(w.kind, w.bytes)
	})
}

// vector returns the values of a vector; none of nil weights.
func (w *weights) vector() []float32 {
	if w == nil {
		return nil
	}
	return w.values
}

// decode writes row i of an expert's matrix to dst [columns]. The blocks are
// taken apart in parts, which is the caller's so that a row costs no allocation.
func (w *weights) decode(dst []float32, expert, i int, parts *quant.Parts) {
	if w.whole != nil {
		w, i = w.whole, w.first+i
	}
	layout := &w.format.Layout
	if w.packing != nil {
		tile := w.tile(expert, i/simd.TileRows)
		for block := 0; len(dst) > 0; block++ {
			w.packing.Block(tile, i%simd.TileRows, block, parts)
			decodeBlock(dst[:w.format.BlockElements], layout, parts)
			dst = dst[w.format.BlockElements:]
		}
		return
	}
	p := w.partOf(i)
	at := (expert*p.rows + i - p.first) * w.rowBytes
	src := p.data[at : at+w.rowBytes]
	if layout.Plain {
		if err := w.format.Decode(dst, src); err != nil {
			panic(err) // the lengths were checked when the weights were made
		}
		return
	}
	for len(src) > 0 {
		w.format.Split(src, parts)
		decodeBlock(dst[:w.format.BlockElements], layout, parts)
		dst, src = dst[w.format.BlockElements:], src[w.format.BlockBytes:]
	}
}

// MatrixBytes implements [device.Sized].
func (d *Device) MatrixBytes(f *quant.Format, rows, columns, experts int) int64 {
	w, err := d.newMatrix(&device.Matrix{Format: f, Columns: columns, Experts: experts, Sources: []device.Source{{Rows: rows}}})
	if err != nil {
		return 0 // Upload refuses it
	}
	return w.bytes
}

// VectorBytes implements [device.Sized].
func (d *Device) VectorBytes(elements int) int64 { return 4 * int64(elements) }

// CacheBytes implements [device.Sized].
func (d *Device) CacheBytes(spec device.CacheSpec) int64 { return spec.Bytes() }

// decodeBlock writes the values of a block.
func decodeBlock(dst []float32, layout *quant.Layout, parts *quant.Parts) {
	for s := 0; s*layout.Sub < len(dst); s++ {
		scale, low := layout.Scale(parts, s)
		sub := dst[s*layout.Sub : (s+1)*layout.Sub]
		for j, q := range parts.Quants[s*layout.Sub : (s+1)*layout.Sub] {
			sub[j] = float32(scale*float32(int(q)-layout.Offset)) - low
		}
	}
}

// partOf returns the part that row i is in.
func (w *weights) partOf(i int) *part {
	p := 0
	for i >= w.parts[p].first+w.parts[p].rows {
		p++
	}
	return &w.parts[p]
}
