package conformance

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
)

func adapterCases(Size) []Case {
	return []Case{{Name: "adapter", Op: "adapter", run: adapters}}
}

// adapters adds adapters of several slots and of none to rows of one step, of rows
// and of outputs, for one product and for three side by side. A row is the same
// whoever rides along.
func adapters(l *lab) {
	const columns, tokens = 172, 12
	slots, scales := []int32{0, 2, -1, 1, 0, -1, 2, 2, 1, -1, 0, 1}, []float32{1, 0.5, 3, -2, 1, 1, 0.5, 0.25, 1, 1, 1, 2}
	table := l.inputs(tokens, columns, normal("adapter inputs", 1))
	for _, parts := range [][]int{{64}, {68, 20, 12}, {100, 36}} {
		for _, rank := range []int{4, 12} {
			bank := l.bank(3, rank, columns, parts)
			if l.err != nil {
				return
			}
			plain := l.inputs(tokens, bank.Rows(), normal("adapter results", 1))
			for _, rows := range []int{1, 4, 8} {
				p := l.probe(fmt.Sprintf("adapter of rank %d on %v", rank, parts), rows, nil)
				p.label = func(s *device.Step, row int) string {
					return fmt.Sprintf("row %d of rank %d on %v", s.Tokens[row], rank, parts)
				}
				x, out := p.embed(table), p.embed(plain)
				mid := p.NewBuffer(bank.Width())
				p.Add(&device.AdapterDown{Out: mid, X: x, Bank: bank}, &device.AdapterUp{Out: out, X: mid, Bank: bank})
				p.watch("rows", out, boundSum)
				gathered, result, between := p.NewOutput(columns), p.NewOutput(bank.Rows()), p.NewOutput(bank.Width())
				again := p.embed(plain)
				p.Add(&device.Gather{Out: gathered, X: x}, &device.Gather{Out: result, X: again})
				p.Add(&device.AdapterDown{Out: between, X: gathered, Bank: bank}, &device.AdapterUp{Out: result, X: between, Bank: bank})
				p.watch("outputs", result, boundSum)
				p.compile()
				for first := 0; first < tokens; first += rows {
					s := stepOf(count(first, min(rows, tokens-first))...)
					for _, token := range s.Tokens {
						s.Adapters = append(s.Adapters, slots[token])
						s.Scales = append(s.Scales, scales[token])
					}
					p.step(s)
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
