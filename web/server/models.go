package server

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	embedded "github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/web/config"
	"github.com/realm-webgpu/realm/web/service"
	"github.com/realm-webgpu/realm/web/store"
)

// builtin is what a source begins with that is built in.
const builtin = "builtin:"

// builtinModels are served where no model is configured.
func builtinModels() []config.Model {
	adapters := []config.Adapter{}
	for name := range embedded.Adapters() {
		adapters = append(adapters, config.Adapter{Name: name, Source: builtin + name})
	}
	slices.SortFunc(adapters, func(a, b config.Adapter) int { return strings.Compare(a.Name, b.Name) })
	return []config.Model{
		{Name: "atlas", Source: builtin + "atlas", Draft: "draft", Adapters: adapters},
		{Name: "draft", Source: builtin + "draft"},
	}
}

// models returns what the service offers.
func models(c *config.Config) ([]service.ModelSpec, error) {
	configured := c.Models
	if len(configured) == 0 {
		configured = builtinModels()
	}
	var specs []service.ModelSpec
	var errs []error
	for _, m := range configured {
		spec, err := newSpec(c, len(configured), m)
		if err != nil {
			errs = append(errs, fmt.Errorf("models: %s: %w", m.Name, err))
			continue
		}
		specs = append(specs, spec)
	}
	if len(c.Models) == 0 {
		specs[1].Hidden = true // it only drafts
	}
	// The first is that of requests that name none.
	slices.SortStableFunc(specs, func(a, b service.ModelSpec) int {
		switch c.DefaultModel {
		case a.Name:
			return -1
		case b.Name:
			return 1
		}
		return 0
	})
	return specs, errors.Join(errs...)
}

func newSpec(c *config.Config, models int, m config.Model) (service.ModelSpec, error) {
	open, created, err := opener(c, m)
	if err != nil {
		return service.ModelSpec{}, err
	}
	template, err := templateText(m.Template)
	if err != nil {
		return service.ModelSpec{}, err
	}
	load := engine.LoadOptions{Context: m.Context, Template: template}
	if m.CacheType == device.CacheF32.String() {
		load.CacheType = device.CacheF32
	}
	spec := service.ModelSpec{
		Name: m.Name, Key: fmt.Sprintf("%s %s %d %d %s %s", m.Path, m.Source, created.UnixNano(), m.Context, m.CacheType, template),
		Open: open, Load: load, Draft: m.Draft, DefaultAdapter: m.DefaultAdapter, Created: created,
		Plan: func(f *gguf.File, o *engine.LoadOptions) error { return planCache(c, models, f, o) },
	}
	for _, a := range m.Adapters {
		source, err := adapterSource(a)
		if err != nil {
			return spec, fmt.Errorf("adapters: %s: %w", a.Name, err)
		}
		spec.Adapters = append(spec.Adapters, service.AdapterSpec{Name: a.Name, Source: source})
	}
	return spec, nil
}

// opener returns what opens a model's file, and the time of it. A file that is not
// there is an error at once, and not when it is first asked for.
func opener(c *config.Config, m config.Model) (open func() (*gguf.File, error), created time.Time, err error) {
	if name, ok := strings.CutPrefix(m.Source, builtin); ok {
		data, ok := map[string][]byte{"atlas": embedded.Atlas, "draft": embedded.Draft}[name]
		if !ok {
			return nil, created, fmt.Errorf("%s is none that is built in: there are atlas and draft", m.Source)
		}
		return func() (*gguf.File, error) { return gguf.Read(bytes.NewReader(data)) }, time.Unix(0, 0).UTC(), nil
	}
	if m.Path != "" {
		info, err := os.Stat(m.Path)
		if err != nil {
			return nil, created, err
		}
		return func() (*gguf.File, error) { return gguf.Open(m.Path) }, info.ModTime(), nil
	}
	s := store.Open(c.ModelRoot)
	found, err := s.Find(m.Source)
	if err != nil {
		return nil, created, fmt.Errorf("%w: realm pull %s has it", err, m.Source)
	}
	return func() (*gguf.File, error) { return gguf.OpenSplit(s.Paths(found)...) }, found.Pulled, nil
}

// templateText returns a template's text or name, from a file where it says so.
func templateText(template string) (string, error) {
	path, ok := strings.CutPrefix(template, "@")
	if !ok {
		if template != "" && !strings.ContainsAny(template, "{\n") {
			_, err := chat.Builtin(template)
			return template, err
		}
		return template, nil
	}
	text, err := os.ReadFile(path)
	return string(text), err
}

// adapterSource returns where an adapter comes from.
func adapterSource(a config.Adapter) (hostfn.AdapterSource, error) {
	if name, ok := strings.CutPrefix(a.Source, builtin); ok {
		data, ok := embedded.Adapters()[name]
		if !ok {
			return hostfn.AdapterSource{}, fmt.Errorf("%s is none that is built in", a.Source)
		}
		file, err := gguf.Read(bytes.NewReader(data))
		if err != nil {
			return hostfn.AdapterSource{}, err
		}
		read, err := lora.Read(file)
		return hostfn.AdapterSource{Read: read, Scale: 1}, err
	}
	if a.Path == "" {
		return hostfn.AdapterSource{}, errors.New("adapters have a path, or are built in")
	}
	_, err := os.Stat(a.Path)
	return hostfn.AdapterSource{Path: filepath.Clean(a.Path), Scale: 1}, err
}

// The caches of models whose memory nobody has bounded.
const (
	usualContext = 8192      // tokens: recent models were trained for far more
	usualTexts   = 64        // of a whole context
	usualCache   = 256 << 20 // bytes, or what one text takes
)

// planCache chooses how many tokens the texts of a model may have together. Models
// share memory.kv alike, so that all of them can be there at a time.
func planCache(c *config.Config, models int, f *gguf.File, o *engine.LoadOptions) error {
	config, err := model.ReadConfig(f)
	if err != nil {
		return err
	}
	if o.Context == 0 {
		o.Context = min(usualContext, config.ContextLength)
	}
	page := config.CacheSpec(1, o.CacheType).Bytes()
	pages := max(1, (o.Context+device.PageTokens-1)/device.PageTokens)
	budget := int64(c.Memory.KV) / int64(models)
	if budget == 0 {
		budget = usualCache
	}
	fit := min(int64(usualTexts*pages), budget/max(1, page))
	if c.Memory.KV > 0 && fit < int64(pages) {
		return fmt.Errorf("memory.kv: a share of %d bytes, of %d models, is %d pages of %d tokens, and one text of %d tokens takes %d: a larger memory.kv, or a smaller context", budget, models, fit, device.PageTokens, o.Context, pages)
	}
	o.CacheTokens = int(max(fit, int64(pages))) * device.PageTokens
	return nil
}
