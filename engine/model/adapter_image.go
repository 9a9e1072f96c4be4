package model

import (
	"encoding/binary"
	"math"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/lora"
)

// write puts an adapter into a slot, padded with zeros; in the banks of matrices
// that it does not change there are zeros alone.
func (b *Banks) write(slot int, f *lora.Fitted, of map[string]adapted) error {
	deltas := make([][device.MaxBankParts]*lora.Delta, len(b.banks))
	for i := range f.Deltas {
		at := of[f.Deltas[i].Tensor]
		deltas[at.site][at.part] = &f.Deltas[i]
	}
	var image []byte
	for i, x := range b.banks {
		if x == nil {
			continue
		}
		down, up := x.SlotBytes()
		image = zeros(image, down)
		putDown(image, x, deltas[i][:len(x.Parts)])
		if err := x.Down.Write(int64(slot)*down, image); err != nil {
			return err
		}
		image = zeros(image, up)
		putUp(image, x, deltas[i][:len(x.Parts)])
		if err := x.Up.Write(int64(slot)*up, image); err != nil {
			return err
		}
	}
	return nil
}

// zeros returns n bytes of zeros, in the memory of p where they fit.
func zeros(p []byte, n int64) []byte {
	if int64(cap(p)) < n {
		return make([]byte, n)
	}
	p = p[:n]
	clear(p)
	return p
}

// putDown lays out A of each part: [Columns/4][parts*Rank][4].
func putDown(image []byte, x *device.Bank, parts []*lora.Delta) {
	width := x.Width()
	for part, d := range parts {
		if d == nil {
			continue
		}
		for r := range d.Rank {
			row := part*x.Rank + r
			for c, v := range d.A[r*d.Columns:][:d.Columns] {
				put(image, (c/4*width+row)*4+c%4, v)
			}
		}
	}
}

// putUp lays out B of each part: [Rank][rows].
func putUp(image []byte, x *device.Bank, parts []*lora.Delta) {
	rows, first := x.Rows(), 0
	for part, d := range parts {
		if d != nil {
			for row := range d.Rows {
				for r, v := range d.B[row*d.Rank:][:d.Rank] {
					put(image, r*rows+first+row, v)
				}
			}
		}
		first += x.Parts[part]
	}
}

func put(image []byte, element int, v float32) {
	binary.LittleEndian.PutUint32(image[4*element:], math.Float32bits(v))
}
