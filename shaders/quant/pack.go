package quant

import (
	"encoding/binary"
	"fmt"
	"math"
)

// tileRows is how many rows are packed side by side. Words of adjacent rows are
// adjacent in a plane and words of a row far apart, often by a power of two
// that maps them all to the same cache lines; so a few blocks of 16 rows are
// packed into a tile on the stack, and each of its lines goes out whole.
const tileRows = 16

// tileWords is room for the words of one row in a tile: what the planes of the
// widest format hold for 256 elements, or for a unit of a plain one.
const tileWords = 72

// Pack writes a whole matrix [rows, n] to the planes of a device. src is its
// rows of blocks; dst takes [Format.PlaneOffsets]' total of words. It fails with
// [ErrLength] where these do not match, or where n is not a multiple of
// BlockElements.
func (f *Format) Pack(dst []uint32, src []byte, rows, n int) error {
	size, err := f.RowBytes(n)
	if err != nil {
		return fmt.Errorf("quant: pack: %w", err)
	}
	if rows < 0 || size > 0 && (len(src)%size != 0 || len(src)/size != rows) {
		return fmt.Errorf("quant: pack %s [%d, %d]: %w: %d bytes", f.Name, rows, n, ErrLength, len(src))
	}
	return f.PackRows(dst, src, 0, rows, n)
}

// PackRows writes some rows of a matrix [rows, n]: src holds whole rows, the
// first of which is row0. dst is that of the whole matrix, and calls for other
// rows may run at the same time. The call that has the last row also clears the
// words of the rows that [PadRows] adds. It fails as [Format.Pack] does.
func (f *Format) PackRows(dst []uint32, src []byte, row0, rows, n int) error {
	size, err := f.RowBytes(n)
	if err != nil {
		return fmt.Errorf("quant: pack: %w", err)
	}
	if row0 < 0 || rows < row0 || size == 0 || len(src)%size != 0 || len(src)/size > rows-row0 {
		return fmt.Errorf("quant: pack %s [%d, %d]: %w: %d bytes from row %d", f.Name, rows, n, ErrLength, len(src), row0)
	}
	k, err := newPacking(f, len(dst), rows, n)
	if err != nil {
		return fmt.Errorf("quant: pack %s [%d, %d]: %w", f.Name, rows, n, err)
	}
	for len(src) > 0 {
		count := min(len(src)/size, tileRows)
		padding := 0
		if row0+count == rows {
			padding = k.padded - rows
		}
		k.pack(dst[row0:], src[:count*size], size, count, padding)
		src, row0 = src[count*size:], row0+count
	}
	return nil
}

// packing is how the rows of one matrix are laid out, in steps: the least span
// of elements of which each plane holds whole groups.
type packing struct {
	f      *Format
	n      int // elements of a row
	padded int // rows of the planes
	step   int // elements of a step
	planes []stepPlane
	parts  Parts // of the block in hand
}

// stepPlane is a plane, and where its words of a step are.
type stepPlane struct {
	Plane
	offset int // words before the plane
	tile   int // words of the step before the plane's
	groups int // groups of a row
}

func newPacking(f *Format, words, rows, n int) (*packing, error) {
	// No format has more than a word for each element of padded rows and steps.
	if rows > math.MaxInt-RowAlign || n > math.MaxInt-BlockMax || PadRows(rows) > math.MaxInt/(n+BlockMax) {
		return nil, fmt.Errorf("%w: too many elements", ErrLength)
	}
	offsets, total := f.PlaneOffsets(rows, n)
	if words != total {
		return nil, fmt.Errorf("%w: %d words for the planes' %d", ErrLength, words, total)
	}
	k := &packing{f: f, n: n, padded: PadRows(rows)}
	planes := f.Planes()
	for _, p := range planes {
		k.step = max(k.step, p.Elements)
	}
	tile := 0
	for i, p := range planes {
		k.planes = append(k.planes, stepPlane{Plane: p, offset: offsets[i], tile: tile, groups: p.Groups(n)})
		tile += k.step / p.Elements * p.Words
	}
	return k, nil
}

// pack packs count rows of src, and as many rows of zeros as padding says, to
// the front of dst's rows.
func (k *packing) pack(dst []uint32, src []byte, size, count, padding int) {
	var tile [tileWords * tileRows]uint32
	for at := 0; at < k.n; at += k.step {
		for r := range count {
			row := src[r*size : r*size+size]
			if k.f.Layout.Plain {
				packValues(tile[r:], row, at*k.f.BlockBytes, k.planes[0].Words)
				continue
			}
			for e := at; e < min(at+k.step, k.n); e += k.f.BlockElements {
				block := row[e/k.f.BlockElements*k.f.BlockBytes:]
				k.f.split(block[:k.f.BlockBytes], &k.parts)
				for i := range k.planes {
					k.planes[i].pack(tile[r:], &k.parts, e-at, k.f)
				}
			}
		}
		for i := range k.planes {
			p := &k.planes[i]
			first := at / p.Elements
			lines := min(k.step/p.Elements, p.groups-first) * p.Words
			for line := range lines {
				to := dst[p.offset+(first*p.Words+line)*k.padded:]
				from := tile[(p.tile+line)*tileRows:]
				copy(to[:count], from[:count])
				clear(to[count : count+padding])
			}
		}
	}
}

// packValues packs a unit of a row of a plain format, from byte at. The last
// unit may be short.
func packValues(tile []uint32, row []byte, at, words int) {
	var padded [4 * Unit]byte
	unit := row[at:]
	if len(unit) < 4*words {
		copy(padded[:], unit)
		unit = padded[:]
	}
	for w := range words {
		tile[w*tileRows] = binary.LittleEndian.Uint32(unit[4*w:])
	}
}

// pack packs what the plane holds of a block, which starts at an element of the
// step. Words of the row are tileRows apart in the tile.
func (p *stepPlane) pack(tile []uint32, parts *Parts, element int, f *Format) {
	tile = tile[(p.tile+element/p.Elements*p.Words)*tileRows:]
	switch p.Kind {
	case PlaneQuants:
		for unit := 0; unit < f.BlockElements; unit += Unit {
			packQuants(tile[unit/Unit*p.Words*tileRows:], parts.Quants[unit:unit+Unit], p.Bits, p.Shift)
		}
	case PlaneHalves:
		d := uint32(F32ToF16(parts.D))
		switch {
		case f.Layout.Min:
			tile[0] = d | uint32(F32ToF16(parts.M))<<16
		case element%p.Elements == 0:
			tile[0] = d // the odd unit's half is zero unless there is one
		default:
			tile[0] |= d << 16
		}
	case PlaneSubScales:
		for w := range p.Words {
			s := parts.Scales[4*w : 4*w+4]
			tile[w*tileRows] = uint32(uint8(s[0])) | uint32(uint8(s[1]))<<8 | uint32(uint8(s[2]))<<16 | uint32(uint8(s[3]))<<24
		}
	case PlaneSubMins:
		for w := range p.Words {
			tile[w*tileRows] = binary.LittleEndian.Uint32(parts.Mins[4*w:])
		}
	case PlaneD:
		tile[0] = math.Float32bits(parts.D)
	case PlaneM:
		tile[0] = math.Float32bits(parts.M)
	}
}

// packQuants packs the bit plane of a unit of quants.
func packQuants(tile []uint32, q []int8, bits, shift int) {
	mask := each(1<<bits - 1)
	switch bits {
	case 8:
		for w := range 4 {
			v := load8(q[8*w:])
			tile[2*w*tileRows], tile[(2*w+1)*tileRows] = uint32(v), uint32(v>>32)
		}
	case 4:
		for w := range 4 {
			tile[w*tileRows] = uint32(squeeze(load8(q[8*w:])>>shift&mask, 4))
		}
	case 2:
		for w := range 2 {
			low := squeeze(load8(q[16*w:])>>shift&mask, 2)
			high := squeeze(load8(q[16*w+8:])>>shift&mask, 2)
			tile[w*tileRows] = uint32(low | high<<16)
		}
	case 1:
		word := uint64(0)
		for b := range 4 {
			word |= squeeze(load8(q[8*b:])>>shift&mask, 1) << (8 * b)
		}
		tile[0] = uint32(word)
	}
}
