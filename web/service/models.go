package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/hostfn"
)

// ModelSpec is a model that a server offers. It is loaded when it is first asked for.
type ModelSpec struct {
	Name string
	// Open opens its file, which is closed when the model is unloaded.
	Open func() (*gguf.File, error)
	Load engine.LoadOptions
	// Draft is the name of the spec that drafts for it; "": none does.
	Draft string
	// Adapters are those that are there from the beginning.
	Adapters []AdapterSpec
	// Hidden keeps the model out of what tenants see: one that only drafts.
	Hidden bool
	// Created is the time that lists of models tell.
	Created time.Time
}

// AdapterSpec is a LoRA adapter of a model.
type AdapterSpec struct {
	Name string
	Open func() (*gguf.File, error)
}

// ModelInfo is a model or an adapter of one, as lists of them say it.
type ModelInfo struct {
	ID      string // what requests name: of an adapter MODEL:ADAPTER
	Parent  string // the model of an adapter, "" for models
	Root    string // the model's own name
	Created time.Time
	Default bool // what is used where a request names none
	Draft   bool // there is a draft model
	// Of a model that has been loaded:
	Loaded    bool
	Context   int  // tokens
	Chat      bool // it has a chat template
	Embedding bool // it is an encoder: it has embeddings, and no next token
}

// models are those of a server.
type models struct {
	service *Service
	byName  map[string]*model
	order   []*model // as they were given; the first that is not hidden is the default
	mu      sync.Mutex
}

// model is a spec and what is loaded of it.
type model struct {
	spec     ModelSpec
	adapters map[string]AdapterSpec
	// Guarded by models.mu:
	loading chan struct{} // closed when a load has ended; nil: none is under way
	err     error         // of the last load
	file    *gguf.File
	engine  *engine.Model // nil: not loaded
	seen    *hostfn.Model
	info    ModelInfo // as far as it was ever known
	format  chat.Format
	markers map[int32]bool // control tokens that the format is read by
	leases  int
}

func newModels(s *Service, specs []ModelSpec) (*models, error) {
	all := &models{service: s, byName: map[string]*model{}}
	for _, spec := range specs {
		if spec.Name == "" || spec.Open == nil || all.byName[spec.Name] != nil {
			return nil, fmt.Errorf("service: model %q: no name, no file, or a name that is taken", spec.Name)
		}
		m := &model{spec: spec, adapters: map[string]AdapterSpec{}}
		m.info = ModelInfo{ID: spec.Name, Root: spec.Name, Created: spec.Created, Draft: spec.Draft != ""}
		for _, a := range spec.Adapters {
			m.adapters[a.Name] = a
		}
		all.byName[spec.Name] = m
		all.order = append(all.order, m)
	}
	for _, m := range all.order {
		if d := m.spec.Draft; d != "" && (all.byName[d] == nil || d == m.spec.Name) {
			return nil, fmt.Errorf("service: model %q: its draft model %q is none of the server's others", m.spec.Name, d)
		}
	}
	if all.first() == nil {
		return nil, errors.New("service: there is no model")
	}
	return all, nil
}

// first returns the default model.
func (all *models) first() *model {
	for _, m := range all.order {
		if !m.spec.Hidden {
			return m
		}
	}
	return nil
}

// resolve finds what a request names. Whether there is something that the tenant may
// not use is not told.
func (all *models) resolve(t *Tenant, name, adapter string) (*model, string, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	m := all.byName[name]
	if name == "" {
		m = all.first()
	}
	if m == nil {
		if i := strings.LastIndexByte(name, ':'); i > 0 {
			m = all.byName[name[:i]]
			if own := name[i+1:]; m != nil {
				if adapter != "" && adapter != own {
					return nil, "", Invalid("adapter", "adapter: %q, and model names %q", adapter, own)
				}
				adapter = own
			}
		}
	}
	if m == nil || m.spec.Hidden || !t.options.AllowsModel(m.spec.Name) {
		return nil, "", &Error{Code: ModelNotFound, Param: "model", Message: fmt.Sprintf("there is no model %q", name)}
	}
	switch adapter {
	case NoAdapter:
		return m, "", nil
	case "":
		// A default is for the models that have it.
		if own := t.options.AdapterFor(m.spec.Name); own != "" && t.options.AllowsAdapter(m.spec.Name, own) && m.has(own) {
			return m, own, nil
		}
		return m, "", nil
	}
	if !t.options.AllowsAdapter(m.spec.Name, adapter) || !m.has(adapter) {
		return nil, "", &Error{Code: AdapterNotFound, Param: "adapter", Message: fmt.Sprintf("the model %q has no adapter %q", m.spec.Name, adapter)}
	}
	return m, adapter, nil
}

// has reports whether there is an adapter. The caller holds models.mu.
func (m *model) has(adapter string) bool {
	_, ok := m.adapters[adapter]
	return ok
}

// list returns what a tenant may use.
func (all *models) list(t *Tenant) []ModelInfo {
	all.mu.Lock()
	defer all.mu.Unlock()
	var list []ModelInfo
	for _, m := range all.order {
		if m.spec.Hidden || !t.options.AllowsModel(m.spec.Name) {
			continue
		}
		info := m.info
		info.Loaded, info.Default = m.engine != nil, m == all.first()
		list = append(list, info)
		var names []string
		for name := range m.adapters {
			if t.options.AllowsAdapter(m.spec.Name, name) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			adapter := info
			adapter.ID, adapter.Parent, adapter.Default = m.spec.Name+":"+name, m.spec.Name, false
			list = append(list, adapter)
		}
	}
	return list
}

// lease holds a model for a request.
type lease struct {
	models *models
	model  *model
	once   sync.Once
}

// acquire returns a lease of a model, and loads it where it is not. Loads go on when
// whoever began one has gone; there is one at a time of each model.
func (all *models) acquire(ctx context.Context, m *model) (*lease, error) {
	for {
		all.mu.Lock()
		if m.engine != nil {
			m.leases++
			all.mu.Unlock()
			return &lease{models: all, model: m}, nil
		}
		began := m.loading
		if began == nil {
			began = make(chan struct{})
			m.loading = began
			go all.load(m, began)
		}
		all.mu.Unlock()
		select {
		case <-began:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		all.mu.Lock()
		err := m.err
		all.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
}

// load loads a model, and tells those that wait.
func (all *models) load(m *model, began chan struct{}) {
	err := all.put(m)
	all.mu.Lock()
	m.err, m.loading = err, nil
	all.mu.Unlock()
	if err != nil {
		all.service.log.Error("loading a model failed", "model", m.spec.Name, "error", err)
	}
	close(began)
}

// put puts a model on the device.
func (all *models) put(m *model) error {
	ctx := all.service.ctx
	file, err := m.spec.Open()
	if err != nil {
		return fmt.Errorf("service: model %s: %w", m.spec.Name, err)
	}
	loaded, err := all.service.options.Engine.Load(ctx, file, m.spec.Load)
	if err != nil {
		return errors.Join(fmt.Errorf("service: model %s: %w", m.spec.Name, err), file.Close())
	}
	seen := hostfn.NewModel(m.spec.Name, loaded)
	if d := m.spec.Draft; d != "" {
		// A model whose draft cannot be loaded answers all the same, without drafts.
		if err := all.setDraft(ctx, loaded, all.byName[d]); err != nil {
			all.service.log.Warn("no draft model: answers are not drafted ahead", "model", m.spec.Name, "draft", d, "error", err)
		} else {
			seen.Draft = true
		}
	}
	format, markers := chat.FormatPlain, map[int32]bool(nil)
	if t := loaded.Template(); t != nil {
		format = t.Format()
		markers = markersOf(loaded, format)
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	m.file, m.engine, m.seen, m.format, m.markers = file, loaded, seen, format, markers
	m.info.Context, m.info.Chat = loaded.Context(), loaded.Template() != nil
	m.info.Embedding = loaded.Config().Encoder
	return nil
}

// setDraft loads a draft model, which stays as long as the model does.
func (all *models) setDraft(ctx context.Context, m *engine.Model, d *model) error {
	held, err := all.acquire(ctx, d)
	if err != nil {
		return err
	}
	return m.SetDraft(held.model.engine)
}

// markersOf returns the tokens of a format's markers: control tokens that have to be
// seen in an answer, as calls and reasoning are read by them.
func markersOf(m *engine.Model, f chat.Format) map[int32]bool {
	markers := map[int32]bool{}
	for _, text := range f.Markers() {
		if id, ok := m.Tokenizer().Lookup(text); ok {
			markers[id] = true
		}
	}
	return markers
}

// release ends a lease.
func (l *lease) release() {
	l.once.Do(func() {
		l.models.mu.Lock()
		defer l.models.mu.Unlock()
		l.model.leases--
	})
}

// close closes what was loaded. Leases have ended.
func (all *models) close() error {
	all.mu.Lock()
	defer all.mu.Unlock()
	var errs []error
	for _, m := range slices.Backward(all.order) {
		if m.engine != nil {
			errs = append(errs, m.engine.Close(), m.file.Close())
			m.engine = nil
		}
	}
	return errors.Join(errs...)
}
