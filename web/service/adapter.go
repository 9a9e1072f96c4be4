package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/web/tenant"
)

// AdapterSpec is a LoRA adapter of a model.
type AdapterSpec struct {
	Name   string
	Source hostfn.AdapterSource
}

// maxAdapters bounds the adapters of a model, by their names.
const maxAdapters = 4096

// guestAdapters are the adapters that the guest of an answer may open: its tenant's.
type guestAdapters struct{ answer *Answer }

// Open implements hostfn.Adapters.
func (g guestAdapters) Open(ctx context.Context, m *hostfn.Model, name string) (*hostfn.Adapter, error) {
	a := g.answer
	spec, ok := a.service.models.adapter(m.Name, name)
	if !ok || !a.tenant.options.AllowsAdapter(m.Name, name) {
		return nil, fmt.Errorf("adapter %q: %w", name, hostfn.ErrNotFound)
	}
	return hostfn.NamedAdapters{name: spec.Source}.Open(ctx, m, name)
}

// adapter finds an adapter of a model.
func (all *models) adapter(model, name string) (AdapterSpec, bool) {
	all.mu.Lock()
	defer all.mu.Unlock()
	m := all.byName[model]
	if m == nil {
		return AdapterSpec{}, false
	}
	spec, ok := m.adapters[name]
	return spec, ok
}

// LoadAdapterCall says which adapter to offer.
type LoadAdapterCall struct {
	Model string // "": the default one
	Name  string
	Path  string // of a file or folder below Options.AdapterRoot
}

// LoadAdapter offers an adapter of a model, which is read, checked against the model
// and put on the device first. It is for administrators.
func (s *Service) LoadAdapter(ctx context.Context, c LoadAdapterCall) error {
	if err := checkAdapterName(c.Name); err != nil {
		return err
	}
	path, err := s.adapterPath(c.Path)
	if err != nil {
		return err
	}
	m := s.models.find(c.Model)
	if m == nil {
		return &Error{Code: ModelNotFound, Param: "model", Message: fmt.Sprintf("there is no model %q", c.Model)}
	}
	l, err := s.models.acquire(ctx, m, "")
	if err != nil {
		return errorOf(err)
	}
	defer l.release()
	loaded, err := l.engine.LoadAdapter(ctx, path)
	if err != nil {
		return adapterError(err)
	}
	loaded.Close() // it stays on the device until its memory is needed
	all := s.models
	all.mu.Lock()
	defer all.mu.Unlock()
	switch {
	case m.has(c.Name):
		return Invalid("lora_name", "the model %q has an adapter %q already: unload it first", l.name, c.Name)
	case len(m.adapters) >= maxAdapters:
		return Invalid("lora_name", "the model %q has %d adapters, at most %d", l.name, len(m.adapters), maxAdapters)
	}
	if store := s.options.Tenants; store != nil {
		if err := store.AddAdapter(ctx, tenant.Adapter{Model: l.name, Name: c.Name, Path: path}); err != nil {
			return errorOf(err)
		}
	}
	m.adapters[c.Name] = AdapterSpec{c.Name, hostfn.AdapterSource{Path: path, Scale: 1}}
	return nil
}

// keptAdapters returns the adapters that were loaded while a server ran, this one or
// one before, by model. Those that are not in the folder any more are left out.
func (s *Service) keptAdapters(ctx context.Context) (map[string][]AdapterSpec, error) {
	if s.options.Tenants == nil || s.options.AdapterRoot == "" {
		return nil, nil
	}
	all, err := s.options.Tenants.Adapters(ctx)
	if err != nil {
		return nil, err
	}
	kept := map[string][]AdapterSpec{}
	for _, a := range all {
		path, err := s.adapterPath(a.Path)
		if err != nil {
			s.log.Warn("an adapter is not offered any more: it is not in the folder for adapters", "model", a.Model, "adapter", a.Name, "path", a.Path)
			continue
		}
		kept[a.Model] = append(kept[a.Model], AdapterSpec{a.Name, hostfn.AdapterSource{Path: path, Scale: 1}})
	}
	return kept, nil
}

// UnloadAdapter offers an adapter no longer. Answers that use it go on.
func (s *Service) UnloadAdapter(ctx context.Context, model, name string) error {
	m := s.models.find(model)
	if m == nil {
		return &Error{Code: ModelNotFound, Param: "model", Message: fmt.Sprintf("there is no model %q", model)}
	}
	s.models.mu.Lock()
	defer s.models.mu.Unlock()
	if !m.has(name) {
		return &Error{Code: AdapterNotFound, Param: "lora_name", Message: fmt.Sprintf("the model %q has no adapter %q", m.spec.Name, name)}
	}
	if store := s.options.Tenants; store != nil {
		if err := store.RemoveAdapter(ctx, m.spec.Name, name); err != nil && !errors.Is(err, tenant.ErrNotFound) {
			return errorOf(err)
		}
	}
	delete(m.adapters, name)
	return nil
}

// find returns a model that is offered, by its name, or the default one; nil if there
// is none.
func (all *models) find(name string) *model {
	all.mu.Lock()
	defer all.mu.Unlock()
	if name == "" {
		return all.first()
	}
	return all.byName[name]
}

// adapterError makes an Error of what is wrong with an adapter.
func adapterError(err error) *Error {
	for _, sentinel := range []error{lora.ErrFormat, lora.ErrModel, lora.ErrUnsupported, engine.ErrAdapter, fs.ErrNotExist} {
		if errors.Is(err, sentinel) {
			return &Error{Code: InvalidRequest, Param: "lora_path", Message: err.Error(), Err: err}
		}
	}
	return errorOf(err)
}

// checkAdapterName holds names to what can stand behind a model's: MODEL:ADAPTER.
func checkAdapterName(name string) error {
	if name == "" || len(name) > 128 || name == NoAdapter || strings.ContainsAny(name, ": \t\r\n/\\") {
		return Invalid("lora_name", "lora_name: %.140q: 1 to 128 bytes without spaces, colons and slashes, and not %q", name, NoAdapter)
	}
	return nil
}

// adapterPath returns where an adapter is, which is below the root that was
// configured, whatever links there are.
func (s *Service) adapterPath(path string) (string, error) {
	root := s.options.AdapterRoot
	if root == "" {
		return "", &Error{Code: Forbidden, Param: "lora_path", Message: "no folder for adapters is configured (adapter-root)"}
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	outside := &Error{Code: Forbidden, Param: "lora_path", Message: "lora_path: it is not in the folder for adapters, or not there"}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", outside
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return "", outside
	}
	below, err := filepath.Rel(root, real)
	if err != nil || !filepath.IsLocal(below) || below == "." {
		return "", outside
	}
	return real, nil
}
