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
	// Key says whether a model of the same name is the same as before: what file it is
	// in, and how it is loaded.
	Key string
	// Open opens its file, which is closed when the model is unloaded.
	Open func() (*gguf.File, error)
	Load engine.LoadOptions
	// Plan, unless nil, completes Load by what is in the file.
	Plan func(*gguf.File, *engine.LoadOptions) error
	// Draft is the name of the spec that drafts for it; "": none does.
	Draft string
	// Adapters are those that are there from the beginning, and DefaultAdapter the name
	// of that of requests that name none, of tenants that have none; "": none.
	Adapters       []AdapterSpec
	DefaultAdapter string
	// Hidden keeps the model out of what tenants see: one that only drafts.
	Hidden bool
	// Created is the time that lists of models tell.
	Created time.Time
}

// ModelInfo is a model or an adapter of one, as lists of them say it.
type ModelInfo struct {
	ID      string // what requests name: of an adapter MODEL:ADAPTER
	Parent  string // the model of an adapter, "" for models
	Root    string // the model's own name
	Created time.Time
	Default bool // what is used where a request names no model, or no adapter of this one
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
	loads   sync.WaitGroup

	mu     sync.Mutex
	byName map[string]*model
	order  []*model // as they were given; the first that is not hidden is the default
}

// model is a spec and what is loaded of it.
type model struct {
	spec     ModelSpec
	adapters map[string]AdapterSpec
	// Guarded by models.mu:
	loading *loading  // nil: it is not being loaded
	loaded  *loaded   // nil: it is not
	info    ModelInfo // as far as it was ever known
	leases  int
	gone    bool           // it is not offered any more
	users   map[string]int // leases by their adapter, "" left out
}

// loading is a load under way.
type loading struct {
	done chan struct{} // closed when it has ended
	err  error         // valid then
}

// loaded is a model on the device. It does not change.
type loaded struct {
	file    *gguf.File
	engine  *engine.Model
	seen    *hostfn.Model
	draft   *lease // of the model that drafts; nil: none does
	format  chat.Format
	markers map[int32]bool // control tokens that the format is read by
}

func newModels(s *Service) *models { return &models{service: s, byName: map[string]*model{}} }

// checkModels reports what is wrong with a list of models.
func checkModels(specs []ModelSpec) error {
	names := map[string]bool{}
	offered := false
	for _, spec := range specs {
		if spec.Name == "" || spec.Open == nil || names[spec.Name] {
			return fmt.Errorf("service: model %q: no name, no file, or a name that is taken", spec.Name)
		}
		names[spec.Name] = true
		offered = offered || !spec.Hidden
	}
	for _, spec := range specs {
		if d := spec.Draft; d != "" && (!names[d] || d == spec.Name) {
			return fmt.Errorf("service: model %q: its draft model %q is none of the others", spec.Name, d)
		}
	}
	if !offered {
		return errors.New("service: there is no model to offer")
	}
	return nil
}

// set takes over a list of models that was checked, and further adapters of them.
func (all *models) set(specs []ModelSpec, kept map[string][]AdapterSpec) error {
	all.mu.Lock()
	defer all.mu.Unlock()
	old := all.byName
	all.byName, all.order = map[string]*model{}, nil
	for _, spec := range specs {
		m := old[spec.Name]
		if m == nil || m.spec.Key != spec.Key {
			m = &model{users: map[string]int{}}
		} else {
			delete(old, spec.Name)
		}
		m.spec, m.adapters = spec, map[string]AdapterSpec{}
		m.info.ID, m.info.Root, m.info.Created, m.info.Draft = spec.Name, spec.Name, spec.Created, spec.Draft != ""
		for _, a := range append(kept[spec.Name], spec.Adapters...) {
			m.adapters[a.Name] = a
		}
		all.byName[spec.Name] = m
		all.order = append(all.order, m)
	}
	var errs []error
	for _, m := range old {
		m.gone = true
		errs = append(errs, m.unload())
	}
	return errors.Join(errs...)
}

// unload closes a model that nobody holds and that is not offered any more. The caller
// holds models.mu.
func (m *model) unload() error {
	if !m.gone || m.leases > 0 || m.loaded == nil {
		return nil
	}
	l := m.loaded
	m.loaded = nil
	err := errors.Join(l.engine.Close(), l.file.Close())
	if l.draft != nil {
		l.draft.end()
	}
	return err
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
		return m, m.usual(t), nil
	}
	if !t.options.AllowsAdapter(m.spec.Name, adapter) || !m.has(adapter) {
		return nil, "", &Error{Code: AdapterNotFound, Param: "adapter", Message: fmt.Sprintf("the model %q has no adapter %q", m.spec.Name, adapter)}
	}
	return m, adapter, nil
}

// usual returns the adapter of a tenant's calls that name none, "" for no adapter. The
// caller holds models.mu.
func (m *model) usual(t *Tenant) string {
	// A default is for the models that have it.
	for _, name := range []string{t.options.AdapterFor(m.spec.Name), m.spec.DefaultAdapter} {
		if m.has(name) && t.options.AllowsAdapter(m.spec.Name, name) {
			return name
		}
	}
	return ""
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
		info.Loaded, info.Default = m.loaded != nil, m == all.first()
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
			adapter.ID, adapter.Parent, adapter.Default = m.spec.Name+":"+name, m.spec.Name, name == m.usual(t)
			list = append(list, adapter)
		}
	}
	return list
}

// lease holds a model for a request, and an adapter of it.
type lease struct {
	*loaded
	models  *models
	model   *model
	name    string
	adapter string
	ended   bool // guarded by models.mu
}

// acquire returns a lease of a model and an adapter, "" for none, and loads the model
// where it is not. Loads go on when whoever began one has gone; there is one at a time
// of each model.
func (all *models) acquire(ctx context.Context, m *model, adapter string) (*lease, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	l := &lease{models: all, model: m, name: m.spec.Name, adapter: adapter}
	m.leases++
	if adapter != "" {
		m.users[adapter]++
	}
	if m.loaded == nil {
		if err := all.await(ctx, m); err != nil {
			l.end()
			return nil, err
		}
	}
	l.loaded = m.loaded
	return l, nil
}

// await waits until a model that somebody holds is loaded. The caller holds models.mu,
// which is free meanwhile.
func (all *models) await(ctx context.Context, m *model) error {
	x := m.loading
	if x == nil {
		x = &loading{done: make(chan struct{})}
		m.loading = x
		all.loads.Go(func() { all.load(m, x) })
	}
	all.mu.Unlock()
	defer all.mu.Lock()
	select {
	case <-x.done:
		return x.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// load loads a model, and tells those that wait.
func (all *models) load(m *model, x *loading) {
	all.mu.Lock()
	spec, draft := m.spec, all.byName[m.spec.Draft]
	all.mu.Unlock()
	l, err := all.put(spec, draft)
	if err != nil {
		all.service.log.Error("loading a model failed", "model", spec.Name, "error", err)
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	m.loading, m.loaded, x.err = nil, l, err
	close(x.done)
	if err != nil {
		return
	}
	m.info.Context, m.info.Chat = l.engine.Context(), l.engine.Template() != nil
	m.info.Embedding = l.engine.Config().Encoder
	all.tidy(m) // nobody may have waited, and it may not be offered any more
}

// put puts a model on the device.
func (all *models) put(spec ModelSpec, draft *model) (*loaded, error) {
	file, err := spec.Open()
	if err != nil {
		return nil, fmt.Errorf("service: model %s: %w", spec.Name, err)
	}
	if spec.Plan != nil {
		if err := spec.Plan(file, &spec.Load); err != nil {
			return nil, errors.Join(fmt.Errorf("service: model %s: %w", spec.Name, err), file.Close())
		}
	}
	m, err := all.service.options.Engine.Load(all.service.ctx, file, spec.Load)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("service: model %s: %w", spec.Name, err), file.Close())
	}
	l := &loaded{file: file, engine: m, seen: hostfn.NewModel(spec.Name, m)}
	if draft != nil {
		// A model whose draft cannot be loaded answers all the same, without drafts.
		if l.draft, err = all.setDraft(m, draft); err != nil {
			all.service.log.Warn("no draft model: answers are not drafted ahead", "model", spec.Name, "draft", spec.Draft, "error", err)
		}
		l.seen.Draft = err == nil
	}
	if t := m.Template(); t != nil {
		l.format = t.Format()
		l.markers = markersOf(m, l.format)
	}
	return l, nil
}

// setDraft loads a draft model, which is held as long as the model is there.
func (all *models) setDraft(m *engine.Model, d *model) (*lease, error) {
	held, err := all.acquire(all.service.ctx, d, "")
	if err != nil {
		return nil, err
	}
	if err := m.SetDraft(held.engine); err != nil {
		held.release()
		return nil, err
	}
	return held, nil
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
	l.models.mu.Lock()
	defer l.models.mu.Unlock()
	l.end()
}

// end is release for who holds models.mu.
func (l *lease) end() {
	if l.ended {
		return
	}
	l.ended = true
	m := l.model
	if m.leases--; l.adapter != "" {
		if m.users[l.adapter]--; m.users[l.adapter] == 0 {
			delete(m.users, l.adapter)
		}
	}
	l.models.tidy(m)
}

// tidy unloads a model if it is to be. The caller holds models.mu.
func (all *models) tidy(m *model) {
	if err := m.unload(); err != nil {
		all.service.log.Error("unloading a model failed", "model", m.spec.Name, "error", err)
	}
}

// close closes what was loaded. Leases have ended.
func (all *models) close() error {
	all.loads.Wait()
	all.mu.Lock()
	defer all.mu.Unlock()
	var errs []error
	for _, m := range all.order {
		m.gone = true
	}
	for _, m := range all.order { // a draft model goes with the last that it drafts for
		errs = append(errs, m.unload())
	}
	return errors.Join(errs...)
}
