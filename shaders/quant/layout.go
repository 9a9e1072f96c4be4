package quant

// BlockMax is the largest number of elements in a block of any format.
const BlockMax = 256

// Layout says what a block of a format is made of once it has been taken apart
// (see [Parts]), and so also which planes a device stores (see [Format.Planes]).
// Everything that works on weights is written against a Layout, never against
// the name of a format.
//
// Weight i of a block is, in float32 with each product rounded by itself,
//
//	scale(s) * float32(Quants[i]-Offset) - min(s),  s = i / Sub
//
// where [Layout.Scale] gives scale(s) and min(s).
type Layout struct {
	// Plain is true of F32, F16 and BF16: elements stand for themselves, and only
	// Exponent applies.
	Plain bool
	// Exponent is the width of a plain element's exponent: 5 bits is IEEE 754's
	// binary16, 8 bits the upper 16 or all 32 bits of its binary32.
	Exponent int
	// Bits are the widths of the bit planes of a quant, from its low bits to
	// its high bits: {4, 1} is a five-bit quant in a plane of nibbles and a
	// plane of single bits. A width is 1, 2, 4 or 8. {8} is a signed byte;
	// every other quant is unsigned.
	Bits []int
	// Offset is subtracted from every quant.
	Offset int
	// Sub is the number of elements that share a scale: 16 or 32.
	Sub int
	// Super is true of blocks of 256 elements whose D and M are float32 on the
	// device. Otherwise a block has 32 elements and D and M are float16 values.
	Super bool
	// SubScales is true where every Sub elements have a signed 8-bit scale,
	// which multiplies D.
	SubScales bool
	// Min is true where a minimum is subtracted: M, or with SubScales M times
	// the unsigned 8-bit minimum of every Sub elements.
	Min bool
}

// Parts is one block, taken apart by [Format.Split]. A block of 32 elements
// fills the first 32 quants only; what the [Layout] says is absent is left as
// it was.
type Parts struct {
	Quants [BlockMax]int8 // as stored, Offset not yet subtracted
	D      float32        // scale of the block
	M      float32        // minimum of the block, subtracted
	Scales [16]int8       // of every Sub elements, with Layout.SubScales
	Mins   [16]uint8      // of every Sub elements, with SubScales and Min
}

// Scale returns the scale and the minimum of elements s*Sub to s*Sub+Sub-1 of a
// block. The minimum is zero where the layout has none.
func (l *Layout) Scale(p *Parts, s int) (scale, min float32) {
	scale = p.D
	if l.SubScales {
		scale = float32(p.D * float32(p.Scales[s]))
	}
	if l.Min {
		min = p.M
		if l.SubScales {
			min = float32(p.M * float32(p.Mins[s]))
		}
	}
	return scale, min
}

// top returns the largest quant as stored, Offset not yet subtracted.
func (l *Layout) top() int {
	bits := 0
	for _, b := range l.Bits {
		bits += b
	}
	return 1<<bits - 1
}

// values writes the weights that a block stands for, len(dst) of them.
func (l *Layout) values(dst []float32, p *Parts) {
	for s := 0; s*l.Sub < len(dst); s++ {
		scale, min := l.Scale(p, s)
		sub := dst[s*l.Sub : s*l.Sub+l.Sub]
		quants := p.Quants[s*l.Sub : s*l.Sub+l.Sub]
		for i, q := range quants {
			sub[i] = float32(scale*float32(int(q)-l.Offset)) - min
		}
	}
}
