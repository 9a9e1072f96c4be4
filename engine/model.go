package engine

import (
	"context"
	"fmt"

	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/kv"
	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/engine/sample"
	"github.com/realm-webgpu/realm/engine/token"
)

// LoadOptions say how a model is loaded. The zero value is good.
type LoadOptions struct {
	// Context is the most tokens of one sequence. 0: what the model was trained
	// for.
	Context int
	// CacheTokens is how many tokens the sequences of the model can hold
	// together, forks counting what they do not share. 0: Context.
	CacheTokens int
	// StepTokens is the most tokens that a step reads. Smaller ones let other
	// sequences, and the end of a ctx, in sooner. 0: what the device takes.
	StepTokens int
	// CacheType is how keys and values are kept.
	CacheType device.CacheType
	// Progress, unless nil, is told how many bytes of the weights are on the
	// device, of how many.
	Progress func(done, total int64)
	// Template is the chat template: "" for the file's own, the name of a
	// built-in one, or Jinja text.
	Template string
}

// Model is a model on the device: weights, cache and compiled programs, with
// its vocabulary and chat template.
type Model struct {
	engine    *Engine
	model     *model.Model
	context   int // tokens
	vocab     int // logits of a row
	tokenizer *token.Tokenizer
	template  *chat.Template // nil: none
	chunk     int            // the most tokens of a step
	pool      *kv.Pool

	// Guarded by the runner's turn:
	cache    device.Cache
	programs map[programKey]*executable
	step     step
	scratch  sample.Scratch
	row      []float32 // [vocab] a row that the host finishes
	closed   bool
}

// Load puts the model of a file on the device. The file stays the caller's and
// must stay open until the model is closed. An error leaves nothing behind:
// ErrOption, device.ErrMemory when it does not fit, ctx.Err(), and what
// packages model, token and chat say of the file.
func (e *Engine) Load(ctx context.Context, f *gguf.File, o LoadOptions) (*Model, error) {
	m := &Model{engine: e, programs: map[programKey]*executable{}}
	err := m.load(ctx, f, o)
	if err == nil {
		err = e.adopt(m)
	}
	if err != nil {
		m.release()
		return nil, fmt.Errorf("engine: load: %w", err)
	}
	return m, nil
}

func (m *Model) load(ctx context.Context, f *gguf.File, o LoadOptions) error {
	if o.Context < 0 || o.CacheTokens < 0 || o.CacheTokens > maxCacheTokens || o.StepTokens < 0 {
		return fmt.Errorf("Context %d, CacheTokens %d, StepTokens %d: %w", o.Context, o.CacheTokens, o.StepTokens, ErrOption)
	}
	d := m.engine.device
	var err error
	if m.tokenizer, err = token.New(f); err != nil {
		return err
	}
	if m.template, err = newTemplate(f, m.tokenizer, o.Template); err != nil {
		return err
	}
	spec, err := m.planCache(f, o)
	if err != nil {
		return err
	}
	if m.cache, err = d.NewCache(spec); err != nil {
		return fmt.Errorf("cache of %d tokens (a smaller context takes less): %w", spec.Pages*device.PageTokens, err)
	}
	m.pool = kv.NewPool(spec.Pages, device.PageTokens, m.cache)
	if m.model, err = model.Load(ctx, f, d, model.Options{Context: o.Context, Progress: o.Progress}); err != nil {
		return err
	}
	m.chunk = min(d.Info().MaxRows, m.context)
	if o.StepTokens > 0 {
		m.chunk = min(m.chunk, o.StepTokens)
	}
	m.step = newStep(m.chunk)
	m.vocab = m.model.Config().VocabularySize
	// The first token should not wait for its program.
	if err := m.engine.runner.enter(ctx); err != nil {
		return err
	}
	defer m.engine.runner.leave()
	first := best
	if m.encoder() {
		first = states
	}
	_, err = m.program(programKey{rows: 1, outputs: 1, choice: first})
	return err
}

// encoder reports whether the model has hidden states only, and no next token.
func (m *Model) encoder() bool { return m.model.Config().Encoder }

// planCache returns the cache to make, once it is sure that it and the weights
// are within the bound of the device: gigabytes should not be read to find out.
func (m *Model) planCache(f *gguf.File, o LoadOptions) (device.CacheSpec, error) {
	plan, err := model.Plan(f, o.Context, o.CacheType)
	if err != nil {
		return device.CacheSpec{}, err
	}
	config, err := model.ReadConfig(f)
	if err != nil {
		return device.CacheSpec{}, err
	}
	m.context = plan.Context
	tokens := o.CacheTokens
	if tokens == 0 {
		tokens = m.context
	}
	spec := config.CacheSpec(pagesOf(tokens), o.CacheType)
	weights, memory := min(plan.File, plan.Weights), m.engine.device.Memory()
	if need, used := weights+spec.Bytes(), memory.Total(); memory.Budget > 0 && need > memory.Budget-used {
		return spec, &device.MemoryError{
			Kind:   device.KindWeights,
			Name:   fmt.Sprintf("weights, and a cache of %d tokens", tokens),
			Need:   need,
			Used:   used,
			Budget: memory.Budget,
		}
	}
	return spec, nil
}

// maxCacheTokens is more than any memory holds, and keeps bytes countable.
const maxCacheTokens = 1 << 28

// Close gives back what the model takes on the device. Its sequences fail with
// ErrClosed afterwards.
func (m *Model) Close() error {
	m.engine.forget(m)
	m.engine.runner.enterAlways()
	defer m.engine.runner.leave()
	m.engine.runner.settle()
	m.release()
	return nil
}

// release frees whatever there is.
func (m *Model) release() {
	if m.closed {
		return
	}
	m.closed = true
	for _, x := range m.programs {
		x.Release()
	}
	if m.cache != nil {
		m.cache.Release()
	}
	if m.model != nil {
		m.model.Release()
	}
}

// enter waits for the runner's turn on a model that is open.
func (m *Model) enter(ctx context.Context) error {
	if err := m.engine.runner.enter(ctx); err != nil {
		return err
	}
	if m.closed {
		m.leave()
		return fmt.Errorf("engine: model: %w", ErrClosed)
	}
	return nil
}

func (m *Model) leave() { m.engine.runner.leave() }

// Config returns the shape of the model.
func (m *Model) Config() model.Config { return *m.model.Config() }

// Tokenizer returns the vocabulary.
func (m *Model) Tokenizer() *token.Tokenizer { return m.tokenizer }

// Template returns the chat template, nil where there is none.
func (m *Model) Template() *chat.Template { return m.template }

// Context returns the most tokens of one sequence.
func (m *Model) Context() int { return m.context }
