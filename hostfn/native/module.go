package native

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
	"github.com/realm-webgpu/realm/hostfn/meter"
)

// Module is a guest, compiled.
type Module struct {
	host     *Host
	compiled wazero.CompiledModule
	report   Report
	err      error         // why there is none
	ready    chan struct{} // closed when compiled or err is there
	hash     [sha256.Size]byte
	holders  int // guarded by host.mu
}

// Report returns what Inspect says of the module.
func (m *Module) Report() Report { return m.report }

// Release lets the host forget the module when it has too many.
func (m *Module) Release() {
	m.host.mu.Lock()
	defer m.host.mu.Unlock()
	m.holders--
}

// instance is a guest that runs. It is the guest's memory for host functions.
type instance struct {
	guest  *hostfn.Guest
	memory api.Memory
}

// guestContext carries the instance to host functions.
type guestContext struct {
	context.Context
	*instance
}

// instanceOf returns the instance that calls. wazero hands on the context of Run
// as it is.
func instanceOf(ctx context.Context) *instance {
	if g, ok := ctx.(*guestContext); ok {
		return g.instance
	}
	return ctx.Value(instanceKey{}).(*instance)
}

type instanceKey struct{}

func (g *guestContext) Value(key any) any {
	if _, ok := key.(instanceKey); ok {
		return g.instance
	}
	return g.Context.Value(key)
}

// Size implements hostfn.Memory.
func (i *instance) Size() uint64 {
	if i.memory == nil {
		return 0
	}
	return uint64(i.memory.Size())
}

// view returns n bytes at offset, the guest's own.
func (i *instance) view(offset uint64, n int) ([]byte, bool) {
	if i.memory == nil || offset > 1<<32-1 || uint64(n) > 1<<32-1 {
		return nil, false
	}
	return i.memory.Read(uint32(offset), uint32(n))
}

// Read implements hostfn.Memory.
func (i *instance) Read(offset uint64, p []byte) bool {
	b, ok := i.view(offset, len(p))
	copy(p, b)
	return ok
}

// Write implements hostfn.Memory.
func (i *instance) Write(offset uint64, p []byte) bool {
	b, ok := i.view(offset, len(p))
	copy(b, p)
	return ok
}

// Run runs the guest's whole life in an instance of its own. The guest is closed
// by the caller, whatever comes of it. Errors: hostfn.LimitError, hostfn.ExitError,
// those of the guest's context, and ErrTrap.
func (m *Module) Run(g *hostfn.Guest) error {
	g.Require(m.report.Required)
	if need := m.report.Min << 16; need > g.Limits().Memory {
		return g.Finish(0, &hostfn.LimitError{Name: "memory", Limit: fmt.Sprintf("%d bytes (it begins with %d)", g.Limits().Memory, need)})
	}
	i := &instance{guest: g}
	memory := &allocator{limit: g.Limits().Memory, reserved: &m.host.reserved}
	ctx := &guestContext{experimental.WithMemoryAllocator(g.Context(), memory), i}
	code, err := m.run(ctx, i)
	var abort *hostfn.Abort
	switch {
	case errors.As(err, &abort):
		err = abort.Err
	case memory.refused && err != nil:
		err = &hostfn.LimitError{Name: "memory", Limit: fmt.Sprintf("%d bytes", g.Limits().Memory)}
	case err != nil:
		err = trapOf(err)
	}
	return g.Finish(code, err)
}

// run instantiates the module and calls what it exports.
func (m *Module) run(ctx context.Context, i *instance) (code int32, err error) {
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	module, err := m.host.runtime.InstantiateModule(ctx, m.compiled, config)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, module.Close(ctx)) }()
	i.memory = module.ExportedMemory(abi.ExportMemory)
	if f := module.ExportedFunction(abi.ExportInitialize); f != nil {
		if _, err := f.Call(ctx); err != nil {
			return 0, err
		}
	}
	if f := module.ExportedFunction(abi.ExportABI); f != nil {
		version, err := f.Call(ctx)
		if err != nil {
			return 0, err
		}
		if major := uint32(version[0]) >> 16; major != abi.Major {
			return 0, fmt.Errorf("%w: it was built for version %d of the guest interface, this host has %d", ErrModule, major, abi.Major)
		}
	}
	run := module.ExportedFunction(abi.ExportRun)
	if run == nil {
		_, err := module.ExportedFunction(abi.ExportStart).Call(ctx)
		return 0, err
	}
	results, err := run.Call(ctx)
	if err != nil {
		return 0, err
	}
	return int32(uint32(results[0])), nil
}

// trapOf makes an error of wazero's an ErrTrap of one line: what happened, and the
// functions that it happened in.
func trapOf(err error) error {
	if errors.Is(err, ErrModule) {
		return err
	}
	text, _, _ := strings.Cut(err.Error(), "\nGo runtime stack trace")
	lines := strings.Split(text, "\n")
	reason := strings.TrimSuffix(strings.TrimPrefix(lines[0], "wasm error: "), " (recovered by wazero)")
	var frames []string
	for _, l := range lines[1:] {
		l = strings.TrimSpace(l)
		if l == "" || l == "wasm stack trace:" || strings.HasPrefix(l, meter.ImportModule) {
			continue
		}
		if frames = append(frames, l); len(frames) == 4 {
			break
		}
	}
	if len(frames) == 0 {
		return fmt.Errorf("native: guest: %w: %s", ErrTrap, reason)
	}
	return fmt.Errorf("native: guest: %w: %s, in %s", ErrTrap, reason, strings.Join(frames, " < "))
}
