package quant

import "fmt"

const (
	// Unit is the number of consecutive elements of a row that the planes of
	// every format count in.
	Unit = 32
	// RowAlign is what the number of rows of a packed matrix is rounded up to.
	RowAlign = 8
)

// PlaneKind says what the words of a [Plane] hold.
type PlaneKind uint8

const (
	// PlaneValues holds the elements of a plain format, low half of a word first.
	PlaneValues PlaneKind = iota
	// PlaneQuants holds a bit plane of the quants: Bits of each, from bit Shift
	// of the quant up, first element in the lowest bits of the first word.
	PlaneQuants
	// PlaneHalves holds float16 bits. Without a minimum a word spans two units:
	// D of the even one in the low half, D of the odd one in the high half. With
	// a minimum a word spans one unit: D in the low half, M in the high half.
	PlaneHalves
	// PlaneSubScales holds the signed 8-bit scales of a super-block, four a word.
	PlaneSubScales
	// PlaneSubMins holds the unsigned 8-bit minimums of a super-block, four a word.
	PlaneSubMins
	// PlaneD holds D of a super-block as float32 bits.
	PlaneD
	// PlaneM holds M of a super-block as float32 bits.
	PlaneM
)

// String returns the name of the kind as documents and shaders spell it.
func (k PlaneKind) String() string {
	names := [...]string{"values", "quants", "halves", "sub_scales", "sub_mins", "d", "m"}
	if int(k) >= len(names) {
		return fmt.Sprintf("PlaneKind(%d)", uint8(k))
	}
	return names[k]
}

// Plane is one array of 32-bit words of a packed matrix, in the order
// [group][word][row]: the word w of group g of row r is at
//
//	(g*Words + w)*PadRows(rows) + r
//
// from the start of the plane.
type Plane struct {
	Kind     PlaneKind
	Words    int // 32-bit words of a group
	Elements int // consecutive elements of a row that a group spans
	Bits     int // PlaneQuants: bits of each quant in this plane
	Shift    int // PlaneQuants: position in the quant of the lowest of them
}

// Groups returns how many groups of the plane a row of n elements has; the last
// may be padded with zeros.
func (p Plane) Groups(n int) int { return (n + p.Elements - 1) / p.Elements }

// PadRows returns the number of rows that the planes of a matrix have: rows,
// rounded up to a multiple of [RowAlign]. The words of the added rows are zero.
func PadRows(rows int) int { return (rows + RowAlign - 1) / RowAlign * RowAlign }

// Planes returns the planes of the format, in their order in a packed matrix.
func (f *Format) Planes() []Plane {
	l := &f.Layout
	if l.Plain {
		return []Plane{{Kind: PlaneValues, Words: Unit * f.BlockBytes / 4, Elements: Unit}}
	}
	var planes []Plane
	shift := 0
	for _, bits := range l.Bits {
		planes = append(planes, Plane{Kind: PlaneQuants, Words: bits, Elements: Unit, Bits: bits, Shift: shift})
		shift += bits
	}
	if !l.Super {
		span := 2 * Unit
		if l.Min {
			span = Unit
		}
		return append(planes, Plane{Kind: PlaneHalves, Words: 1, Elements: span})
	}
	if l.SubScales {
		words := BlockMax / l.Sub / 4
		planes = append(planes, Plane{Kind: PlaneSubScales, Words: words, Elements: BlockMax})
		if l.Min {
			planes = append(planes, Plane{Kind: PlaneSubMins, Words: words, Elements: BlockMax})
		}
	}
	planes = append(planes, Plane{Kind: PlaneD, Words: 1, Elements: BlockMax})
	if l.Min {
		planes = append(planes, Plane{Kind: PlaneM, Words: 1, Elements: BlockMax})
	}
	return planes
}

// PlaneOffsets returns where each plane of a packed matrix [rows, n] starts, in
// words, and how many words there are in all. The order is that of
// [Format.Planes].
func (f *Format) PlaneOffsets(rows, n int) (offsets []int, total int) {
	padded := PadRows(rows)
	for _, p := range f.Planes() {
		offsets = append(offsets, total)
		total += p.Groups(n) * p.Words * padded
	}
	return offsets, total
}
