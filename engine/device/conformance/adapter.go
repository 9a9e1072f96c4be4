package conformance

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
)

func adapterCases(Size) []Case {
	return []Case{{Name: "adapter", Op: "matmul", run: adapters}}
}

// adapters adds adapters of several slots and of none to products of rows and of outputs,
// of one part and of three. A row is the same whoever rides along: more rows of its
// adapter than are computed together, or none.
func adapters(l *lab) {
	const tokens = 24
	slots, scales := []int32{0, 2, -1, 1, 0, -1, 2, 2, 1, -1, 0, 1}, []float32{1, 0.5, 3, -2, 1, 1, 0.5, 0.25, 1, 1, 1, 2}
	for _, c := range []struct {
		format    string
		columns   int
		magnitude magnitude
	}{
		{"F32", 172, plain},
		{"Q4_0", 192, zero}, // nothing but the adapters', which rounded inputs would hide
	} {
		s := stockOf(c.format)
		r := random("adapter " + c.format)
		table := l.inputs(tokens, c.columns, normal("adapter inputs", 1))
		for _, parts := range [][]int{{64}, {68, 20, 12}, {100, 36}} {
			for _, rank := range []int{4, 12} {
				bank := l.bank(3, rank, c.columns, parts)
				if l.err != nil {
					return
				}
				weight := l.upload("adapted", s.format, s.part(l, r, bank.Rows(), c.columns, c.magnitude))
				bias := l.noise(r, bank.Rows())
				for _, rows := range []int{1, 4, 16} {
					p := l.probe(fmt.Sprintf("adapter of rank %d on %s %v", rank, c.format, parts), rows, nil)
					p.label = func(s *device.Step, row int) string {
						return fmt.Sprintf("row %d of rank %d on %s %v", s.Tokens[row], rank, c.format, parts)
					}
					x, out := p.embed(table), p.NewBuffer(bank.Rows())
					p.Add(&device.MatMul{Out: out, X: x, Weight: weight, Bias: bias, Bank: bank})
					p.watch("rows", out, boundSum)
					gathered, result := p.NewOutput(c.columns), p.NewOutput(bank.Rows())
					p.Add(&device.Gather{Out: gathered, X: x}, &device.MatMul{Out: result, X: gathered, Weight: weight, Bank: bank})
					p.watch("outputs", result, boundSum)
					p.compile()
					for first := 0; first < tokens; first += rows {
						s := stepOf(count(first, min(rows, tokens-first))...)
						for _, token := range s.Tokens {
							slot, scale := int32(2), float32(0.5) // of all that come after those of the tables
							if int(token) < len(slots) {
								slot, scale = slots[token], scales[token]
							}
							s.Adapters, s.Scales = append(s.Adapters, slot), append(s.Scales, scale)
						}
						p.step(s)
					}
				}
			}
		}
	}
}

// bank makes a bank of random numbers on both sides.
func (l *lab) bank(slots, rank, columns int, parts []int) *device.Bank {
	b := &device.Bank{Slots: slots, Rank: rank, Columns: columns, Parts: parts}
	down, up := b.SlotBytes()
	value := normal("bank", 0.1)
	b.Down = l.storage(slots, int(down/4), value)
	b.Up = l.storage(slots, int(up/4), value)
	return b
}
