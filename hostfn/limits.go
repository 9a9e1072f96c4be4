package hostfn

import (
	"fmt"
	"time"

	"github.com/realm-webgpu/realm/engine"
)

// Limits bound an instance. A field of 0 takes the default.
type Limits struct {
	Memory         uint64        // bytes of linear memory
	Fuel           uint64        // units, about an instruction each, over the whole life
	WallTime       time.Duration // of the whole life, waiting included
	Handles        int           // open at a time
	Tickets        int           // not yet waited for
	Rows           int           // of a step, and of gen
	Pages          int           // of the cache, by all sequences of the instance
	Tokens         uint64        // read and chosen
	EmitBytes      uint64        // emitted
	CallsPerSecond int           // host calls; a guest that makes more is slowed down
	BufferBytes    uint64        // of the device's memory, by all buffers of the instance
}

// The limits of an instance that nobody has bounded otherwise.
const (
	defaultMemory    = 64 << 20
	defaultFuel      = 1 << 40
	defaultWallTime  = time.Hour
	defaultHandles   = 1024
	defaultTickets   = 1024
	defaultRows      = 256
	defaultPages     = 1 << 20
	defaultTokens    = 1 << 40
	defaultEmitBytes = 256 << 20
	defaultCalls     = 500_000
	defaultBuffers   = 64 << 20
)

// withDefaults fills in what is not said.
func (l Limits) withDefaults() Limits {
	fill(&l.Memory, defaultMemory)
	fill(&l.Fuel, defaultFuel)
	fill(&l.WallTime, defaultWallTime)
	fill(&l.Handles, defaultHandles)
	fill(&l.Tickets, defaultTickets)
	fill(&l.Rows, defaultRows)
	fill(&l.Pages, defaultPages)
	fill(&l.Tokens, defaultTokens)
	fill(&l.EmitBytes, defaultEmitBytes)
	fill(&l.CallsPerSecond, defaultCalls)
	fill(&l.BufferBytes, defaultBuffers)
	return l
}

func fill[T ~int | ~int64 | ~uint64](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// validate names a limit that is out of bounds.
func (l Limits) validate() error {
	switch {
	case l.WallTime < 0, l.Handles < 0, l.Tickets < 0, l.Rows < 0, l.Pages < 0, l.CallsPerSecond < 0:
		return fmt.Errorf("hostfn: limits: a negative one: %+v", l)
	case l.Memory > 4<<30-1<<16:
		return fmt.Errorf("hostfn: limits: memory of %d bytes, at most %d can be mapped", l.Memory, uint64(4<<30-1<<16))
	case l.Rows > maxRows:
		return fmt.Errorf("hostfn: limits: %d rows, at most %d", l.Rows, maxRows)
	}
	return nil
}

// Bounds of single calls, whatever the limits are.
const (
	maxRows      = 1024
	maxWait      = 1024     // tickets
	maxForks     = 256      // of a seq_fork
	maxTokens    = 1 << 20  // of a row, of tokenize and detokenize
	maxEmit      = 16 << 20 // bytes
	maxText      = 4 << 20  // bytes: of tokenize and chat_encode, some seconds' work
	maxName      = 256      // bytes: of models, adapters, tensors and keys
	maxGrammar   = 1 << 20  // bytes
	maxGrammars  = 16       // open; each may take some 30 MiB
	maxStops     = 64       // tokens
	maxBiases    = 1024
	maxLog       = 4096 // bytes of a line
	maxRandom    = 1 << 16
	maxDraftRows = 64
	maxHeldOps   = 4 * engine.MaxTensorOps // of tickets that are open
	maxLogits    = 64 << 20                // bytes: of rows that are kept for logits()
)

// fuelSlice is how much fuel a guest gets at a time: a millisecond or so, after
// which the host looks at the time.
const fuelSlice = 1 << 20

// Refill gives fuel, in units, to go on with, or the error that ends the guest: a
// LimitError, or why its request has ended.
func (g *Guest) Refill() (units int64, err error) {
	if err := g.alive(); err != nil {
		return 0, err
	}
	left := g.limits.Fuel - g.fuelGiven
	if left == 0 {
		return 0, g.end(&LimitError{"fuel", fmt.Sprintf("%d units", g.limits.Fuel)})
	}
	n := min(left, fuelSlice)
	g.fuelGiven += n
	return int64(n), nil
}

// alive reports why the guest may not go on.
func (g *Guest) alive() error {
	if g.ended != nil {
		return g.ended
	}
	if err := g.ctx.Err(); err != nil {
		if !g.deadline.IsZero() && !time.Now().Before(g.deadline) {
			return g.end(&LimitError{"wall time", g.limits.WallTime.String()})
		}
		return g.end(err)
	}
	return nil
}

// end makes an error the one that ended the guest, unless there is one.
func (g *Guest) end(err error) error {
	if g.ended == nil {
		g.ended = err
	}
	return g.ended
}

// window is the time over which calls are counted.
const window = 50 * time.Millisecond

// pace counts a call, and holds up a guest that makes too many.
func (g *Guest) pace() {
	g.calls++
	if g.calls < g.callsAllowed {
		return
	}
	if rest := window - time.Since(g.windowStart); rest > 0 {
		timer := time.NewTimer(rest)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-g.ctx.Done():
		}
	}
	g.calls, g.windowStart = 0, time.Now()
}
