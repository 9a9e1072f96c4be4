package hostfn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/grammar"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// Models are those that a guest may open.
type Models interface {
	// Open returns a loaded model by its name; "" is the request's own. Errors:
	// ErrNotFound, ErrNotAllowed, ErrNotReady.
	Open(name string) (*Model, error)
}

// Model is a model as guests see it.
type Model struct {
	Name   string
	Engine *engine.Model
	// Vocabulary is what grammars are made over, made when it is first asked for.
	Vocabulary func() *grammar.Vocabulary
	// Draft says that the model has a draft model.
	Draft bool
}

// Source has messages that come after the request.
type Source interface {
	// Receive waits for the next message. One that is there already is returned even
	// if ctx is done: a guest may look without waiting. Errors: ErrEnd, ctx.Err().
	Receive(ctx context.Context) ([]byte, error)
}

// Config is what an instance is made for.
type Config struct {
	Engine *engine.Engine
	Models Models
	Tenant *engine.Tenant // nil: the engine's own
	// Adapters, unless nil, are those that the tenant may use.
	Adapters Adapters
	// Args is the request, a JSON object.
	Args []byte
	// Emit takes what the guest emits. It may wait, which holds up the guest; p is
	// valid until it returns.
	Emit func(ctx context.Context, channel uint32, p []byte) error
	// Messages, unless nil, are what recv takes.
	Messages Source
	// Log, unless nil, is where the guest's lines go.
	Log *slog.Logger
	// Capabilities are those that the tenant may use.
	Capabilities uint64
	Limits       Limits
	// Saved keeps sequences beyond the request; nil: seq_save is refused.
	Saved *Saved
	// Show says which control tokens detokenize writes out; nil: none.
	Show func(token int32) bool
}

// Guest is the host's side of one instance.
type Guest struct {
	config       Config
	limits       Limits
	capabilities uint64
	ctx          context.Context
	cancel       context.CancelFunc
	deadline     time.Time
	started      time.Time

	handles handles
	leaving map[*sequence]struct{} // closed, and in a step still
	tickets tickets
	waited  []uint64      // working space of wait
	wake    chan struct{} // has one when a run may have something new
	notify  func()

	usage    Usage
	message  []byte          // that did not fit the last recv
	logits   *logits         // of the last step that was waited for with ROW_LOGITS
	tensor   *engine.Tensors // nil until it is used
	opsHeld  int             // operations of the tickets that are open
	grammars int             // compiled, forks not counted

	logitBytes uint64 // that steps and the last one's logits may take
	fuelGiven  uint64
	tokens     uint64 // read and chosen
	emitted    uint64
	logged     int

	calls, callsAllowed int
	windowStart         time.Time

	ended      error // why it may not go on
	exit       *ExitError
	told       string // what the last error event said
	failure    error  // why the last call that failed did so
	failed     abi.Errno
	complaints int // failures so far
	one        []int32

	space  []byte // working space of call.bytes
	number [8]byte
	ids    []int32
	out    []byte
}

// NewGuest makes the host's side of an instance. ctx ends it. It has to be closed.
func NewGuest(ctx context.Context, c Config) (*Guest, error) {
	limits := c.Limits.withDefaults()
	if err := limits.validate(); err != nil {
		return nil, err
	}
	if c.Engine == nil || c.Models == nil || c.Emit == nil {
		return nil, errors.New("hostfn: guest: Engine, Models or Emit is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	g := &Guest{
		config: c, limits: limits, capabilities: c.Capabilities,
		started: time.Now(), wake: make(chan struct{}, 1),
		callsAllowed: max(1, int(float64(limits.CallsPerSecond)*window.Seconds())),
	}
	g.windowStart = g.started
	g.deadline = g.started.Add(limits.WallTime)
	g.ctx, g.cancel = context.WithDeadline(ctx, g.deadline)
	g.notify = func() {
		select {
		case g.wake <- struct{}{}:
		default:
		}
	}
	return g, nil
}

// Usage is what an instance has used so far.
type Usage struct {
	Calls  uint64        // of host functions
	Fuel   uint64        // units that were given out; some of the last may be left
	Tokens uint64        // read and chosen
	Read   uint64        // of them, those that were read
	Emits  uint64        // bytes emitted
	Waited time.Duration // for the engine, with nothing else to do
	Queued time.Duration // of the first row that ended: until it was taken into a step
	Later  uint64        // tokens that rows chose behind their first
	Decode time.Duration // from a row's first token to its last as the engine chose them, of the longest row
}

// Usage returns what the instance has used. It is for the goroutine that runs the
// guest, and for after that.
func (g *Guest) Usage() Usage {
	u := g.usage
	u.Fuel, u.Tokens, u.Emits = g.fuelGiven, g.tokens, g.emitted
	return u
}

// Require cuts the capabilities to those that a guest declares.
func (g *Guest) Require(declared uint64) { g.capabilities &= declared }

// Limits returns the limits of the instance.
func (g *Guest) Limits() Limits { return g.limits }

// Context returns the context that ends when the guest may not go on.
func (g *Guest) Context() context.Context { return g.ctx }

// Finish returns what became of a guest that has ended: err is what its engine of
// WebAssembly says, code what realm_run returned.
func (g *Guest) Finish(code int32, err error) error {
	switch {
	case g.ended != nil:
		return g.ended
	case g.exit != nil && g.exit.Code == 0:
		return nil
	case g.exit != nil:
		return g.exit
	case err != nil:
		return err
	case code != 0:
		e := &ExitError{Code: code, Message: g.told}
		if g.failure != nil && g.failed == abi.Errno(code) {
			e.Err = g.failure
		}
		return e
	}
	return nil
}

// Close gives back all that the guest holds. Work that is under way is cancelled
// and waited for.
func (g *Guest) Close() {
	g.cancel()
	g.tickets.close()
	if g.tensor != nil {
		_ = g.tensor.Close() // it has nothing to say
	}
	g.handles.close()
}

// has reports whether the guest has a capability.
func (g *Guest) has(capability uint64) bool { return g.capabilities&capability != 0 }

// features are those of this host.
func (g *Guest) features() uint64 {
	f := uint64(abi.FeatureSpeculation | abi.FeatureGrammar | abi.FeatureTensor)
	if g.config.Saved != nil {
		f |= abi.FeatureKVSave
	}
	if g.config.Adapters != nil {
		f |= abi.FeatureAdapter
	}
	return f
}

// String names the guest in errors and logs.
func (g *Guest) String() string { return fmt.Sprintf("guest of %v", g.started.Format(time.TimeOnly)) }
