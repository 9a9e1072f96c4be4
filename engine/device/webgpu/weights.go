package webgpu

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"unsafe"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders/quant"
)

const (
	// maxPart bounds one part of a matrix, and so the host memory that an
	// upload takes.
	maxPart = 128 << 20
	// writeBytes is how much goes to the driver before it is made to take it
	// up: what is written waits in staging memory until then.
	writeBytes = 32 << 20
	// readBytes is how much of a source is read and packed at a time.
	readBytes = 1 << 20
)

// weights is an uploaded matrix: parts of whole rows, in planes.
type weights struct {
	format        *quant.Format
	rows, columns int
	parts         []part
	once          sync.Once
}

// part holds rows [first, first+rows) of a matrix.
type part struct {
	buffer      *buffer
	first, rows int
	planes      []int // where each plane starts, in words
}

func (w *weights) Shape() (rows, columns int) { return w.rows, w.columns }
func (w *weights) Format() *quant.Format      { return w.format }

func (w *weights) Bytes() int64 {
	var n int64
	for _, p := range w.parts {
		n += p.buffer.size
	}
	return n
}

func (w *weights) Release() {
	w.once.Do(func() {
		for _, p := range w.parts {
			p.buffer.release()
		}
	})
}

// Upload repacks a matrix into planes, a part at a time.
func (d *Device) Upload(ctx context.Context, m device.Matrix) (device.Weights, error) {
	rows, columns := m.Rows(), m.Columns
	rowBytes, err := m.Format.RowBytes(columns)
	if err != nil {
		return nil, fmt.Errorf("webgpu: upload %s: %w", m.Name, err)
	}
	if rows < 1 || columns < 1 || m.Experts > 1 || columns%4 != 0 {
		return nil, fmt.Errorf("webgpu: upload %s: [%d, %d, %d]: one expert and a multiple of 4 columns are wanted: %w", m.Name, max(m.Experts, 1), rows, columns, device.ErrUnsupported)
	}
	w := &weights{format: m.Format, rows: rows, columns: columns}
	step := d.partRows(m.Format, rows, columns)
	if step < 1 {
		return nil, fmt.Errorf("webgpu: upload %s: a row of %d columns passes the largest binding, %d bytes: %w", m.Name, columns, d.limits.StorageBinding, device.ErrUnsupported)
	}
	for first := 0; first < rows && err == nil; first += step {
		err = d.uploadPart(ctx, w, &m, first, min(step, rows-first), rowBytes)
	}
	if err != nil {
		w.Release()
		return nil, fmt.Errorf("webgpu: upload %s: %w", m.Name, err)
	}
	return w, nil
}

// partRows is how many rows of a matrix go into one binding.
func (d *Device) partRows(f *quant.Format, rows, columns int) int {
	limit := int(min(d.limits.StorageBinding, d.limits.Buffer, maxPart)) / 4
	const some = 8 * quant.RowAlign
	_, words := f.PlaneOffsets(some, columns)
	if _, all := f.PlaneOffsets(rows, columns); all <= limit {
		return rows
	}
	return limit / words * some
}

func (d *Device) uploadPart(ctx context.Context, w *weights, m *device.Matrix, first, rows, rowBytes int) error {
	planes, words := w.format.PlaneOffsets(rows, w.columns)
	b, err := d.newBuffer(m.Name, m.Kind, int64(words)*4, usageStorage)
	if err != nil {
		return err
	}
	w.parts = append(w.parts, part{b, first, rows, planes})
	packed := make([]uint32, words)
	if err := packRows(ctx, packed, m, first, rows, rowBytes); err != nil {
		return err
	}
	return d.fill(b, packed)
}

// fill writes words to a buffer, in pieces.
func (d *Device) fill(b *buffer, words []uint32) error {
	data := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*4)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check(); err != nil {
		return err
	}
	for at := 0; at < len(data); at += writeBytes {
		if err := d.gpu.write(b.raw, int64(at), data[at:min(at+writeBytes, len(data))]); err != nil {
			return err
		}
		if at > 0 {
			d.gpu.flush()
		}
	}
	return nil
}

// packRows reads rows [first, first+rows) of the stacked sources and packs
// them, a chunk of rows to a goroutine.
func packRows(ctx context.Context, packed []uint32, m *device.Matrix, first, rows, rowBytes int) error {
	type chunk struct {
		source    io.ReaderAt
		from      int64 // bytes into the source
		row, rows int   // of the part
	}
	perChunk := max(readBytes/rowBytes/quant.RowAlign, 1) * quant.RowAlign
	var chunks []chunk
	start := 0 // the first row of the source in the matrix
	for _, s := range m.Sources {
		low, high := max(start, first), min(start+s.Rows, first+rows)
		for row := low; row < high; row += perChunk {
			n := min(perChunk, high-row)
			chunks = append(chunks, chunk{s.Reader, int64(row-start) * int64(rowBytes), row - first, n})
		}
		start += s.Rows
	}
	work := make(chan chunk, len(chunks))
	for _, c := range chunks {
		work <- c
	}
	close(work)
	var (
		group   sync.WaitGroup
		once    sync.Once
		failure error
	)
	for range min(runtime.GOMAXPROCS(0), len(chunks)) {
		group.Go(func() {
			raw := make([]byte, perChunk*rowBytes)
			for c := range work {
				err := ctx.Err()
				if err == nil {
					_, err = io.ReadFull(io.NewSectionReader(c.source, c.from, int64(c.rows*rowBytes)), raw[:c.rows*rowBytes])
					if err == io.EOF {
						err = io.ErrUnexpectedEOF
					}
				}
				if err == nil {
					err = m.Format.PackRows(packed, raw[:c.rows*rowBytes], c.row, rows, m.Columns)
				}
				if err != nil {
					once.Do(func() { failure = err })
					return
				}
			}
		})
	}
	group.Wait()
	return failure
}

// UploadVector stores float32 values as they are.
func (d *Device) UploadVector(values []float32) (device.Weights, error) {
	if int64(len(values))*4 > d.limits.StorageBinding {
		return nil, fmt.Errorf("webgpu: upload vector: %d elements pass the largest binding, %d bytes: %w", len(values), d.limits.StorageBinding, device.ErrUnsupported)
	}
	b, err := d.newBuffer("vector", device.KindWeights, int64(len(values))*4, usageStorage)
	if err != nil {
		return nil, err
	}
	f, _ := quant.ByName("F32")
	w := &weights{format: f, rows: 1, columns: len(values), parts: []part{{buffer: b, rows: 1}}}
	if err := d.fill(b, unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(values))), len(values))); err != nil {
		w.Release()
		return nil, err
	}
	return w, nil
}
