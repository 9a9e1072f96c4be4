package webgpu

import (
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders/quant"
)

var _ device.Sized = (*Device)(nil)

// MatrixBytes returns what uploadRows and uploadExperts take.
func (d *Device) MatrixBytes(f *quant.Format, rows, columns, experts int) int64 {
	w := &weights{rows: rows, columns: columns}
	w.planes, w.tile = f.PlaneOffsets(tileRows, columns)
	count, size, step := tilesOf(rows), w.tile, d.bindingWords()/max(w.tile, 1)
	if experts > 1 {
		size = w.words(rows)
		count, step = experts, d.bindingWords()/max(size, 1)
	}
	if step == 0 {
		return 4 * int64(count) * int64(size) // Upload refuses it
	}
	whole, rest := int64(count/step), int64(count%step)
	n := whole * bufferBytes(4*int64(step)*int64(size))
	if rest > 0 {
		n += bufferBytes(4 * rest * int64(size))
	}
	return n
}

// VectorBytes returns what UploadVector takes.
func (d *Device) VectorBytes(elements int) int64 { return bufferBytes(4 * int64(elements)) }

// CacheBytes returns what NewCache takes: besides keys and values, the ids that were
// chosen and a page on its way.
func (d *Device) CacheBytes(spec device.CacheSpec) int64 {
	size := spec.Bytes() / int64(2*spec.Layers)
	return 2*int64(spec.Layers)*bufferBytes(size) + bufferBytes(int64(d.info.MaxRows)*4) + bufferBytes(size/int64(spec.Pages))
}
