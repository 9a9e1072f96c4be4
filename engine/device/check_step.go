package device

import (
	"fmt"
	"math"
)

// CheckStep reports the first thing in a step that does not fit a program that
// passed Check: every backend calls it first in Submit. What it returns wraps
// [ErrStep] and names the field, the index and the limit. It allocates nothing
// for a step that fits.
//
// A Chosen token must name an output that the last step had, whatever program
// that was of. Without a cache there are none, and Sequences, BlockTables and
// Lengths have no meaning.
func (p *Program) CheckStep(s *Step) error {
	n := len(s.Tokens)
	if n < 1 || n > p.Rows {
		return p.misfit("Tokens: %d rows are not in 1 to %d", n, p.Rows)
	}
	if len(s.Positions) != n {
		return p.misfit("Positions: %d of them for %d tokens", len(s.Positions), n)
	}
	if len(s.Sequences) != n {
		return p.misfit("Sequences: %d of them for %d tokens", len(s.Sequences), n)
	}
	limits := p.limits()
	for i, token := range s.Tokens {
		if token < 0 && int(-1-token) >= limits.choices {
			return p.misfit("Tokens[%d]: Chosen(%d), but the step before chose %d", i, -1-token, limits.choices)
		}
		if int(token) >= limits.tokens {
			return p.misfit("Tokens[%d]: %d, but the embedding table has %d rows", i, token, limits.tokens)
		}
	}
	for i, position := range s.Positions {
		if position < 0 {
			return p.misfit("Positions[%d]: %d is negative", i, position)
		}
		if int(position) >= limits.positions {
			return p.misfit("Positions[%d]: %d, but the shortest table of positions has %d", i, position, limits.positions)
		}
	}
	if p.Cache != nil {
		if err := p.checkTables(s); err != nil {
			return err
		}
	}
	if len(s.Outputs) > p.Outputs {
		return p.misfit("Outputs: %d of them, at most %d", len(s.Outputs), p.Outputs)
	}
	rows := p.gathers(n)
	for i, row := range s.Outputs {
		if row < 0 || int(row) >= rows {
			return p.misfit("Outputs[%d]: row %d of %d", i, row, rows)
		}
	}
	if err := p.storages(s); err != nil {
		return err
	}
	if err := p.checkAdapters(s, limits.slots); err != nil {
		return err
	}
	if len(s.Samplers) != len(s.Outputs) && (limits.samples || len(s.Samplers) != 0) {
		return p.misfit("Samplers: %d of them for %d outputs", len(s.Samplers), len(s.Outputs))
	}
	return nil
}

// checkTables checks the sequences of a step against their block tables, and
// these against the cache.
func (p *Program) checkTables(s *Step) error {
	if len(s.BlockTables) > p.Sequences {
		return p.misfit("BlockTables: %d sequences, at most %d", len(s.BlockTables), p.Sequences)
	}
	if len(s.Lengths) != len(s.BlockTables) {
		return p.misfit("Lengths: %d of them for %d block tables", len(s.Lengths), len(s.BlockTables))
	}
	pages := p.Cache.Spec().Pages
	for i, table := range s.BlockTables {
		if len(table) > p.Pages {
			return p.misfit("BlockTables[%d]: %d pages, at most %d", i, len(table), p.Pages)
		}
		for j, page := range table {
			if page < 0 || int(page) >= pages {
				return p.misfit("BlockTables[%d][%d]: page %d of %d", i, j, page, pages)
			}
		}
		if length := s.Lengths[i]; length < 0 || int64(length) > int64(len(table))*PageTokens {
			return p.misfit("Lengths[%d]: %d tokens in %d pages of %d", i, length, len(table), PageTokens)
		}
	}
	for i, sequence := range s.Sequences {
		if sequence < 0 || int(sequence) >= len(s.BlockTables) {
			return p.misfit("Sequences[%d]: %d of %d", i, sequence, len(s.BlockTables))
		}
		if s.Positions[i] >= s.Lengths[sequence] {
			return p.misfit("Positions[%d]: %d, but Lengths[%d] is %d", i, s.Positions[i], sequence, s.Lengths[sequence])
		}
	}
	return nil
}

// stepLimits is what a program's operations ask of a step.
type stepLimits struct {
	tokens    int // rows of the smallest embedding table
	positions int // of the shortest table of rope, or of EmbedPosition
	choices   int // outputs that Chosen may name
	samples   bool
	slots     int // of the smallest bank; 0: there is none
}

func (p *Program) limits() stepLimits {
	l := stepLimits{tokens: math.MaxInt32, positions: math.MaxInt32}
	if p.Cache != nil && !p.Aside {
		l.choices = p.Cache.Choices()
	}
	for _, op := range p.Ops {
		switch o := op.(type) {
		case *Embed:
			rows, _ := o.Table.Shape()
			l.tokens = min(l.tokens, rows)
		case *EmbedPosition:
			rows, _ := o.Table.Shape()
			l.positions = min(l.positions, rows)
		case *Rope:
			if o.Table != nil {
				_, columns := o.Table.Shape()
				l.positions = min(l.positions, columns/o.Dimensions)
			}
		case *Sample:
			l.samples = true
		case *MatMul:
			if o.Bank != nil && (l.slots == 0 || o.Bank.Slots < l.slots) {
				l.slots = o.Bank.Slots
			}
		}
	}
	return l
}

// gathers returns the rows that Gathers may ask for in a step of n rows: those
// of the step, or those that every storage they read from has room for.
func (p *Program) gathers(n int) int {
	rows := math.MaxInt
	for _, op := range p.Ops {
		o, ok := op.(*Gather)
		if !ok {
			continue
		}
		b := &p.Buffers[o.X.Buffer]
		if b.Storage == nil {
			rows = min(rows, n)
			continue
		}
		rows = min(rows, int((b.Storage.Bytes()/4-int64(b.Offset))/int64(b.Width)))
	}
	if rows == math.MaxInt {
		return n
	}
	return rows
}

// misfit returns the error of a step: field, index, and the limit it passes.
func (p *Program) misfit(format string, args ...any) error {
	return fmt.Errorf("device: program %q: %s: %w", p.Name, fmt.Sprintf(format, args...), ErrStep)
}
