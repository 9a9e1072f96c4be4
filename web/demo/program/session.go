//go:build js

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/hostfn"
)

// options say how a model is opened.
type options struct {
	Name    string `json:"name"`    // as the page calls it
	Device  string `json:"device"`  // "auto", "webgpu", "cpu"
	Context int    `json:"context"` // tokens; 0: what the model was trained for, up to usualContext
}

// usualContext bounds the context where none is asked for: keys and values take memory
// for all of it.
const usualContext = 4096

// memoryOfCPU bounds what models take of the page's own memory, in bytes: a program of
// WebAssembly has 4 GiB, and ends where there is no more.
const memoryOfCPU = 2 << 30

// session is a model on a device.
type session struct {
	source   *blob
	options  options
	progress func(done, total int64)
	notice   func(code, text string) // is told what was lost on the way, and why

	engine   *engine.Engine
	file     *gguf.File
	model    *engine.Model
	models   hostfn.Models
	adapters hostfn.NamedAdapters
	load     time.Duration
}

// open opens a device and puts the model on it.
func (s *session) open(ctx context.Context) error {
	start := time.Now()
	var err error
	if s.file, err = gguf.Read(s.source); err != nil {
		return err
	}
	if err := s.openDevice(); err != nil {
		return err
	}
	tokens := s.options.Context
	if config, err := model.ReadConfig(s.file); err == nil && tokens == 0 && config.ContextLength > usualContext {
		tokens = usualContext
		s.notice("context", fmt.Sprintf("A chat may have %d tokens here, of the %d that the model was made for, to save memory.", tokens, config.ContextLength))
	}
	if s.model, err = s.engine.Load(ctx, s.file, engine.LoadOptions{Context: tokens, Progress: s.progress}); err != nil {
		return err
	}
	s.models = hostfn.OneModel(s.options.Name, s.model)
	s.load = time.Since(start)
	return nil
}

// openDevice opens the device that is asked for, or the CPU where there is no other.
func (s *session) openDevice() error {
	var err error
	if s.options.Device != "cpu" {
		s.engine, err = engine.Open(engine.Options{Device: "webgpu", CacheDir: engine.NoCache, Notice: s.lost})
		if err == nil {
			return nil
		}
		if s.options.Device == "webgpu" {
			return err
		}
		s.notice("cpu", err.Error())
	}
	s.engine, err = engine.Open(engine.Options{Device: "cpu", Memory: memoryOfCPU, CacheDir: engine.NoCache})
	return err
}

// lost tells of a GPU that was lost, and what became of it. What the engine says while it
// is opened is not of that, and told otherwise.
func (s *session) lost(line string) {
	if s.model != nil {
		s.notice("lost", strings.ToUpper(line[:1])+line[1:]+".")
	}
}

// addAdapter makes an adapter known, if it is one of this model.
func (s *session) addAdapter(ctx context.Context, name string, source *blob) error {
	file, err := gguf.Read(source)
	if err != nil {
		return fmt.Errorf("adapter %s: %w", name, err)
	}
	read, err := lora.Read(file)
	if err != nil {
		return fmt.Errorf("adapter %s: %w", name, err)
	}
	// Better now than in the midst of an answer. It stays, as nothing else comes.
	loaded, err := s.model.AddAdapter(ctx, read)
	if err != nil {
		return fmt.Errorf("adapter %s: %w", name, err)
	}
	loaded.Close()
	if s.adapters == nil {
		s.adapters = hostfn.NamedAdapters{}
	}
	s.adapters[name] = hostfn.AdapterSource{Read: read, Scale: 1}
	return nil
}

// close gives back what the session took.
func (s *session) close() error {
	var errs []error
	if s.model != nil {
		errs = append(errs, s.model.Close())
	}
	if s.engine != nil {
		errs = append(errs, s.engine.Close())
	}
	s.model, s.engine = nil, nil
	return errors.Join(errs...)
}

// about is what a page is told of a model and its device.
type about struct {
	Name         string      `json:"name"`
	Architecture string      `json:"architecture"`
	Parameters   int64       `json:"parameters"`
	Bytes        int64       `json:"bytes"`   // of the file
	Context      int         `json:"context"` // tokens
	Template     bool        `json:"template"`
	Device       deviceAbout `json:"device"`
	Interpreted  bool        `json:"interpreted"` // guests run in an interpreter
	Load         float64     `json:"load_seconds"`
}

type deviceAbout struct {
	Backend  string `json:"backend"` // "webgpu", "cpu"
	Name     string `json:"name"`
	Software bool   `json:"software"`
	Memory   int64  `json:"memory"` // bytes that are taken
}

func (s *session) about() about {
	d := s.engine.Device()
	var parameters int64
	for _, t := range s.file.Tensors {
		parameters += int64(t.Elements())
	}
	used := s.engine.Memory()
	return about{
		Name: s.options.Name, Architecture: s.model.Config().Architecture, Parameters: parameters, Bytes: s.source.size,
		Context: s.model.Context(), Template: s.model.Template() != nil, Interpreted: interpreted, Load: s.load.Seconds(),
		Device: deviceAbout{d.Backend, d.Name, d.Software, used.Total()},
	}
}
