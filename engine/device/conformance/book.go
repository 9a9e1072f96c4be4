package conformance

import (
	"slices"

	"github.com/realm-webgpu/realm/engine/device"
)

// book keeps the block tables of a case's sequences, and how far each has come.
type book struct {
	tables  [][]int32
	lengths []int32
	spare   []int32 // pages of no sequence
}

// newBook deals the pages of a cache out to sequences of so many pages each, in
// no order, so that a device that reads past a table or mixes two up is seen.
func newBook(pages int, each ...int) *book {
	b := &book{lengths: make([]int32, len(each))}
	for _, page := range random("pages").Perm(pages) {
		b.spare = append(b.spare, int32(page))
	}
	for _, n := range each {
		b.tables = append(b.tables, b.spare[:n:n])
		b.spare = b.spare[n:]
	}
	return b
}

// run is consecutive tokens of a sequence.
type run struct {
	sequence int
	tokens   []int32
}

// step appends the runs to their sequences, and returns the step that computes
// them. All rows want output.
func (b *book) step(runs ...run) *device.Step {
	s := &device.Step{}
	for _, r := range runs {
		for _, token := range r.tokens {
			s.Outputs = append(s.Outputs, int32(len(s.Tokens)))
			s.Tokens = append(s.Tokens, token)
			s.Positions = append(s.Positions, b.lengths[r.sequence])
			s.Sequences = append(s.Sequences, int32(r.sequence))
			b.lengths[r.sequence]++
		}
	}
	for _, table := range b.tables {
		s.BlockTables = append(s.BlockTables, slices.Clone(table))
	}
	s.Lengths = slices.Clone(b.lengths)
	return s
}
