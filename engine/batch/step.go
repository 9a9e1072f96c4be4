package batch

import (
	"time"

	"github.com/realm-webgpu/realm/engine/device"
)

// maxSequences is the most sequences of a step.
const maxSequences = 64

// entry is the part of a step that is a run's: rows of the tokens [from, to).
type entry struct {
	run     *Run
	epoch   int
	from    int
	to      int
	outputs int  // of the last rows
	first   int  // the place of the first output in the step
	chosen  bool // its one row is of the token that the step before chose
	final   bool // nothing is left to be read after it
}

// flight is a step that was submitted, and in the end its result.
type flight struct {
	model      *Model
	executable *executable
	result     device.Result
	entries    []entry
	rows       int
	inAir      bool
	exact      bool      // its rows are read before the next step
	submitted  time.Time // or when the step before it was done
}

// step is a device.Step whose slices are used again.
type step struct {
	device.Step
}

func (s *step) reset() {
	s.Tokens, s.Positions, s.Sequences = s.Tokens[:0], s.Positions[:0], s.Sequences[:0]
	s.BlockTables, s.Lengths = s.BlockTables[:0], s.Lengths[:0]
	s.Outputs, s.Samplers = s.Outputs[:0], s.Samplers[:0]
	s.Adapters, s.Scales = s.Adapters[:0], s.Scales[:0]
}

// add appends the rows of an entry to a step of a program: samplers are there where
// it draws, adapters where rows have some.
func (s *step) add(e *entry, key programKey) {
	q := e.run.sequence
	slot, scale := q.adapted()
	table := int32(len(s.BlockTables))
	for i := e.from; i < e.to; i++ {
		token := device.Chosen(e.run.lastRow)
		if !e.chosen {
			token = q.tokens[i]
		}
		s.Tokens = append(s.Tokens, token)
		s.Positions = append(s.Positions, int32(i))
		s.Sequences = append(s.Sequences, table)
		if key.adapts {
			s.Adapters = append(s.Adapters, slot)
			s.Scales = append(s.Scales, scale)
		}
	}
	s.BlockTables = append(s.BlockTables, q.table.Pages()[:pagesOf(e.to)])
	s.Lengths = append(s.Lengths, int32(e.to))
	e.first = len(s.Outputs)
	for i := e.to - e.outputs; i < e.to; i++ {
		s.Outputs = append(s.Outputs, int32(len(s.Tokens)-(e.to-i)))
		if key.choice.sample {
			draw := e.run.chooser.draw // zero, which takes the best, for those that do not draw
			draw.Position = uint32(i + 1)
			s.Samplers = append(s.Samplers, draw)
		}
	}
}
