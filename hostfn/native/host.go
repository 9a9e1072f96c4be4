package native

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/inspect"
	"github.com/realm-webgpu/realm/hostfn/memory64"
	"github.com/realm-webgpu/realm/hostfn/meter"
)

// MaxModule is the largest module that is loaded, in bytes.
const MaxModule = inspect.MaxModule

// cached is how many compiled modules a Host keeps.
const cached = 64

// The errors of this package. Test with errors.Is.
var (
	// ErrModule marks a module that is no guest: it is malformed, imports what there
	// is not, or lacks an export.
	ErrModule = hostfn.ErrModule
	// ErrTrap marks a guest that trapped.
	ErrTrap = hostfn.ErrTrap
	// ErrClosed marks a host that was closed.
	ErrClosed = errors.New("closed")
)

// Report is what a module says of itself.
type Report = inspect.Report

// Inspect looks into a module; see [inspect.Module].
func Inspect(data []byte) (Report, error) { return inspect.Module(data) }

// Options say how guests are run. The zero value is good.
type Options struct {
	// Interpreter runs guests in wazero's interpreter, which takes less time to load
	// and many times more to run, also where its compiler would do.
	Interpreter bool
}

// Host runs guests. Its methods may be called from many goroutines.
type Host struct {
	runtime  wazero.Runtime
	reserved atomic.Int64

	mu      sync.Mutex
	closed  bool
	modules map[[sha256.Size]byte]*list.Element
	order   *list.List // of *Module, the one used last in front
}

// NewHost makes a host.
func NewHost(ctx context.Context, o Options) (*Host, error) {
	config := wazero.NewRuntimeConfig()
	if o.Interpreter {
		config = wazero.NewRuntimeConfigInterpreter()
	}
	// Custom sections are read here, and debug information is not used.
	config = config.WithCoreFeatures(features).WithDebugInfoEnabled(false)
	h := &Host{
		runtime: wazero.NewRuntimeWithConfig(ctx, config),
		modules: map[[sha256.Size]byte]*list.Element{},
		order:   list.New(),
	}
	if err := h.register(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("native: new host: %w", err), h.runtime.Close(ctx))
	}
	return h, nil
}

// features are what a guest's module may use.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst

// Reserved returns the address space that the memories of instances have now, in
// bytes. Of it the pages that guests have touched take memory.
func (h *Host) Reserved() int64 { return h.reserved.Load() }

// Close ends the host. Guests have to have ended before.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	return h.runtime.Close(ctx)
}

// Load makes a module ready to run, or returns the one that is from before. Errors
// wrap ErrModule.
func (h *Host) Load(ctx context.Context, data []byte) (*Module, error) {
	hash := sha256.Sum256(data)
	m, made, err := h.hold(hash)
	if err != nil {
		return nil, err
	}
	if made {
		h.make(ctx, m, data)
	} else {
		select {
		case <-m.ready:
		case <-ctx.Done():
			m.Release()
			return nil, fmt.Errorf("native: load: %w", ctx.Err())
		}
	}
	if m.err != nil {
		return nil, fmt.Errorf("native: load: %w", m.err)
	}
	return m, nil
}

// Find is Load for a module that is there from before, by the SHA-256 of its bytes; nil
// where it is not, or not any more.
func (h *Host) Find(hash [sha256.Size]byte) *Module {
	h.mu.Lock()
	defer h.mu.Unlock()
	e, ok := h.modules[hash]
	if !ok || h.closed {
		return nil
	}
	m := e.Value.(*Module)
	select {
	case <-m.ready:
	default:
		return nil
	}
	if m.err != nil {
		return nil
	}
	h.order.MoveToFront(e)
	m.holders++
	return m
}

// hold returns the module of a hash, held once more, or a new one that the caller has
// to make.
func (h *Host) hold(hash [sha256.Size]byte) (m *Module, made bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, false, fmt.Errorf("native: load: %w", ErrClosed)
	}
	e, ok := h.modules[hash]
	if ok {
		h.order.MoveToFront(e)
	} else {
		e = h.order.PushFront(&Module{host: h, hash: hash, ready: make(chan struct{})})
		h.modules[hash] = e
	}
	m = e.Value.(*Module)
	m.holders++
	return m, !ok, nil
}

// make compiles a module, while others may load theirs. One that is none is forgotten.
func (h *Host) make(ctx context.Context, m *Module, data []byte) {
	m.compiled, m.report, m.err = h.compile(ctx, data)
	close(m.ready)
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.err != nil {
		h.order.Remove(h.modules[m.hash])
		delete(h.modules, m.hash)
		return
	}
	h.trim(ctx)
}

// trim drops the modules used least recently, while there are too many, that no
// one holds. The caller holds the lock.
func (h *Host) trim(ctx context.Context) {
	for e := h.order.Back(); e != nil && h.order.Len() > cached; {
		before := e.Prev()
		if m := e.Value.(*Module); m.holders == 0 {
			_ = m.compiled.Close(ctx) // it only forgets
			h.order.Remove(e)
			delete(h.modules, m.hash)
		}
		e = before
	}
}

// compileTime is how long the compiler may take for a module.
const compileTime = 2 * time.Minute

// compile makes code of a module's bytes.
func (h *Host) compile(ctx context.Context, data []byte) (wazero.CompiledModule, Report, error) {
	report, err := inspect.Guest(data)
	if err != nil {
		return nil, Report{}, err
	}
	lowered, err := memory64.Lower(data)
	if err != nil {
		return nil, Report{}, fmt.Errorf("%w: %w", ErrModule, err)
	}
	if lowered.Instantiation != nil {
		return nil, Report{}, fmt.Errorf("%w: %w", ErrModule, lowered.Instantiation)
	}
	metered, err := meter.Meter(lowered.Bytes)
	if err != nil {
		return nil, Report{}, fmt.Errorf("%w: %w", ErrModule, err)
	}
	// It goes on for those who wait for the same module, whoever asked first.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), compileTime)
	defer cancel()
	// Of several workers each looks at the time, between functions.
	compiled, err := h.runtime.CompileModule(experimental.WithCompilationWorkers(ctx, 2), metered)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, Report{}, fmt.Errorf("%w: to compile it takes longer than %v", ErrModule, compileTime)
	case err != nil:
		return nil, Report{}, fmt.Errorf("%w: %w", ErrModule, err)
	}
	return compiled, report, nil
}

// register makes the host functions.
func (h *Host) register(ctx context.Context) error {
	builders := map[string]wazero.HostModuleBuilder{}
	for _, f := range hostfn.Functions() {
		b, ok := builders[f.Module]
		if !ok {
			b = h.runtime.NewHostModuleBuilder(f.Module)
			builders[f.Module] = b
		}
		params := make([]api.ValueType, len(f.Params))
		for i, p := range f.Params {
			params[i] = api.ValueTypeI32
			if p.Wide() {
				params[i] = api.ValueTypeI64
			}
		}
		var results []api.ValueType
		if f.Result {
			results = []api.ValueType{api.ValueTypeI32}
		}
		b.NewFunctionBuilder().WithGoFunction(hostFunction(f), params, results).Export(f.Name)
	}
	builders[meter.ImportModule] = h.runtime.NewHostModuleBuilder(meter.ImportModule)
	builders[meter.ImportModule].NewFunctionBuilder().
		WithGoFunction(api.GoFunc(refill), nil, []api.ValueType{api.ValueTypeI64}).Export(meter.ImportName)
	for _, b := range builders {
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// hostFunction is a host function as wazero calls it: with arguments on a stack
// that takes the result.
func hostFunction(f hostfn.Function) api.GoFunc {
	n, result := len(f.Params), f.Result
	return func(ctx context.Context, stack []uint64) {
		i := instanceOf(ctx)
		e := f.Call(i.guest, i, stack[:n])
		if result {
			stack[0] = uint64(uint32(e))
		}
	}
}

// refill gives a metered module fuel.
func refill(ctx context.Context, stack []uint64) {
	units, err := instanceOf(ctx).guest.Refill()
	if err != nil {
		panic(&hostfn.Abort{Err: err})
	}
	stack[0] = uint64(units)
}
