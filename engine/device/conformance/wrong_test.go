package conformance_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"sync/atomic"

	"github.com/realm-webgpu/realm/engine/device"
)

// fault is what a device does wrong. Fields that are nil do nothing.
type fault struct {
	op        func(o device.Op) device.Op                        // compiles another operation
	step      func(p *device.Program, s device.Step) device.Step // computes another step
	read      func(p *device.Program, row int, dst []float32)
	result    func(p *device.Program, r *device.Result)
	source    func(m device.Matrix, b []byte) // what Upload reads
	uncopied  bool                            // CopyPage does nothing
	unclamped bool                            // halves are kept as float32
	leaks     bool                            // Release does nothing
	lenient   bool                            // Submit takes what does not fit, and computes nothing
}

// wrongDevice is a device with a fault.
type wrongDevice struct {
	device.Device
	fault
}

func (d *wrongDevice) Upload(ctx context.Context, m device.Matrix) (device.Weights, error) {
	if d.source != nil {
		sources := m.Sources
		m.Sources = nil
		for _, s := range sources {
			row, err := m.Format.RowBytes(m.Columns)
			if err != nil {
				return nil, err
			}
			b := make([]byte, max(1, m.Experts)*s.Rows*row)
			if _, err := s.Reader.ReadAt(b, 0); err != nil && err != io.EOF {
				return nil, err
			}
			d.source(m, b)
			m.Sources = append(m.Sources, device.Source{Rows: s.Rows, Reader: wholeSource(b)})
		}
	}
	w, err := d.Device.Upload(ctx, m)
	if err == nil && d.leaks {
		w = &leakyWeights{w}
	}
	return w, err
}

// leakyWeights never gives memory back.
type leakyWeights struct{ device.Weights }

func (leakyWeights) Release() {}

// wholeSource is bytes at their offsets.
type wholeSource []byte

func (s wholeSource) ReadAt(p []byte, offset int64) (int, error) {
	if n := copy(p, s[min(offset, int64(len(s))):]); n < len(p) {
		return n, io.EOF
	}
	return len(p), nil
}

func (d *wrongDevice) NewCache(spec device.CacheSpec) (device.Cache, error) {
	actual := spec
	if d.unclamped {
		actual.Type = device.CacheF32
	}
	c, err := d.Device.NewCache(actual)
	if err != nil || !d.uncopied && !d.unclamped {
		return c, err
	}
	return &wrongCache{c, spec}, nil
}

// wrongCache does not copy pages, or is not what it says.
type wrongCache struct {
	device.Cache
	spec device.CacheSpec
}

func (c *wrongCache) Spec() device.CacheSpec { return c.spec }

func (*wrongCache) CopyPage(dst, src int) error { return nil }

func (d *wrongDevice) Compile(p *device.Program) (device.Executable, error) {
	q := *p
	if c, ok := p.Cache.(*wrongCache); ok {
		q.Cache = c.Cache
	}
	q.Ops = nil
	for _, o := range p.Ops {
		if d.op != nil {
			o = d.op(o)
		}
		q.Ops = append(q.Ops, unwrap(o))
	}
	exec, err := d.Device.Compile(&q)
	if err != nil {
		return nil, err
	}
	return &wrongExecutable{exec, d, p}, nil
}

// unwrap returns an operation on the weights that the device itself made.
func unwrap(o device.Op) device.Op {
	if e, ok := o.(*device.Embed); ok {
		if w, ok := e.Table.(*leakyWeights); ok {
			return &device.Embed{Out: e.Out, Table: w.Weights, Scale: e.Scale}
		}
	}
	return o
}

// wrongExecutable is an executable of a wrong device.
type wrongExecutable struct {
	device.Executable
	device  *wrongDevice
	program *device.Program
}

func (e *wrongExecutable) Submit(s *device.Step) error {
	if e.device.lenient && e.program.CheckStep(s) != nil {
		return nil
	}
	if e.device.step != nil {
		changed := e.device.step(e.program, *s)
		s = &changed
	}
	return e.Executable.Submit(s)
}

func (e *wrongExecutable) Wait(r *device.Result) error {
	err := e.Executable.Wait(r)
	if err == nil && e.device.result != nil {
		e.device.result(e.program, r)
	}
	return err
}

func (e *wrongExecutable) Read(v device.View, row int, dst []float32) error {
	err := e.Executable.Read(v, row, dst)
	if err == nil && e.device.read != nil {
		e.device.read(e.program, row, dst)
	}
	return err
}

// smallDevice says that its bindings and its buckets are small.
type smallDevice struct {
	device.Device
	maxBinding int64
	maxRows    int
}

func (d *smallDevice) Info() device.Info {
	i := d.Device.Info()
	i.MaxBinding, i.MaxRows = d.maxBinding, d.maxRows
	return i
}

// lostDevice fails from its nth call on.
type lostDevice struct {
	device.Device
	calls atomic.Int64 // until it is lost
}

func (d *lostDevice) lost() error {
	if d.calls.Add(-1) < 0 {
		return fmt.Errorf("wrong: %w", device.ErrLost)
	}
	return nil
}

func (d *lostDevice) Upload(ctx context.Context, m device.Matrix) (device.Weights, error) {
	if err := d.lost(); err != nil {
		return nil, err
	}
	return d.Device.Upload(ctx, m)
}

func (d *lostDevice) UploadVector(values []float32) (device.Weights, error) {
	if err := d.lost(); err != nil {
		return nil, err
	}
	return d.Device.UploadVector(values)
}

func (d *lostDevice) NewCache(spec device.CacheSpec) (device.Cache, error) {
	if err := d.lost(); err != nil {
		return nil, err
	}
	return d.Device.NewCache(spec)
}

func (d *lostDevice) Compile(p *device.Program) (device.Executable, error) {
	if err := d.lost(); err != nil {
		return nil, err
	}
	exec, err := d.Device.Compile(p)
	return &lostExecutable{exec, d}, err
}

type lostExecutable struct {
	device.Executable
	device *lostDevice
}

func (e *lostExecutable) Submit(s *device.Step) error {
	if err := e.device.lost(); err != nil {
		return err
	}
	return e.Executable.Submit(s)
}

func (e *lostExecutable) Read(v device.View, row int, dst []float32) error {
	if err := e.device.lost(); err != nil {
		return err
	}
	return e.Executable.Read(v, row, dst)
}

// nudge moves a value by so many units in the last place.
func nudge(v float32, units int) float32 {
	return math.Float32frombits(uint32(int(math.Float32bits(v)) + units))
}

// changing returns a fault in operations of one type, of which f changes a copy.
func changing[T any, P interface {
	*T
	device.Op
}](f func(P)) fault {
	return fault{op: func(o device.Op) device.Op {
		original, ok := o.(P)
		if !ok {
			return o
		}
		changed := *original
		f(&changed)
		return P(&changed)
	}}
}
