package webgpu

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"unsafe"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders"
	"github.com/realm-webgpu/realm/shaders/quant"
)

const (
	// maxPart bounds one part of a matrix, and so the host memory that an
	// upload takes.
	maxPart = 128 << 20
	// writeBytes is how much goes to the driver before it is made to take it
	// up: what is written waits in staging memory until then.
	writeBytes = 32 << 20
	// tileRows is the rows that are packed together. What the threads of a
	// workgroup read is then one stream, which caches fetch ahead (RATIONALE.md).
	tileRows = shaders.RowTile
	// readBytes is how much of a source is read and packed at a time.
	readBytes = 1 << 20
)

// weights is an uploaded matrix: parts of whole tiles of rows, each in planes of
// its own; or matrices, one for each expert, in parts of whole experts.
type weights struct {
	format        *quant.Format
	rows, columns int // of each expert
	experts       int
	planes        []int // where each plane of a tile starts, in words; nil in a vector
	tile          int   // words of a tile
	parts         []part
	slice         bool // of the rows from first on of another matrix, which owns the parts
	first         int
	once          sync.Once
}

// part holds rows [first, first+rows) of a matrix; or all rows of the experts
// [expert, expert+count), one after the other.
type part struct {
	buffer        *buffer
	first, rows   int
	expert, count int
}

func (w *weights) Shape() (rows, columns int) { return w.rows, w.columns }
func (w *weights) Experts() int               { return w.experts }
func (w *weights) Format() *quant.Format      { return w.format }

func (w *weights) Bytes() int64 {
	if w.slice {
		return 0
	}
	var n int64
	for _, p := range w.parts {
		n += p.buffer.size
	}
	return n
}

func (w *weights) Release() {
	if w.slice {
		return
	}
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
	if rows < 1 || columns < 1 || columns%4 != 0 {
		return nil, fmt.Errorf("webgpu: upload %s: [%d, %d]: a multiple of 4 columns is wanted: %w", m.Name, rows, columns, device.ErrUnsupported)
	}
	w := &weights{format: m.Format, rows: rows, columns: columns, experts: max(m.Experts, 1)}
	w.planes, w.tile = m.Format.PlaneOffsets(tileRows, columns)
	d.mu.Lock()
	err = d.fits(m.Kind, m.Name, int64(w.words(rows))*int64(w.experts)*4)
	d.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("webgpu: upload: %w", err)
	}
	upload := d.uploadRows
	if m.Experts > 1 {
		upload = d.uploadExperts
	}
	if err := upload(ctx, w, &m, rowBytes); err != nil {
		w.Release()
		return nil, fmt.Errorf("webgpu: upload %s: %w", m.Name, err)
	}
	return w, nil
}

// bindingWords is the most words that one part may have.
func (d *Device) bindingWords() int {
	return int(min(d.limits.StorageBinding, d.limits.Buffer, maxPart)) / 4
}

// words returns the size of some rows, or of one expert.
func (w *weights) words(rows int) int { return tilesOf(rows) * w.tile }

func tilesOf(rows int) int { return (rows + tileRows - 1) / tileRows }

// uploadRows uploads a matrix in parts of as many rows as a binding covers.
func (d *Device) uploadRows(ctx context.Context, w *weights, m *device.Matrix, rowBytes int) error {
	step := d.bindingWords() / w.tile * tileRows
	if step == 0 {
		return fmt.Errorf("%d rows of %d columns pass the largest binding, %d bytes: %w", tileRows, w.columns, d.limits.StorageBinding, device.ErrUnsupported)
	}
	for first := 0; first < w.rows; first += step {
		rows := min(step, w.rows-first)
		packed, err := d.newPart(w, m, w.words(rows), part{first: first, rows: rows, count: 1})
		if err == nil {
			err = w.pack(ctx, packed, m, 0, first, rows, rowBytes)
		}
		if err == nil {
			err = d.fill(w.parts[len(w.parts)-1].buffer, packed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// uploadExperts uploads matrices in parts of as many as a binding covers.
func (d *Device) uploadExperts(ctx context.Context, w *weights, m *device.Matrix, rowBytes int) error {
	distance := w.words(w.rows)
	step := d.bindingWords() / distance
	if step == 0 {
		return fmt.Errorf("an expert of %d bytes passes the largest binding, %d: %w", distance*4, d.limits.StorageBinding, device.ErrUnsupported)
	}
	for first := 0; first < w.experts; first += step {
		count := min(step, w.experts-first)
		packed, err := d.newPart(w, m, count*distance, part{rows: w.rows, expert: first, count: count})
		for e := 0; e < count && err == nil; e++ {
			err = w.pack(ctx, packed[e*distance:(e+1)*distance], m, first+e, 0, w.rows, rowBytes)
		}
		if err == nil {
			err = d.fill(w.parts[len(w.parts)-1].buffer, packed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// newPart takes the memory of a part and returns as much on the host.
func (d *Device) newPart(w *weights, m *device.Matrix, words int, p part) ([]uint32, error) {
	var err error
	if p.buffer, err = d.newBuffer(m.Name, m.Kind, int64(words)*4, usageStorage); err != nil {
		return nil, err
	}
	w.parts = append(w.parts, p)
	return make([]uint32, words), nil
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

// pack reads rows [first, first+rows) of an expert from the stacked sources and
// packs them, a chunk of tiles to a goroutine.
func (w *weights) pack(ctx context.Context, packed []uint32, m *device.Matrix, expert, first, rows, rowBytes int) error {
	perChunk := max(readBytes/rowBytes/tileRows, 1) * tileRows
	var chunks []int // first rows
	for row := 0; row < rows; row += perChunk {
		chunks = append(chunks, row)
	}
	work := make(chan int, len(chunks))
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
			for row := range work {
				n := min(perChunk, rows-row)
				err := ctx.Err()
				if err == nil {
					err = readRows(raw[:n*rowBytes], m, expert, first+row, rowBytes)
				}
				for at := 0; at < n && err == nil; at += tileRows {
					tile := raw[at*rowBytes : min(at+tileRows, n)*rowBytes]
					words := packed[(row+at)/tileRows*w.tile:][:w.tile]
					err = w.format.PackRows(words, tile, 0, tileRows, w.columns)
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

// readRows fills raw with rows of an expert, from row first of the stack.
func readRows(raw []byte, m *device.Matrix, expert, first, rowBytes int) error {
	for _, s := range m.Sources {
		if first >= s.Rows {
			first -= s.Rows
			continue
		}
		n := min(len(raw), (s.Rows-first)*rowBytes)
		_, err := io.ReadFull(io.NewSectionReader(s.Reader, int64(expert*s.Rows+first)*int64(rowBytes), int64(n)), raw[:n])
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if raw, first = raw[n:], 0; len(raw) == 0 {
			break
		}
	}
	return nil
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
	w := &weights{format: f, rows: 1, columns: len(values), experts: 1, parts: []part{{buffer: b, rows: 1}}}
	if err := d.fill(b, unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(values))), len(values))); err != nil {
		w.Release()
		return nil, err
	}
	return w, nil
}
