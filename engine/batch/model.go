package batch

import (
	"fmt"
	"math/bits"
	"time"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/kv"
	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/engine/sample"
)

// ModelOptions say what a model may take.
type ModelOptions struct {
	Context    int // the most tokens of one sequence
	StepTokens int // the most rows of a step; 0: what the device takes
}

// Model is a model whose sequences ride in the steps of a scheduler.
type Model struct {
	scheduler *Scheduler
	model     *model.Model
	cache     device.Cache
	pool      *kv.Pool
	context   int // tokens
	chunk     int // rows of a step
	vocab     int // logits of a row
	width     int // elements of a hidden state
	encoder   bool
	whole     bool // sequences are read in one step: attention goes both ways

	// Guarded by the scheduler's lock:
	closed    bool
	programs  map[programKey]*executable
	sequences map[*Sequence]struct{}
	running   int // runs that were taken in and have not ended
	last      *flight
	banks     *model.Banks // nil: no adapters
	tried     uint64       // the last plan in which no step of the model was to be
	turn      uint64       // the last plan that made a step of the model
	full      uint64       // the last plan in which there was no room for a run that waits
	scratch   sample.Scratch
	row       []float32 // [vocab] a row that the host finishes
	cost      cost
	draft     *Model // nil: none
}

// NewModel adds a model. The weights, the cache and its pool stay the caller's,
// who closes the model before they are released. Errors: ErrClosed, and those of
// compiling the program that the first token needs.
func (s *Scheduler) NewModel(w *model.Model, cache device.Cache, pool *kv.Pool, o ModelOptions) (*Model, error) {
	config := w.Config()
	m := &Model{
		scheduler: s,
		model:     w,
		cache:     cache,
		pool:      pool,
		context:   o.Context,
		chunk:     min(s.current().Info().MaxRows, o.Context),
		vocab:     config.VocabularySize,
		width:     config.EmbeddingLength,
		encoder:   config.Encoder,
		whole:     config.Bidirectional,
		programs:  map[programKey]*executable{},
		sequences: map[*Sequence]struct{}{},
	}
	if o.StepTokens > 0 {
		m.chunk = min(m.chunk, o.StepTokens)
	}
	// The first token should not wait for its program.
	first := programKey{rows: 1, outputs: 1, choice: m.fit(best)}
	if m.encoder {
		first.choice = states
	}
	x, err := m.compile(first)
	if err != nil {
		return nil, err
	}
	m.programs[first] = x
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		x.Release()
		return nil, fmt.Errorf("batch: new model: %w", ErrClosed)
	}
	s.models[m] = struct{}{}
	return m, nil
}

// Close ends the runs of the model with ErrClosed and releases its programs, once
// nothing is in flight.
func (m *Model) Close() {
	s := m.scheduler
	s.alone(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closeModel(m)
	})
}

// closeModel is Close when nothing is in flight. The caller holds s.mu.
func (s *Scheduler) closeModel(m *Model) {
	if m.closed {
		return
	}
	m.closed = true
	for _, r := range s.all() {
		if r.model == m {
			s.end(r, fmt.Errorf("engine: model: %w", ErrClosed))
		}
	}
	for x := range s.models {
		if x.draft == m {
			x.draft = nil
			x.dropMirrors()
		}
	}
	m.dropMirrors()
	for _, x := range m.programs {
		x.Release()
	}
	delete(s.models, m)
}

// Chunk returns the most rows of a step.
func (m *Model) Chunk() int { return m.chunk }

// Pool returns the pages of the model's cache.
func (m *Model) Pool() *kv.Pool { return m.pool }

// NewSampler returns a sampler for a Request, which shares its working memory with
// the others of the model.
func (m *Model) NewSampler(spec sample.Spec) (*sample.Sampler, error) {
	return sample.New(spec, m.vocab, &m.scratch)
}

// choice is what a program does with its output rows.
type choice struct {
	topK   int  // candidates; the best of them is the token chosen
	sample bool // draw the token from the candidates
	hidden bool // rows are hidden states, and not logits; nothing is chosen
}

// The choices of programs. Each can do what those before it in the list do, save
// states, which are part of all of them.
var (
	states     = choice{hidden: true}
	everything = choice{} // the rows themselves
	best       = choice{topK: 1}
	candidates = choice{topK: device.MaxTopK}
	draw       = choice{topK: device.MaxTopK, sample: true}
)

// with returns the choice that can do what c and other do.
func (c choice) with(other choice) choice {
	return choice{topK: max(c.topK, other.topK), sample: c.sample || other.sample, hidden: c.hidden && other.hidden}
}

// fit cuts candidates to a small vocabulary.
func (m *Model) fit(c choice) choice {
	c.topK = min(c.topK, m.vocab)
	return c
}

// programKey says which program of a model is meant.
type programKey struct {
	rows    int // the bucket: a power of two
	outputs int // 0, or the bucket of the rows that want logits
	choice  choice
	adapts  bool // rows have adapters
}

// executable is a compiled program, and where its output rows are.
type executable struct {
	device.Executable
	key    programKey
	logits device.View // [outputs, vocab], where the choice has them
	hidden device.View // [outputs, embedding]
	took   time.Duration
}

// bucket returns the smallest bucket of n rows.
func bucket(n int) int { return 1 << bits.Len(uint(n-1)) }

// pagesOf returns the cache pages of so many tokens.
func pagesOf(tokens int) int { return (tokens + device.PageTokens - 1) / device.PageTokens }

// compile makes the program of a key.
func (m *Model) compile(key programKey) (*executable, error) {
	start := time.Now()
	var banks *model.Banks
	if key.adapts {
		if banks = m.banks; banks == nil {
			return nil, fmt.Errorf("engine: compile: %w", ErrAdapter)
		}
	}
	p, output := m.model.Program(m.cache, model.Shape{
		Rows:      key.rows,
		Outputs:   key.outputs,
		Sequences: min(key.rows, maxSequences),
		Pages:     pagesOf(m.context),
		TopK:      key.choice.topK,
		Sample:    key.choice.sample,
		Hidden:    key.choice.hidden,
		Banks:     banks,
	})
	x, err := m.scheduler.current().Compile(p)
	if err != nil {
		return nil, fmt.Errorf("engine: compile: %w", err)
	}
	e := &executable{Executable: x, key: key, logits: output, hidden: output}
	if !key.choice.hidden && !m.encoder && key.outputs > 0 {
		// The product with the vocabulary reads the states.
		for _, op := range p.Ops {
			if o, ok := op.(*device.MatMul); ok && o.Out.Buffer == output.Buffer {
				e.hidden = o.X
			}
		}
	}
	e.took = time.Since(start)
	return e, nil
}
