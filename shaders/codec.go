package shaders

import (
	"fmt"
	"strings"

	"github.com/realm-webgpu/realm/shaders/quant"
)

// codec writes the statements that turn the planes of a format into numbers.
//
// Its text stands in a kernel that declares
//
//	alias W = vec4<u32>; alias I = vec4<i32>; alias F = vec4<f32>;   (four adjacent rows)
//	alias W = u32;       alias I = i32;       alias F = f32;         (one row)
//	weights: array<W>      tiles of TileRows rows, each in planes of its own
//	p.tile                 the size of a tile, in W
//	p.plane0 ... p.plane5  where each plane of a tile starts, in W
//	row                    where the first row is: tiled(its number), in W
//
// and loops over groups g, units u (32 elements), halves h (16) and octets o
// (8, numbered within the unit), so that each word is loaded once, at the
// level that it spans. Vector r holds the rows at row+r.
type codec struct {
	format *quant.Format
	layout *quant.Layout
	planes []quant.Plane
	// TileRows is the rows of a tile, in W: RowTile, or a quarter of it.
	TileRows int
}

// RowTile is the number of rows that are packed together as planes.
const RowTile = 32

func newCodec(f *quant.Format, rowsOfWord int) *codec {
	return &codec{format: f, layout: &f.Layout, planes: f.Planes(), TileRows: RowTile / rowsOfWord}
}

// GroupUnits is the number of units that share the words loaded by Group.
func (c *codec) GroupUnits() int {
	switch {
	case c.layout.Super:
		return quant.BlockMax / quant.Unit
	case c.layout.Plain || c.layout.Min:
		return 1
	}
	return 2
}

// Plain is true when values need no scale.
func (c *codec) Plain() bool { return c.layout.Plain }

// HalfScales is true when each half of a unit has a scale of its own.
func (c *codec) HalfScales() bool { return !c.layout.Plain && c.layout.Sub == quant.Unit/2 }

// Shifted is true when the sum of the activations takes part: the quants have
// an offset or a minimum.
func (c *codec) Shifted() bool { return c.layout.Offset != 0 || c.layout.Min }

// word is the expression of word w of group index g of a plane, for vector r.
func (c *codec) word(plane int, g, w string, r int) string {
	p := c.planes[plane]
	index := g
	if p.Words > 1 {
		index = fmt.Sprintf("%s * %du", g, p.Words)
	}
	if w != "" {
		index = fmt.Sprintf("(%s + %s)", index, w)
	} else if p.Words > 1 {
		index = "(" + index + ")"
	}
	return fmt.Sprintf("weights[p.plane%d + %s * %du + row + %du]", plane, index, c.TileRows, r)
}

// find returns the index of the plane of a kind, or -1.
func (c *codec) find(kind quant.PlaneKind) int {
	for i, p := range c.planes {
		if p.Kind == kind {
			return i
		}
	}
	return -1
}

// Group loads what all units of group g share.
func (c *codec) Group(r int) string {
	var s strings.Builder
	if i := c.find(quant.PlaneHalves); i >= 0 {
		fmt.Fprintf(&s, "let halves%d = %s;\n", r, c.word(i, "g", "", r))
	}
	if i := c.find(quant.PlaneD); i >= 0 {
		fmt.Fprintf(&s, "let d%d = bitcast<F>(%s);\n", r, c.word(i, "g", "", r))
	}
	if i := c.find(quant.PlaneM); i >= 0 {
		fmt.Fprintf(&s, "let m%d = bitcast<F>(%s);\n", r, c.word(i, "g", "", r))
	}
	return s.String()
}

// Unit loads what spans unit u of group g, its scale among it.
func (c *codec) Unit(r int) string {
	var s strings.Builder
	for i, p := range c.planes {
		if p.Kind == quant.PlaneQuants && p.Words == 1 {
			fmt.Fprintf(&s, "let word%d_%d = %s;\n", i, r, c.word(i, "u", "", r))
		}
	}
	halves, scales, mins := c.find(quant.PlaneHalves), c.find(quant.PlaneSubScales), c.find(quant.PlaneSubMins)
	switch {
	case halves >= 0 && c.layout.Min:
		fmt.Fprintf(&s, "let scale%d = half_float(halves%d & W(0xffffu));\nlet min%d = half_float(halves%d >> W(16u));\n", r, r, r, r)
	case halves >= 0:
		fmt.Fprintf(&s, "let scale%d = half_float((halves%d >> W(16u * (u & 1u))) & W(0xffffu));\n", r, r)
	case scales < 0 && !c.layout.Plain:
		fmt.Fprintf(&s, "let scale%d = d%d;\n", r, r)
	case scales >= 0 && c.HalfScales(): // two bytes a unit, two units a word
		fmt.Fprintf(&s, "let scales%d = %s >> W(16u * (u & 1u));\n", r, c.word(scales, "g", "((u & 7u) >> 1u)", r))
		if mins >= 0 {
			fmt.Fprintf(&s, "let mins%d = %s >> W(16u * (u & 1u));\n", r, c.word(mins, "g", "((u & 7u) >> 1u)", r))
		}
	case scales >= 0: // a byte a unit, four units a word
		fmt.Fprintf(&s, "let scale%d = d%d * F(signed_byte(%s >> W(8u * (u & 3u))));\n", r, r, c.word(scales, "g", "((u & 7u) >> 2u)", r))
		if mins >= 0 {
			fmt.Fprintf(&s, "let min%d = m%d * F((%s >> W(8u * (u & 3u))) & W(255u));\n", r, r, c.word(mins, "g", "((u & 7u) >> 2u)", r))
		}
	}
	return s.String()
}

// Half loads what spans half h of unit u, its scale among it.
func (c *codec) Half(r int) string {
	var s strings.Builder
	for i, p := range c.planes {
		if p.Kind == quant.PlaneQuants && p.Words == 2 {
			fmt.Fprintf(&s, "let word%d_%d = %s;\n", i, r, c.word(i, "u", "h", r))
		}
	}
	if c.HalfScales() {
		fmt.Fprintf(&s, "let scale%d = d%d * F(signed_byte(scales%d >> W(8u * h)));\n", r, r, r)
		if c.layout.Min {
			fmt.Fprintf(&s, "let min%d = m%d * F((mins%d >> W(8u * h)) & W(255u));\n", r, r, r)
		}
	}
	return s.String()
}

// Octet loads the words of octet o of unit u and brings the bits of its first
// element to the bottom of them.
func (c *codec) Octet(r int) string {
	var s strings.Builder
	for i, p := range c.planes {
		if p.Kind != quant.PlaneQuants && p.Kind != quant.PlaneValues {
			continue
		}
		switch words := p.Words / 4; {
		case p.Words == 1:
			fmt.Fprintf(&s, "let bits%d_%d = word%d_%d >> W(8u * o);\n", i, r, i, r)
		case p.Words == 2:
			fmt.Fprintf(&s, "let bits%d_%d = word%d_%d >> W(16u * (o & 1u));\n", i, r, i, r)
		case words == 1:
			fmt.Fprintf(&s, "let bits%d_%d = %s;\n", i, r, c.word(i, "u", "o", r))
		default:
			for w := range words {
				fmt.Fprintf(&s, "let bits%d_%d_%d = %s;\n", i, r, w, c.word(i, "u", fmt.Sprintf("o * %du + %du", words, w), r))
			}
		}
	}
	return s.String()
}

// Value is the expression of element n (0..7) of the octet, an F: a finished
// number for plain formats, else the quant as stored.
func (c *codec) Value(r, n int) string {
	if c.layout.Plain {
		switch words := c.planes[0].Words / 4; {
		case words == 8:
			return fmt.Sprintf("bitcast<F>(bits0_%d_%d)", r, n)
		case c.layout.Exponent == 8:
			if n%2 == 0 {
				return fmt.Sprintf("bitcast<F>(bits0_%d_%d << W(16u))", r, n/2)
			}
			return fmt.Sprintf("bitcast<F>(bits0_%d_%d & W(0xffff0000u))", r, n/2)
		default:
			if n%2 == 0 {
				return fmt.Sprintf("half_float(bits0_%d_%d & W(0xffffu))", r, n/2)
			}
			return fmt.Sprintf("half_float(bits0_%d_%d >> W(16u))", r, n/2)
		}
	}
	var terms []string
	for i, p := range c.planes {
		if p.Kind != quant.PlaneQuants {
			continue
		}
		if p.Bits == 8 {
			return fmt.Sprintf("F(signed_byte(bits%d_%d_%d >> W(%du)))", i, r, n/4, 8*(n%4))
		}
		from, mask := p.Bits*n, (1<<p.Bits-1)<<p.Shift
		bits := fmt.Sprintf("bits%d_%d", i, r)
		switch {
		case from > p.Shift:
			bits = fmt.Sprintf("(%s >> W(%du))", bits, from-p.Shift)
		case from < p.Shift:
			bits = fmt.Sprintf("(%s << W(%du))", bits, p.Shift-from)
		}
		terms = append(terms, fmt.Sprintf("(%s & W(%du))", bits, mask))
	}
	// Through a signed integer: software adapters convert those in one
	// instruction, unsigned ones in five.
	return "F(I(" + strings.Join(terms, " | ") + "))"
}

// Finish is the expression of the contribution to a sum over elements that
// share a scale, from the sum over quants times activations and the sum over
// activations.
func (c *codec) Finish(r int, products, activations string) string {
	switch l := c.layout; {
	case l.Plain:
		return products
	case l.Min:
		return fmt.Sprintf("(scale%d * %s - min%d * %s)", r, products, r, activations)
	case l.Offset != 0:
		return fmt.Sprintf("(scale%d * (%s - %d.0 * %s))", r, products, l.Offset, activations)
	default:
		return fmt.Sprintf("(scale%d * %s)", r, products)
	}
}

// Number is the expression of element n of the octet as the weight it is.
func (c *codec) Number(r, n int) string {
	value := c.Value(r, n)
	if c.layout.Offset != 0 {
		value = fmt.Sprintf("(%s - F(%d.0))", value, c.layout.Offset)
	}
	if c.layout.Plain {
		return value
	}
	if c.layout.Min {
		return fmt.Sprintf("(scale%d * %s - min%d)", r, value, r)
	}
	return fmt.Sprintf("(scale%d * %s)", r, value)
}
