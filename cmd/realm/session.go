package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/hostfn"
)

// modelFlags say which model: a file, or one of the store.
type modelFlags struct {
	path  string   // or a name in the store
	files []string // where it was found by open
}

func (m *modelFlags) add(flags *pflag.FlagSet) {
	flags.StringVarP(&m.path, "model", "m", "", "GGUF `FILE` of the model, the first one of a split, or a name of realm list (default: atlas, built in)")
}

// open opens the file. Its errors are modelErrors.
func (m *modelFlags) open() (*gguf.File, error) {
	f, err := m.read()
	if err != nil {
		return nil, &modelError{err}
	}
	return f, nil
}

func (m *modelFlags) read() (*gguf.File, error) {
	if m.path == "" {
		return gguf.Read(bytes.NewReader(models.Atlas))
	}
	_, errPath := os.Stat(m.path)
	if errPath == nil {
		f, err := gguf.Open(m.path)
		if err == nil {
			m.files = shards(m.path, f)
		}
		return f, err
	}
	s, errStore := (&storeFlags{}).open()
	if errStore != nil {
		return nil, fmt.Errorf("%w; %w", errPath, errStore)
	}
	found, errStore := s.Find(m.path)
	if errStore != nil {
		return nil, fmt.Errorf("%w; %w", errPath, errStore)
	}
	m.files = s.Paths(found)
	f, err := gguf.OpenSplit(m.files...)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: realm pull %s has it again", err, found.Name)
	}
	return f, err
}

// name is the file as people call it.
func (m *modelFlags) name() string {
	if m.path == "" {
		return "atlas (built in)"
	}
	return m.path
}

const deviceHelp = "`DEVICE` to compute on: auto (the best GPU, or else the CPU), webgpu, webgpu:ADAPTER (its number or a part of its name, see realm devices), cpu, or cpu:exact (in float32 throughout; slow)"

// deviceFlags say how a device is opened.
type deviceFlags struct {
	memory  sizeValue
	kv      sizeValue // of memory, for keys and values
	threads countValue
}

func (d *deviceFlags) add(flags *pflag.FlagSet) {
	flags.Var(&d.memory, "memory", "the most memory to take on the device, such as 4GB (default: no bound; of the CPU, what the machine has)")
	flags.Var(&d.kv, "kv-memory", "the most of it to take for keys and values, such as 1GB (default: no other bound)")
	flags.Var(&d.threads, "threads", "threads of the CPU device; 0: as many as there are cores")
}

// loadFlags say how a model is put on a device.
type loadFlags struct {
	context   countValue
	cacheType cacheTypeValue
	template  string

	cacheTokens int // for all sequences together; 0: one context
}

func (l *loadFlags) addCache(flags *pflag.FlagSet) {
	flags.Var(&l.context, "ctx", fmt.Sprintf("tokens of context, prompt and answer together; 0: what the model was trained for, up to %d", defaultContext))
	l.addCacheType(flags)
}

func (l *loadFlags) addCacheType(flags *pflag.FlagSet) {
	flags.Var(&l.cacheType, "kv-type", "how keys and values are kept: f16 or f32 (twice the memory)")
}

func (l *loadFlags) addTemplate(flags *pflag.FlagSet) {
	flags.StringVar(&l.template, "template", "", "chat `TEMPLATE`: a built-in one ("+strings.Join(chat.BuiltinNames(), ", ")+"), @FILE or Jinja text (default: the model's own)")
}

// templateText gives the template's text or name, from a file where it says so.
func (l *loadFlags) templateText() (string, error) {
	path, ok := strings.CutPrefix(l.template, "@")
	if !ok {
		return l.template, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	return string(text), nil
}

// defaultContext bounds the context where none is asked for: keys and values
// take memory for all of it, gigabytes for what recent models were trained for.
const defaultContext = 8192

// contextOf returns the context to load a model with, and tells notes where it
// is less than the model's own and nobody said so. kv bounds the bytes of keys and
// values; 0: no bound.
func (l *loadFlags) contextOf(f *gguf.File, kv sizeValue, notes io.Writer) int {
	if l.context != 0 {
		return int(l.context)
	}
	config, err := model.ReadConfig(f)
	if err != nil {
		return 0 // loading says what is wrong
	}
	own := config.ContextLength
	if kv > 0 {
		page := max(config.CacheSpec(1, device.CacheType(l.cacheType)).Bytes(), 1)
		if fit := int64(kv) / page * device.PageTokens; fit > 0 && fit < int64(min(own, defaultContext)) {
			fmt.Fprintf(notes, "realm: the context is %d of the %d tokens that the model was trained for, which is what --kv-memory has room for\n", fit, own)
			return int(fit)
		}
	}
	if own <= defaultContext {
		return 0
	}
	fmt.Fprintf(notes, "realm: the context is %d of the %d tokens that the model was trained for, to save memory; --ctx %[2]d takes all\n", defaultContext, own)
	return defaultContext
}

// sessionFlags say which model is put on which device, and how.
type sessionFlags struct {
	model   modelFlags
	device  string
	opening deviceFlags
	load    loadFlags
}

// add adds the flags but those of load, of which each command has some.
func (f *sessionFlags) add(flags *pflag.FlagSet) {
	f.model.add(flags)
	flags.StringVar(&f.device, "device", "auto", deviceHelp)
	f.opening.add(flags)
}

// open opens the file and the device, and puts the model there.
func (f *sessionFlags) open(c *cobra.Command) (*session, error) {
	file, err := f.model.open()
	if err != nil {
		return nil, err
	}
	return f.put(c, file)
}

// put is open for a file that is open, and belongs to the session from then on.
func (f *sessionFlags) put(c *cobra.Command, file *gguf.File) (*session, error) {
	s, err := openSession(c.Context(), c.ErrOrStderr(), file, f.device, f.opening, f.load)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	s.file = file
	return s, nil
}

// session is a model on a device.
type session struct {
	file     *gguf.File // that Close closes; nil: none
	engine   *engine.Engine
	model    *engine.Model
	load     time.Duration // from opening the device until the model was ready
	guest    *runner       // that makes answers; nil: none was asked for
	models   hostfn.Models
	adapters hostfn.NamedAdapters
	log      *slog.Logger // of the guest

	draft     *engine.Model // that drafts for model; nil: none
	draftFile *gguf.File
}

// withGuest makes a guest ready to answer with the model, which goes by name, and
// with adapters, which are held to the model and loaded.
func (s *session) withGuest(ctx context.Context, notes io.Writer, f guestFlags, name string, adapters hostfn.NamedAdapters) error {
	for _, a := range adapters {
		// Better now than in the midst of an answer. It stays, as nothing else comes.
		loaded, err := s.model.AddAdapter(ctx, a.Read)
		if err != nil {
			return &modelError{err}
		}
		loaded.Close()
	}
	var err error
	s.guest, err = f.load(ctx)
	s.models, s.adapters, s.log = hostfn.OneModel(name, s.model), adapters, logTo(notes)
	return err
}

// openSession opens a device and puts the model of f on it. Fallbacks and, on a
// terminal, progress are told on notes. f must stay open until Close.
func openSession(ctx context.Context, notes io.Writer, f *gguf.File, name string, d deviceFlags, l loadFlags) (*session, error) {
	template, err := l.templateText()
	if err != nil {
		return nil, err
	}
	lose, err := loseDeviceAfter()
	if err != nil {
		return nil, err
	}
	quietMesa()
	start := time.Now()
	e, err := engine.Open(engine.Options{
		Device: name, Memory: int64(d.memory), CacheMemory: int64(d.kv), Threads: int(d.threads), LoseDeviceAfter: lose,
		Notice: func(line string) { fmt.Fprintln(notes, "realm: "+line) },
	})
	if err != nil {
		return nil, err
	}
	progress := newProgress(notes, "loading")
	m, err := e.Load(ctx, f, engine.LoadOptions{
		Context: l.contextOf(f, d.kv, notes), CacheTokens: l.cacheTokens, CacheType: device.CacheType(l.cacheType), Template: template, Progress: progress.show,
	})
	progress.end()
	if err != nil {
		// What is not the device's fault, or the caller's, is the file's.
		return nil, errors.Join(&modelError{err}, e.Close())
	}
	return &session{engine: e, model: m, load: time.Since(start)}, nil
}

// Close gives back what the session took.
func (s *session) Close() error {
	var err error
	if s.guest != nil {
		err = s.guest.Close()
	}
	if s.draft != nil {
		err = errors.Join(err, s.draft.Close())
	}
	err = errors.Join(err, s.model.Close(), s.engine.Close())
	for _, file := range []*gguf.File{s.draftFile, s.file} {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
	}
	return err
}

// loseVariable has the device be lost after so many steps, once, as if its driver had
// been reset. It is for tests of what comes then.
const loseVariable = "REALM_LOSE_DEVICE_AFTER"

func loseDeviceAfter() (uint64, error) {
	text := os.Getenv(loseVariable)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is no number of steps: %w", loseVariable, text, engine.ErrOption)
	}
	return n, nil
}

// quietMesa gives Mesa's software Vulkan driver the folder that it looks for
// when it is opened. Without XDG_RUNTIME_DIR, as in containers and services, it
// prints a complaint on standard error, where Realm's own messages belong.
func quietMesa() {
	const variable = "XDG_RUNTIME_DIR"
	if runtime.GOOS == "linux" && os.Getenv(variable) == "" {
		// It cannot fail: the name is good and the folder has no NUL in it.
		_ = os.Setenv(variable, os.TempDir())
	}
}

// deviceReport describes a device in JSON.
type deviceReport struct {
	Backend  string `json:"backend"`
	Name     string `json:"name"`
	Driver   string `json:"driver"`
	Software bool   `json:"software"`
}

func newDeviceReport(i device.Info) deviceReport {
	return deviceReport{i.Backend, i.Name, i.Driver, i.Software}
}
