package webgpu

import (
	"bytes"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// TestSized: what is said before is what is taken, whole and split over bindings.
func TestSized(t *testing.T) {
	for _, binding := range []int64{0, 1 << 16} {
		d := openTest(t, Options{MaxBinding: binding})
		for _, f := range quant.All() {
			columns := 4 * max(f.BlockElements, 64)
			for _, shape := range []struct{ rows, experts int }{{1, 1}, {33, 1}, {200, 1}, {32, 3}, {8, 9}} {
				rowBytes, err := f.RowBytes(columns)
				if err != nil {
					t.Fatal(err)
				}
				w, err := d.Upload(t.Context(), device.Matrix{
					Name: f.Name, Format: f, Columns: columns, Experts: shape.experts, Kind: device.KindWeights,
					Sources: []device.Source{{Rows: shape.rows, Reader: bytes.NewReader(make([]byte, shape.rows*shape.experts*rowBytes))}},
				})
				if err != nil {
					continue // an expert, or a tile, may pass the small binding
				}
				if got := d.MatrixBytes(f, shape.rows, columns, shape.experts); got != w.Bytes() {
					t.Errorf("%s [%d, %d, %d] in bindings of %d: %d bytes, said to be %d", f.Name, shape.experts, shape.rows, columns, binding, w.Bytes(), got)
				}
				w.Release()
			}
		}
		for _, n := range []int{1, 4, 1000} {
			w, err := d.UploadVector(make([]float32, n))
			if err != nil {
				t.Fatal(err)
			}
			if got := d.VectorBytes(n); got != w.Bytes() {
				t.Errorf("a vector of %d: %d bytes, said to be %d", n, w.Bytes(), got)
			}
			w.Release()
		}
		spec := device.CacheSpec{Layers: 3, HeadCountKV: 2, HeadDim: 8, Pages: 5}
		before := d.Memory().Used[device.KindCache]
		c, err := d.NewCache(spec)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Memory().Used[device.KindCache] - before; got != d.CacheBytes(spec) {
			t.Errorf("a cache of %d bytes, said to be %d", got, d.CacheBytes(spec))
		}
		c.Release()
	}
}
