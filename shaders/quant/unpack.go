package quant

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Unpack writes the weights of a packed matrix [rows, n] to dst, row after row.
// It reads the planes word by word as a device does, and gives exactly what
// [Format.Decode] gives for the blocks that were packed. It fails with
// [ErrLength] where the arguments do not match.
func (f *Format) Unpack(dst []float32, src []uint32, rows, n int) error {
	if _, err := f.RowBytes(n); err != nil {
		return fmt.Errorf("quant: unpack: %w", err)
	}
	if rows < 0 || n == 0 || len(dst)%n != 0 || len(dst)/n != rows {
		return fmt.Errorf("quant: unpack %s [%d, %d]: %w: %d elements", f.Name, rows, n, ErrLength, len(dst))
	}
	k, err := newPacking(f, len(src), rows, n)
	if err != nil {
		return fmt.Errorf("quant: unpack %s [%d, %d]: %w", f.Name, rows, n, err)
	}
	for r := range rows {
		k.unpack(dst[r*n:r*n+n], src, r)
	}
	return nil
}

// unpack decodes one row.
func (k *packing) unpack(dst []float32, src []uint32, row int) {
	var parts Parts
	block := k.f.BlockElements
	if k.f.Layout.Plain {
		block = Unit
	}
	for at := 0; at < k.n; at += block {
		to := dst[at:min(at+block, k.n)]
		for _, p := range k.planes {
			// word returns a word of the plane, counted from the group of the
			// block's first element.
			word := func(w int) uint32 {
				return src[p.offset+(at/p.Elements*p.Words+w)*k.padded+row]
			}
			if p.Kind == PlaneValues {
				var unit [4 * Unit]byte
				for w := range p.Words {
					binary.LittleEndian.PutUint32(unit[4*w:], word(w))
				}
				k.f.decode(to, unit[:])
				continue
			}
			p.unpack(&parts, word, at, k.f)
		}
		if !k.f.Layout.Plain {
			k.f.Layout.values(to, &parts)
		}
	}
}

// unpack sets what the plane holds of the block that starts at an element.
func (p *stepPlane) unpack(parts *Parts, word func(int) uint32, element int, f *Format) {
	switch p.Kind {
	case PlaneQuants:
		fields := 32 / p.Bits
		for i := range parts.Quants[:f.BlockElements] {
			q := word(i/fields) >> (i % fields * p.Bits) & (1<<p.Bits - 1) << p.Shift
			if p.Shift == 0 {
				parts.Quants[i] = 0
			}
			parts.Quants[i] |= int8(q)
		}
	case PlaneHalves:
		if f.Layout.Min {
			parts.D, parts.M = F16ToF32(uint16(word(0))), F16ToF32(uint16(word(0)>>16))
		} else {
			parts.D = F16ToF32(uint16(word(0) >> (element % p.Elements / Unit * 16)))
		}
	case PlaneSubScales:
		for s := range 4 * p.Words {
			parts.Scales[s] = int8(word(s/4) >> (s % 4 * 8))
		}
	case PlaneSubMins:
		for s := range 4 * p.Words {
			parts.Mins[s] = uint8(word(s/4) >> (s % 4 * 8))
		}
	case PlaneD:
		parts.D = math.Float32frombits(word(0))
	case PlaneM:
		parts.M = math.Float32frombits(word(0))
	}
}
