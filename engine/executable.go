package engine

import (
	"fmt"
	"math/bits"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/model"
)

// choice is what a program does with its output rows.
type choice struct {
	topK   int  // candidates; the best of them is the token chosen
	sample bool // draw the token from the candidates
	hidden bool // rows are hidden states, and not logits; nothing is chosen
}

// The choices of programs.
var (
	best       = choice{topK: 1}
	candidates = choice{topK: device.MaxTopK}
	draw       = choice{topK: device.MaxTopK, sample: true}
	everything = choice{} // the rows themselves
	states     = choice{hidden: true}
)

// programKey says which program of a model is meant.
type programKey struct {
	rows    int // the bucket: a power of two
	outputs int // 0, or the bucket of the rows that want logits
	choice  choice
}

// executable is a compiled program, and where its output rows are.
type executable struct {
	device.Executable
	output device.View // logits [outputs, vocab], or hidden states [outputs, embedding]
}

// bucket returns the smallest bucket of n rows.
func bucket(n int) int { return 1 << bits.Len(uint(n-1)) }

// program returns the executable of a key, compiled now if it is the first to
// ask. The caller has the turn.
func (m *Model) program(key programKey) (*executable, error) {
	if x, ok := m.programs[key]; ok {
		return x, nil
	}
	p, output := m.model.Program(m.cache, model.Shape{
		Rows:      key.rows,
		Outputs:   key.outputs,
		Sequences: 1,
		Pages:     pagesOf(m.context),
		TopK:      key.choice.topK,
		Sample:    key.choice.sample,
		Hidden:    key.choice.hidden,
	})
	x, err := m.engine.device.Compile(p)
	if err != nil {
		return nil, fmt.Errorf("engine: compile: %w", err)
	}
	m.programs[key] = &executable{x, output}
	return m.programs[key], nil
}

// pagesOf returns the cache pages of so many tokens.
func pagesOf(tokens int) int { return (tokens + device.PageTokens - 1) / device.PageTokens }
