package cpu

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
)

// step is a step in flight: its data, and in the end its results. An
// executable has device.InFlight of them, made by Compile.
type step struct {
	executable *executable
	finished   chan error // has the outcome once, when the step is over
	err        error      // that outcome

	tokens    []int32 // [n]
	positions []int32 // [n]
	sequences []int32 // [n]
	outputs   []int32 // [m]
	adapters  []int32 // [n], or none
	scales    []float32
	adapted   [2]adapterRows // of the rows, and of the outputs
	lengths   []int32        // [sequences]
	pages     []int32        // [sequences][Program.Pages]
	samplers  []device.Sampler
	written   int64 // bytes that the host gave

	chosen    []int32 // [m]
	ids       []int32 // [m, K]
	logits    []float32
	logSumExp []float32
}

// newStep makes a step that fits everything a program may take.
func newStep(e *executable) *step {
	p := &e.program
	s := &step{
		executable: e,
		finished:   make(chan error, 1),
		tokens:     make([]int32, 0, p.Rows),
		positions:  make([]int32, 0, p.Rows),
		sequences:  make([]int32, 0, p.Rows),
		outputs:    make([]int32, 0, p.Outputs),
		adapters:   make([]int32, 0, p.Rows),
		scales:     make([]float32, 0, p.Rows),
	}
	if p.Adapts() {
		s.adapted = [2]adapterRows{newAdapterRows(p.Rows), newAdapterRows(p.Outputs)}
	}
	if p.Cache != nil {
		s.lengths = make([]int32, 0, p.Sequences)
		s.pages = make([]int32, p.Sequences*p.Pages)
	}
	if e.topK > 0 {
		s.chosen = make([]int32, p.Outputs)
		s.ids = make([]int32, p.Outputs*e.topK)
		s.logits = make([]float32, p.Outputs*e.topK)
		s.logSumExp = make([]float32, p.Outputs)
		s.samplers = make([]device.Sampler, 0, p.Outputs)
	}
	return s
}

// stepBytes returns the memory of newStep, or near it.
func stepBytes(p *device.Program, topK int) int64 {
	const sampler = 40 // bytes of a device.Sampler
	n := 4 * (5*int64(p.Rows) + int64(p.Outputs))
	if p.Adapts() {
		n += adapterRowBytes * int64(p.Rows+p.Outputs)
	}
	if p.Cache != nil {
		n += 4 * int64(p.Sequences) * (int64(p.Pages) + 1)
	}
	return n + int64(p.Outputs)*(8*int64(topK)+8+sampler)
}

// fill copies a step that CheckStep found good.
func (s *step) fill(from *device.Step) {
	p := &s.executable.program
	s.tokens = append(s.tokens[:0], from.Tokens...)
	s.positions = append(s.positions[:0], from.Positions...)
	s.sequences = append(s.sequences[:0], from.Sequences...)
	s.outputs = append(s.outputs[:0], from.Outputs...)
	s.adapters = append(s.adapters[:0], from.Adapters...)
	s.scales = append(s.scales[:0], from.Scales...)
	if len(s.executable.narrow) > 0 {
		s.adapted[0].sort(s, false)
		s.adapted[1].sort(s, true)
	}
	s.written = 4 * int64(3*len(s.tokens)+len(s.outputs)+2*len(s.adapters))
	if p.Cache != nil {
		s.lengths = append(s.lengths[:0], from.Lengths...)
		for i, table := range from.BlockTables {
			copy(s.pages[i*p.Pages:], table)
			s.written += 4 * int64(len(table)+1)
		}
	}
	if s.executable.topK > 0 {
		s.samplers = append(s.samplers[:0], from.Samplers...)
	}
}

// choices returns the number of ids that the step chooses.
func (s *step) choices() int {
	if s.executable.topK == 0 {
		return 0
	}
	return len(s.outputs)
}

// table returns the pages of the sequence of a row.
func (s *step) table(row int) []int32 {
	pages := s.executable.program.Pages
	at := int(s.sequences[row]) * pages
	return s.pages[at : at+pages]
}

// rows returns the number of rows of a buffer of outputs, or of rows.
func (s *step) rows(outputs bool) int {
	if outputs {
		return len(s.outputs)
	}
	return len(s.tokens)
}

// adapterRows returns the rows, or the outputs, that have adapters.
func (s *step) adapterRows(outputs bool) *adapterRows {
	if outputs {
		return &s.adapted[1]
	}
	return &s.adapted[0]
}

// run is the step's turn on the device.
func (s *step) run() {
	e := s.executable
	for _, k := range e.kernels {
		if e.device.stop.Load() {
			s.err = s.lost()
			return
		}
		k.run(s)
	}
	if e.cache != nil && !e.program.Aside {
		for i := range s.choices() {
			// What follows a NoChoice means nothing, but has to be a token.
			e.cache.chosen[i] = s.chosen[i]
			if s.chosen[i] == device.NoChoice {
				e.cache.chosen[i] = s.ids[i*e.topK]
			}
		}
	}
	e.device.count.dispatches.Add(uint64(len(e.kernels)))
	s.err = nil
}

// tell gives the outcome to who waits for the step.
func (s *step) tell() { s.finished <- s.err }

// drop ends a step that the device does not begin.
func (s *step) drop() { s.finished <- s.lost() }

// lost is why the device does not finish the step.
func (s *step) lost() error {
	err := device.ErrClosed
	if s.executable.device.lost.Load() {
		err = device.ErrLost
	}
	return fmt.Errorf("cpu: step: device: %w", err)
}

// results copies what the step found to r, and returns the bytes.
func (s *step) results(r *device.Result) int64 {
	m, k := s.choices(), s.executable.topK
	r.Chosen = append(r.Chosen[:0], s.chosen[:m]...)
	r.IDs = append(r.IDs[:0], s.ids[:m*k]...)
	r.Logits = append(r.Logits[:0], s.logits[:m*k]...)
	r.LogSumExp = append(r.LogSumExp[:0], s.logSumExp[:m]...)
	return 8 * int64(m) * int64(k+1)
}
