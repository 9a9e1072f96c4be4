package simd

// Numbers returns what a kernel in C is told of a packing: its layout, where the parts of
// a tile begin, its bytes, and the units of a row.
func (p *Packing) Numbers() []int {
	number := map[bool]int{true: 1}
	l := p.layout
	return []int{p.planes(), l.Sub, number[l.Super], number[l.SubScales], number[l.Min], p.mins, p.d, p.m, p.quants, p.size, p.units}
}
