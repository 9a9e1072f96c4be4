package engine

import (
	"errors"
	"fmt"
	"sync"

	"github.com/realm-webgpu/realm/engine/device"
)

// The errors of single operations. Test with errors.Is.
var (
	// ErrTensor marks an operation that cannot be: a shape that does not fit, an
	// id that is not there, a place past the end of a buffer. It names the
	// operation and the field, and nothing of its list was run.
	ErrTensor = errors.New("malformed tensor operation")
	// ErrNoWeight marks the name of a tensor that the model has none of, or that
	// is on the device only as a part of something else.
	ErrNoWeight = errors.New("no such weight")
	// ErrTensorLimit marks what passes a bound of TensorLimits.
	ErrTensorLimit = errors.New("over the limit of tensor operations")
)

// MaxTensorOps is the most operations of one list.
const MaxTensorOps = 4096

// turnOps is the most operations that are given to the device in one turn, so
// that others come in between.
const turnOps = 512

// TensorLimits bound what a Tensors takes. Zeros are the defaults.
type TensorLimits struct {
	Bytes    int64 // of all buffers, and of writes that wait for operations; 64 MiB
	Buffers  int   // 256
	Programs int   // compiled lists that are kept, least recently used first to go; 16
	Pending  int   // lists that wait for those before them; 16
}

func (l TensorLimits) withDefaults() TensorLimits {
	for _, f := range []struct {
		of       *int
		standard int
	}{{&l.Buffers, 256}, {&l.Programs, 16}, {&l.Pending, 16}} {
		if *f.of <= 0 {
			*f.of = f.standard
		}
	}
	if l.Bytes <= 0 {
		l.Bytes = 64 << 20
	}
	return l
}

// Tensors runs single operations, put together by the caller, on buffers of the
// device, the weights of models, and keys and values in their caches. Lists run
// one after the other in the order of Start, with writes and reads of buffers in
// their places among them, and between the steps of everything else on the
// device.
//
// A list in the shape of one before it, on the same buffers, weights and kind of
// cache, is compiled once: positions, ids and sequences may differ, and the rows
// as far as they round up to the same power of two.
//
// When the device is lost, what was in the buffers is, too: all fails with
// device.ErrLost from then on, as do the weights and sequences of before, and a new
// Tensors computes on the device that was opened in its place.
//
// Its methods may be called from many goroutines. It is closed before the models
// that it computes with.
type Tensors struct {
	engine *Engine
	device device.Tensors // that all is on
	limits TensorLimits

	mu      sync.Mutex
	closed  bool
	buffers map[*Buffer]struct{}
	bytes   int64         // of buffers and of writes that wait
	pending int           // lists
	tail    chan struct{} // closed when all that was ordered so far is done
	nextID  uint32        // of a buffer

	// Used by what is at the front of the order only:
	programs tensorPrograms
	step     device.Step
	result   device.Result
}

// NewTensors returns a Tensors without buffers. Errors: ErrClosed;
// device.ErrUnsupported for a device that has steps only.
func (e *Engine) NewTensors(limits TensorLimits) (*Tensors, error) {
	now := e.current()
	d, ok := now.(device.Tensors)
	if !ok {
		return nil, fmt.Errorf("engine: tensors: %s: %w", now.Info().Backend, device.ErrUnsupported)
	}
	t := &Tensors{engine: e, device: d, limits: limits.withDefaults(), buffers: map[*Buffer]struct{}{}, tail: make(chan struct{})}
	close(t.tail)
	t.programs = newTensorPrograms(t.limits.Programs)
	return t, nil
}

// Close waits for the lists that were started and gives all buffers back.
func (t *Tensors) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil
	}
	t.closed = true
	buffers := t.buffers
	t.buffers = nil
	done := t.order(func() {
		t.programs.clear()
		for b := range buffers {
			b.storage.Release()
		}
	})
	t.mu.Unlock()
	<-done
	return nil
}

// Stats of the lists that ran.
type TensorStats struct {
	Programs       int    // compiled and kept
	Hits, Compiles uint64 // parts of lists that were found, and that were not
}

// Stats waits for the lists that were started.
func (t *Tensors) Stats() TensorStats {
	var s TensorStats
	t.mu.Lock()
	done := t.order(func() { s = t.programs.stats() })
	t.mu.Unlock()
	<-done
	return s
}

// lost returns a device.ErrLost where the engine is on another device than something
// was made on: that was lost, and all that was on it.
func (e *Engine) lost(on device.Device) error {
	if on == e.current() {
		return nil
	}
	return fmt.Errorf("engine: tensors: made before the device was opened again: %w", device.ErrLost)
}

// order runs f when all that was ordered before is done: at once where nothing
// waits. The caller holds t.mu, and f does not.
func (t *Tensors) order(f func()) (done chan struct{}) {
	before := t.tail
	done = make(chan struct{})
	t.tail = done
	go func() {
		defer close(done)
		<-before
		f()
	}()
	return done
}

// idle reports whether nothing waits. The caller holds t.mu.
func (t *Tensors) idle() bool {
	select {
	case <-t.tail:
		return true
	default:
		return false
	}
}
