package device

import "math"

// Bank is a place for low-rank adapters (Hu et al. 2021,
// https://arxiv.org/abs/2106.09685) of a product, whose weight may be several matrices
// that are stacked by rows, its parts: Slots of them, padded with zeros to one Rank, in
// memory that the host writes. Each row of a step takes one slot, or none.
type Bank struct {
	Slots   int
	Rank    int   // a multiple of 4
	Columns int   // n_in, a multiple of 4
	Parts   []int // n_out of each part, multiples of 4; at most MaxBankParts
	// Down has [Slots][Columns/4][parts*Rank][4]: four elements of a row of A, then
	// those of the next row. Up has [Slots][Rank][rows]: the columns of B.
	Down, Up Storage
}

// MaxBankParts bounds Bank.Parts: query, key and value.
const MaxBankParts = 3

// Width returns the elements of A · x, of all parts.
func (b *Bank) Width() int { return len(b.Parts) * b.Rank }

// Rows returns n_out of all parts together.
func (b *Bank) Rows() int {
	n := 0
	for _, p := range b.Parts {
		n += p
	}
	return n
}

// SlotBytes returns the bytes of a slot in Down and in Up.
func (b *Bank) SlotBytes() (down, up int64) {
	return 4 * int64(b.Width()) * int64(b.Columns), 4 * int64(b.Rank) * int64(b.Rows())
}

// adapts checks the bank of a product.
func (c *checker) adapts(o *MatMul) {
	b := o.Bank
	c.between("Bank.Slots", b.Slots, 1, maxTable)
	c.between("Bank.Rank", b.Rank, 4, maxWidth/MaxBankParts)
	c.between("Bank.Columns", b.Columns, 4, maxWidth)
	c.between("the parts of Bank", len(b.Parts), 1, MaxBankParts)
	for _, n := range append([]int{b.Rank, b.Columns}, b.Parts...) {
		if n < 4 || n > maxWidth || n%4 != 0 {
			c.fail("Bank", "%d is not a multiple of 4 in 4 to %d", n, maxWidth)
		}
	}
	if c.err != nil {
		return
	}
	down, up := b.SlotBytes()
	if b.Down == nil || b.Up == nil || b.Down.Bytes()/int64(b.Slots) < down || b.Up.Bytes()/int64(b.Slots) < up {
		c.fail("Bank", "its storages have no room for %d slots of %d and %d bytes", b.Slots, down, up)
	}
	c.aligned("Out", o.Out)
	c.equal("Bank.Columns", b.Columns, o.X.Width, "X.Width")
	c.equal("the rows of Bank", b.Rows(), o.Out.Width, "Out.Width")
}

// Adapts reports whether rows of the program's steps have adapters.
func (p *Program) Adapts() bool {
	for _, op := range p.Ops {
		if o, ok := op.(*MatMul); ok && o.Bank != nil {
			return true
		}
	}
	return false
}

// checkAdapters checks a step's adapters.
func (p *Program) checkAdapters(s *Step, slots int) error {
	if slots == 0 {
		if len(s.Adapters)+len(s.Scales) > 0 {
			return p.misfit("Adapters: %d of them for a program that takes none", len(s.Adapters))
		}
		return nil
	}
	if n := len(s.Tokens); len(s.Adapters) != n || len(s.Scales) != n {
		return p.misfit("Adapters: %d of them and %d scales for %d tokens", len(s.Adapters), len(s.Scales), n)
	}
	for i, slot := range s.Adapters {
		if slot < NoAdapter || int(slot) >= slots {
			return p.misfit("Adapters[%d]: slot %d of %d", i, slot, slots)
		}
		if v := float64(s.Scales[i]); math.IsNaN(v) || math.IsInf(v, 0) {
			return p.misfit("Scales[%d]: %v is not finite", i, v)
		}
	}
	return nil
}

// NoAdapter stands in Step.Adapters for a row without one.
const NoAdapter int32 = -1
