package engine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/realm-webgpu/realm/engine/batch"
	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/kv"
	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/engine/token"
)

// LoadOptions say how a model is loaded. The zero value is good.
type LoadOptions struct {
	// Context is the most tokens of one sequence. 0: what the model was trained
	// for.
	Context int
	// CacheTokens is how many tokens the sequences of the model can hold
	// together, forks counting what they do not share. 0: what CacheMemory has room
	// for, or Context.
	CacheTokens int
	// CacheMemory is the most bytes that keys and values of the model take: less than
	// CacheTokens, or than one sequence of Context tokens, is a device.MemoryError.
	// 0: no bound but those of Options.
	CacheMemory int64
	// StepTokens is the most tokens that a step reads. The scheduler takes fewer
	// where others wait. 0: what the device takes.
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
	id        uint64 // of all models of the process
	model     *model.Model
	context   int // tokens
	vocab     int // logits of a row
	tokenizer *token.Tokenizer
	template  *chat.Template // nil: none
	// noTemplate is why there is none.
	noTemplate error
	ends       []int32 // end-of-generation tokens
	pool       *kv.Pool
	spec       device.CacheSpec
	cache      device.Cache
	reserved   int64 // of the engine's cacheBudget
	core       *batch.Model
	adapters   *model.Adapters
	files      adapterFiles
	released   sync.Once
}

var modelIDs atomic.Uint64

// Load puts the model of a file on the device. The file stays the caller's and
// must stay open until the model is closed. An error leaves nothing behind:
// ErrOption, device.ErrMemory when it does not fit, ctx.Err(), and what
// packages model, token and chat say of the file.
func (e *Engine) Load(ctx context.Context, f *gguf.File, o LoadOptions) (*Model, error) {
	var m *Model
	err := e.again(ctx, func() error {
		m = &Model{engine: e, id: modelIDs.Add(1)}
		e.loading.RLock()
		err := m.load(ctx, f, o)
		if err == nil {
			err = e.adopt(m)
		}
		e.loading.RUnlock()
		if err != nil {
			m.release()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("engine: load: %w", err)
	}
	return m, nil
}

func (m *Model) load(ctx context.Context, f *gguf.File, o LoadOptions) error {
	d := m.engine.current()
	var err error
	if m.tokenizer, err = token.New(f); err != nil {
		return err
	}
	if err := m.setTemplate(f, o.Template); err != nil {
		return err
	}
	// Gigabytes should not be read to find out that there is no room for them.
	plan, err := m.engine.plan(f, o)
	if err == nil {
		err = plan.Err
	}
	if err != nil {
		return err
	}
	spec := plan.cache
	m.context = plan.Context
	if err := m.engine.cacheBudget.take(spec); err != nil {
		return err
	}
	m.spec, m.reserved = spec, spec.Bytes()
	if m.cache, err = d.NewCache(spec); err != nil {
		return fmt.Errorf("cache of %d tokens (a smaller context takes less): %w", spec.Pages*device.PageTokens, err)
	}
	m.pool = kv.NewPool(spec.Pages, device.PageTokens, m.cache)
	if m.model, err = model.Load(ctx, f, d, model.Options{Context: o.Context, Progress: o.Progress}); err != nil {
		return err
	}
	m.vocab = m.model.Config().VocabularySize
	for id := range int32(m.vocab) {
		if m.tokenizer.IsEndOfGeneration(id) {
			m.ends = append(m.ends, id)
		}
	}
	m.core, err = m.engine.scheduler.NewModel(m.model, m.cache, m.pool, batch.ModelOptions{Context: m.context, StepTokens: o.StepTokens})
	if err == nil {
		m.adapters = m.model.NewAdapters(d, m.engine.adapterBudget, m.core.InstallBanks)
	}
	return err
}

// encoder reports whether the model has hidden states only, and no next token.
func (m *Model) encoder() bool { return m.model.Config().Encoder }

// Close gives back what the model takes on the device. Its sequences fail with
// ErrClosed afterwards.
func (m *Model) Close() error {
	m.release()
	m.engine.forget(m)
	return nil
}

// release frees whatever there is.
func (m *Model) release() {
	m.released.Do(func() {
		if m.core != nil {
			m.core.Close()
		}
		if m.adapters != nil {
			m.adapters.Close()
		}
		if m.cache != nil {
			m.cache.Release()
		}
		if m.model != nil {
			m.model.Release()
		}
		m.engine.cacheBudget.give(m.reserved)
	})
}

// pagesOf returns the cache pages of so many tokens.
func pagesOf(tokens int) int { return (tokens + device.PageTokens - 1) / device.PageTokens }

// Config returns the shape of the model.
func (m *Model) Config() model.Config { return *m.model.Config() }

// Tokenizer returns the vocabulary.
func (m *Model) Tokenizer() *token.Tokenizer { return m.tokenizer }

// Template returns the chat template, nil where there is none.
func (m *Model) Template() *chat.Template { return m.template }

// Context returns the most tokens of one sequence.
func (m *Model) Context() int { return m.context }
