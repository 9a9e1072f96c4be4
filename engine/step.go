package engine

import "github.com/realm-webgpu/realm/engine/device"

// step is a device.Step of one sequence, whose slices are used again.
type step struct {
	device.Step
	tables   [1][]int32
	lengths  [1]int32
	outputs  []int32
	samplers [1]device.Sampler
}

func newStep(rows int) step {
	return step{Step: device.Step{
		Tokens:    make([]int32, 0, rows),
		Positions: make([]int32, 0, rows),
		Sequences: make([]int32, 0, rows),
	}, outputs: make([]int32, 0, 1)}
}

// set makes it the step that reads tokens at positions from from on.
func (s *step) set(tokens []int32, from int, pages []int32) {
	s.Tokens = append(s.Tokens[:0], tokens...)
	s.Positions, s.Sequences = s.Positions[:0], s.Sequences[:0]
	for i := range tokens {
		s.Positions = append(s.Positions, int32(from+i))
		s.Sequences = append(s.Sequences, 0)
	}
	s.tables[0], s.lengths[0] = pages, int32(from+len(tokens))
	s.BlockTables, s.Lengths = s.tables[:], s.lengths[:]
	s.Outputs, s.Samplers = nil, nil
}

// want asks for the logits of the last rows, and for the token after the last of
// them, which is that of position.
func (s *step) want(outputs int, c *chooser, position int) {
	s.outputs = s.outputs[:0]
	for row := len(s.Tokens) - outputs; row < len(s.Tokens); row++ {
		s.outputs = append(s.outputs, int32(row))
	}
	s.Outputs = s.outputs
	if c.choice.sample {
		s.samplers[0] = c.draw
		s.samplers[0].Position = uint32(position)
		s.Samplers = s.samplers[:]
	}
}
