package hostfn

import (
	"context"
	"errors"
	"fmt"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// Adapters are those that a guest may open: its tenant's.
type Adapters interface {
	// Open returns an adapter of a model by its name, loaded. The guest closes it.
	// Errors: ErrNotFound, ErrNotAllowed, those of [engine.Model.LoadAdapter], and
	// ctx.Err().
	Open(ctx context.Context, m *Model, name string) (*Adapter, error)
}

// Adapter is an adapter as guests see it.
type Adapter struct {
	Engine *engine.Adapter
	Scale  float32 // 1: what it was trained for
}

// AdapterSource is where an adapter comes from: a file or a folder, or one that was
// read already.
type AdapterSource struct {
	Path  string
	Read  *lora.Adapter // nil: Path is read
	Scale float32
}

// NamedAdapters are adapters by their names, each loaded when a guest opens it.
type NamedAdapters map[string]AdapterSource

// Open implements Adapters.
func (n NamedAdapters) Open(ctx context.Context, m *Model, name string) (*Adapter, error) {
	source, ok := n[name]
	if !ok {
		return nil, fmt.Errorf("adapter %q: %w", name, ErrNotFound)
	}
	var a *engine.Adapter
	var err error
	if source.Read != nil {
		a, err = m.Engine.AddAdapter(ctx, source.Read)
	} else {
		a, err = m.Engine.LoadAdapter(ctx, source.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("adapter %q: %w", name, err)
	}
	return &Adapter{Engine: a, Scale: source.Scale}, nil
}

// openAdapter is an adapter that a guest has opened.
type openAdapter struct {
	*Adapter
	model *Model
}

func (a openAdapter) close() { a.Engine.Close() }

// adapterOpen implements realm1.adapter_open(model, name, n, out).
func (c call) adapterOpen(a []uint64) abi.Errno {
	m, e := find[openModel](c.Guest, uint32(a[0]))
	if e != abi.OK {
		return e
	}
	name, e := c.name(a[1], a[2])
	if e != abi.OK {
		return e
	}
	if !inside(c.m, a[3], 4) {
		return abi.Fault
	}
	if c.config.Adapters == nil {
		c.complain("adapter_open", fmt.Errorf("%q: this host has no adapters", name))
		return abi.Nosys
	}
	opened, err := c.config.Adapters.Open(c.ctx, m.Model, name)
	if err != nil {
		c.complain("adapter_open", err)
		return adapterErrno(err)
	}
	return c.addTo(a[3], openAdapter{opened, m.Model})
}

// adapterErrno is errnoOf for adapters: one that is no adapter, or another model's,
// is none that could be opened.
func adapterErrno(err error) abi.Errno {
	if errors.Is(err, lora.ErrModel) || errors.Is(err, lora.ErrFormat) || errors.Is(err, lora.ErrUnsupported) {
		return abi.Inval
	}
	return errnoOf(err)
}

// adapterOf has the sequence of a row go by the row's adapter: by that of its first
// row until it is empty again. What was read by another, or by none, is no beginning
// of what this one would write.
func (c call) adapterOf(r *row) abi.Errno {
	hash, scale, has := r.sequence.Adapter()
	if r.Adapter == 0 {
		if !has {
			return abi.OK
		}
		return c.changeAdapter(r, nil)
	}
	a, e := find[openAdapter](c.Guest, r.Adapter)
	if e != abi.OK {
		return e
	}
	if a.model != r.sequence.model {
		return abi.Inval
	}
	if has && hash == a.Engine.Hash() && scale == a.Scale {
		return abi.OK
	}
	return c.changeAdapter(r, a.Adapter)
}

// changeAdapter gives an empty sequence an adapter, or takes it away.
func (c call) changeAdapter(r *row, a *Adapter) abi.Errno {
	var err error
	if a == nil {
		err = r.sequence.UseAdapter(nil, 0)
	} else {
		err = r.sequence.UseAdapter(a.Engine, a.Scale)
	}
	if err != nil {
		c.complain("row", err)
	}
	return errnoOf(err)
}
