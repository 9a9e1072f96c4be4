package simd

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// TileRows is the number of rows of a tile.
const TileRows = 16

// unit is the number of elements that share a scale of activations.
const unit = quant.Unit

// Packing is how rows of a format and a length are packed: see the package's
// comment.
type Packing struct {
	format *quant.Format
	layout *quant.Layout
	units  int // of a row
	blocks int // of a row

	unitBytes             int // of quants
	mins, d, m, quants    int // where they begin: scales do at 0
	size                  int
	halves, pairs, hasMin bool // D and M are float16; scale and minimum share a byte
}

// NewPacking returns the packing of rows of columns elements. It fails with
// device.ErrUnsupported for a format that is not packed.
func NewPacking(f *quant.Format, columns int) (*Packing, error) {
	l := &f.Layout
	if l.Plain || columns%f.BlockElements != 0 || columns == 0 {
		return nil, fmt.Errorf("simd: packing: %s rows of %d: %w", f.Name, columns, device.ErrUnsupported)
	}
	bits := 0
	for _, b := range l.Bits {
		bits += b
	}
	p := &Packing{
		format: f, layout: l, units: columns / unit, blocks: columns / f.BlockElements,
		unitBytes: bits * unit / 8 * TileRows,
		halves:    !l.Super || l.SubScales,
		pairs:     l.SubScales && l.Min && l.Sub < unit,
		hasMin:    l.Min,
	}
	subs, at := columns/l.Sub*TileRows, 0
	if l.SubScales {
		at += subs
	}
	p.mins = at
	if l.SubScales && l.Min && !p.pairs {
		at += subs
	}
	p.d = at
	number := 4
	if p.halves {
		number = 2
	}
	at += number * p.blocks * TileRows
	p.m = at
	if l.Min {
		at += number * p.blocks * TileRows
	}
	p.quants = (at + line - 1) &^ (line - 1)
	p.size = p.quants + p.units*p.unitBytes
	return p, nil
}

// TileBytes returns the bytes of a tile.
func (p *Packing) TileBytes() int { return p.size }

// planes returns the widths of the planes as hexadecimal digits.
func (p *Packing) planes() int {
	code := 0
	for _, b := range p.layout.Bits {
		code = code<<4 | b
	}
	return code
}

// PackTile packs up to TileRows rows of the format, which follow each other, into a
// tile whose bytes were zero. It fails with device.ErrUnsupported where a row has what
// the packing has no room for.
func (p *Packing) PackTile(tile, rows []byte, parts *quant.Parts) error {
	size, units := p.format.BlockBytes, p.format.BlockElements/unit
	rowBytes := p.blocks * size
	// A block of all rows before the next one: their words share cache lines.
	for block := range p.blocks {
		for row := 0; row*rowBytes < len(rows); row++ {
			p.format.Split(rows[row*rowBytes+block*size:][:size], parts)
			for u := range units {
				p.packUnit(tile[p.quants+(block*units+u)*p.unitBytes+4*row:], parts.Quants[u*unit:(u+1)*unit])
			}
			if err := p.packScales(tile, row, block, parts); err != nil {
				return err
			}
		}
	}
	return nil
}

// each repeats a byte in the eight bytes of a word.
func each(b uint64) uint64 { return b * 0x0101010101010101 }

// packUnit packs 32 quants of a row into every sixteenth word.
func (p *Packing) packUnit(out []byte, quants []int8) {
	q := (*[unit]byte)(unsafe.Pointer((*[unit]int8)(quants)))
	var eights [4]uint64 // of elements: two words each
	for i := range eights {
		eights[i] = binary.LittleEndian.Uint64(q[8*i:])
	}
	shift := 0
	for _, bits := range p.layout.Bits {
		mask := each(1<<bits - 1)
		a, b, c, d := eights[0]>>shift&mask, eights[1]>>shift&mask, eights[2]>>shift&mask, eights[3]>>shift&mask
		// Where group puts every other field of a word into the lower half of such
		// an eight, and those between into the upper one, a shift joins them.
		plane := out[shift*line:]
		switch bits {
		case 8:
			putPair(plane, a)
			putPair(plane[2*line:], b)
			putPair(plane[4*line:], c)
			putPair(plane[6*line:], d)
		case 4:
			putPair(plane, a|c<<4)
			putPair(plane[2*line:], b|d<<4)
		case 2:
			ab, cd := a|b<<4, c|d<<4
			binary.LittleEndian.PutUint32(plane, uint32(ab|ab>>32<<2))
			binary.LittleEndian.PutUint32(plane[line:], uint32(cd|cd>>32<<2))
		case 1:
			all := a | b<<2 | c<<4 | d<<6
			binary.LittleEndian.PutUint32(plane, uint32(all|all>>32<<1))
		}
		shift += bits
	}
}

// line is the bytes of a vector: a word of each row of the tile.
const line = 4 * TileRows

// putPair writes two words of a row.
func putPair(out []byte, words uint64) {
	binary.LittleEndian.PutUint32(out, uint32(words))
	binary.LittleEndian.PutUint32(out[line:], uint32(words>>32))
}

// group returns which four elements of a unit field f of a plane's vector v has.
func group(bits, v, f int) int {
	if bits == 4 {
		return v + 4*f
	}
	return v*(8/bits) + f
}

func (p *Packing) packScales(tile []byte, row, block int, parts *quant.Parts) error {
	l := p.layout
	if l.SubScales {
		subs := p.format.BlockElements / l.Sub
		for s := range subs {
			at := (block*subs+s)*TileRows + row
			if p.pairs {
				if parts.Scales[s]&^15 != 0 || parts.Mins[s]&^15 != 0 {
					return fmt.Errorf("simd: pack %s: a scale over 15: %w", p.format.Name, device.ErrUnsupported)
				}
				tile[at] = uint8(parts.Scales[s]) | parts.Mins[s]<<4
				continue
			}
			tile[at] = uint8(parts.Scales[s])
			if l.Min {
				tile[p.mins+at] = parts.Mins[s]
			}
		}
	}
	at := block*TileRows + row
	if err := p.putNumber(tile[p.d:], at, parts.D); err != nil || !l.Min {
		return err
	}
	return p.putNumber(tile[p.m:], at, parts.M)
}

func (p *Packing) putNumber(out []byte, i int, x float32) error {
	if !p.halves {
		binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(x))
		return nil
	}
	half := quant.F32ToF16(x)
	if back := quant.F16ToF32(half); back != x && x == x {
		return fmt.Errorf("simd: pack %s: scale %v is no float16: %w", p.format.Name, x, device.ErrUnsupported)
	}
	binary.LittleEndian.PutUint16(out[2*i:], half)
	return nil
}

func (p *Packing) number(in []byte, i int) float32 {
	if !p.halves {
		return math.Float32frombits(binary.LittleEndian.Uint32(in[4*i:]))
	}
	return quant.F16ToF32(binary.LittleEndian.Uint16(in[2*i:]))
}

// Block takes a block of a row of a tile apart, as the format's Split does.
func (p *Packing) Block(tile []byte, row, block int, parts *quant.Parts) {
	l, units := p.layout, p.format.BlockElements/unit
	for u := range units {
		p.unpackUnit(parts.Quants[u*unit:(u+1)*unit], tile[p.quants+(block*units+u)*p.unitBytes:], row)
	}
	if l.SubScales {
		subs := p.format.BlockElements / l.Sub
		for s := range subs {
			at := (block*subs+s)*TileRows + row
			scale := tile[at]
			switch {
			case p.pairs:
				parts.Scales[s], parts.Mins[s] = int8(scale&15), scale>>4
			case l.Min:
				parts.Scales[s], parts.Mins[s] = int8(scale), tile[p.mins+at]
			default:
				parts.Scales[s] = int8(scale)
			}
		}
	}
	parts.D = p.number(tile[p.d:], block*TileRows+row)
	if l.Min {
		parts.M = p.number(tile[p.m:], block*TileRows+row)
	}
}

func (p *Packing) unpackUnit(quants []int8, in []byte, row int) {
	clear(quants)
	shift := 0
	for _, bits := range p.layout.Bits {
		mask := uint32(each(1<<bits - 1))
		for v := range bits {
			word := binary.LittleEndian.Uint32(in[line*v+4*row:])
			for f := range 8 / bits {
				four := word >> (bits * f) & mask << shift
				q := quants[4*group(bits, v, f):][:4]
				q[0] |= int8(four)
				q[1] |= int8(four >> 8)
				q[2] |= int8(four >> 16)
				q[3] |= int8(four >> 24)
			}
		}
		in = in[line*bits:]
		shift += bits
	}
}
