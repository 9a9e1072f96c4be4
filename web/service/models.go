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

// models are those of a server: what there is to be had, and the library that has what
// is on the device.
type models struct {
	service *Service
	library *engine.Library

	mu     sync.Mutex
	byName map[string]*model
	order  []*model // as they were given; the first that is not hidden is the default
}

// model is a spec and what is known of its model.
type model struct {
	spec     ModelSpec
	source   engine.ModelSource
	adapters map[string]AdapterSpec
	// Guarded by models.mu:
	loaded *loaded        // as it was used last; nil: never
	info   ModelInfo      // as far as it was ever known
	leases int            // of calls
	users  map[string]int // leases by their adapter, "" left out
}

// loaded is a model on the device. It does not change.
type loaded struct {
	engine  *engine.Model
	seen    *hostfn.Model
	format  chat.Format
	markers map[int32]bool // control tokens that the format is read by
}

func newModels(s *Service) (*models, error) {
	library, err := s.options.Engine.NewLibrary(engine.LibraryOptions{})
	if err != nil {
		return nil, err
	}
	return &models{service: s, library: library, byName: map[string]*model{}}, nil
}

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

// set takes over a list of models that was checked, and further adapters of them. A
// model that is not among them any more is unloaded once no call holds it.
func (all *models) set(specs []ModelSpec, kept map[string][]AdapterSpec) {
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
			if m.spec.Draft != spec.Draft {
				all.library.Forget(m.source) // it comes back with the other one
			}
		}
		m.spec, m.adapters = spec, map[string]AdapterSpec{}
		m.info.ID, m.info.Root, m.info.Created, m.info.Draft = spec.Name, spec.Name, spec.Created, spec.Draft != ""
		for _, a := range append(kept[spec.Name], spec.Adapters...) {
			m.adapters[a.Name] = a
		}
		all.byName[spec.Name] = m
		all.order = append(all.order, m)
	}
	for _, m := range all.order {
		m.source = sourceOf(&m.spec)
		if d := all.byName[m.spec.Draft]; d != nil {
			draft := sourceOf(&d.spec)
			m.source.Draft = &draft
		}
	}
	for _, m := range old {
		all.library.Forget(m.source)
	}
}

// sourceOf returns where a model comes from, its draft model left out.
func sourceOf(s *ModelSpec) engine.ModelSource {
	return engine.ModelSource{Name: s.Name, Version: s.Name + " " + s.Key, Open: s.Open, Load: s.Load, Plan: s.Plan}
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
	there := all.library.Models()
	var list []ModelInfo
	for _, m := range all.order {
		if m.spec.Hidden || !t.options.AllowsModel(m.spec.Name) {
			continue
		}
		info := m.info
		info.Loaded, info.Default = m.onDevice(there) != nil, m == all.first()
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

// onDevice returns the model among those that are on the device, nil where it is not.
// One that only drafted so far goes by its name. The caller holds models.mu.
func (m *model) onDevice(there []engine.LibraryModel) *engine.Model {
	for _, x := range there {
		if m.loaded != nil && m.loaded.engine == x.Model || m.loaded == nil && m.spec.Name == x.Name {
			return x.Model
		}
	}
	return nil
}

// lease holds a model for a call, and an adapter of it.
type lease struct {
	*loaded
	held    *engine.Lease
	models  *models
	model   *model
	name    string
	adapter string
	ended   sync.Once
}

// acquire returns a lease of a model and an adapter, "" for none, and loads the model
// where it is not on the device. Loads go on when whoever began one has gone.
func (all *models) acquire(ctx context.Context, m *model, adapter string) (*lease, error) {
	all.mu.Lock()
	source := m.source
	all.mu.Unlock()
	held, err := all.library.Acquire(ctx, source)
	if err != nil {
		if ctx.Err() == nil {
			all.service.log.Error("loading a model failed", "model", source.Name, "error", err)
		}
		return nil, err
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if m.loaded == nil || m.loaded.engine != held.Model() {
		all.arrived(m, held)
	}
	m.leases++
	if adapter != "" {
		m.users[adapter]++
	}
	return &lease{loaded: m.loaded, held: held, models: all, model: m, name: source.Name, adapter: adapter}, nil
}

// arrived looks at a model that has come onto the device. The caller holds models.mu.
func (all *models) arrived(m *model, held *engine.Lease) {
	x := held.Model()
	l := &loaded{engine: x, seen: hostfn.NewModel(m.spec.Name, x)}
	l.seen.Draft = m.source.Draft != nil && held.DraftError() == nil
	if t := x.Template(); t != nil {
		l.format = t.Format()
		l.markers = markersOf(x, l.format)
	}
	m.loaded = l
	m.info.Context, m.info.Chat, m.info.Embedding = x.Context(), x.Template() != nil, x.Config().Encoder
	// Others may have had to go for it: their vocabularies need not stay.
	there := all.library.Models()
	for _, other := range all.order {
		if other.onDevice(there) == nil {
			other.loaded = nil
		}
	}
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
	l.ended.Do(func() {
		l.models.mu.Lock()
		m := l.model
		if m.leases--; l.adapter != "" {
			if m.users[l.adapter]--; m.users[l.adapter] == 0 {
				delete(m.users, l.adapter)
			}
		}
		l.models.mu.Unlock()
		l.held.Release()
	})
}
