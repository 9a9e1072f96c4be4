package hostfn

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// abiInfo implements realm1.abi_info(out, cap).
func (c call) abiInfo(a []uint64) abi.Errno {
	info := abi.AbiInfo{
		Capabilities: uint32(c.capabilities),
		Features:     c.features(),
		MaxMemory:    c.limits.Memory,
		MaxHandles:   uint32(c.limits.Handles),
		MaxTickets:   uint32(c.limits.Tickets),
		MaxRows:      uint32(c.limits.Rows),
		PageTokens:   device.PageTokens,
	}
	return c.head(a[0], a[1], info.Append(c.out[:0]))
}

// head stores the first room bytes of a struct, whose size says how many there are.
func (c call) head(out, room uint64, p []byte) abi.Errno {
	c.out = p
	if room < 8 {
		return abi.Inval
	}
	p = p[:min(uint64(len(p)), room)&^3]
	p[0], p[1], p[2], p[3] = byte(len(p)), byte(len(p)>>8), 0, 0
	return c.store(out, p)
}

// args implements realm1.args(buf, cap, n).
func (c call) args(a []uint64) abi.Errno { return c.sized(a[0], a[1], a[2], c.config.Args, 1) }

// emit implements realm1.emit(channel, p, n).
func (c call) emit(a []uint64) abi.Errno {
	channel, n := uint32(a[0]), a[2]
	if channel > abi.ChannelEvent {
		return abi.Inval
	}
	if !inside(c.m, a[1], n) {
		return abi.Fault
	}
	if n > c.limits.EmitBytes-c.emitted {
		return abi.Quota
	}
	p, e := c.bytes(a[1], n, maxEmit)
	if e != abi.OK {
		return e
	}
	if channel == abi.ChannelEvent && !isObject(p) {
		return abi.Inval
	}
	c.emitted += n
	if channel == abi.ChannelEvent {
		c.keepTold(p)
	}
	if err := c.config.Emit(c.ctx, channel, p); err != nil {
		return errnoOf(err)
	}
	return abi.OK
}

// isObject reports whether p is one JSON object.
func isObject(p []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(p, " \t\r\n"), []byte("{")) && json.Valid(p)
}

// keepTold remembers what an error event says.
func (g *Guest) keepTold(p []byte) {
	const most = 4096
	if len(p) > most {
		return
	}
	var event struct{ Type, Message string }
	if json.Unmarshal(p, &event) == nil && event.Type == "error" {
		g.told = event.Message
	}
}

// recv implements realm1.recv(buf, cap, n, us).
func (c call) recv(a []uint64) abi.Errno {
	if c.config.Messages == nil && c.message == nil {
		return abi.Noent
	}
	if c.message == nil {
		ctx, cancel := c.within(a[3])
		defer cancel()
		message, err := c.config.Messages.Receive(ctx)
		switch {
		case errors.Is(err, ErrEnd):
			return abi.Noent
		case err != nil && c.ctx.Err() == nil && ctx.Err() != nil:
			return abi.Timedout
		case err != nil:
			return errnoOf(err)
		}
		c.message = append([]byte{}, message...)
	}
	e := c.sized(a[0], a[1], a[2], c.message, 1)
	if e == abi.OK {
		c.message = nil
	}
	return e
}

// within returns a context for so many microseconds.
func (g *Guest) within(us uint64) (context.Context, context.CancelFunc) {
	if us > uint64(math.MaxInt64/time.Microsecond) {
		return context.WithCancel(g.ctx)
	}
	return context.WithTimeout(g.ctx, time.Duration(us)*time.Microsecond)
}

// budget implements realm1.budget(out).
func (c call) budget(a []uint64) abi.Errno {
	size, e := c.declared(a[0])
	if e != abi.OK {
		return e
	}
	b := abi.Budget{
		Microseconds: uint64(max(0, time.Until(c.deadline).Microseconds())),
		Fuel:         c.limits.Fuel - c.fuelGiven,
		Tokens:       c.limits.Tokens - min(c.tokens, c.limits.Tokens),
		Pages:        uint64(max(0, c.limits.Pages-c.pages())),
		Bytes:        c.limits.EmitBytes - c.emitted,
	}
	return c.head(a[0], size, b.Append(c.out[:0]))
}

// declared reads the size that a guest has put into a struct.
func (c call) declared(at uint64) (uint64, abi.Errno) {
	b, e := c.bytes(at, 4, 4)
	if e != abi.OK {
		return 0, e
	}
	n := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24
	if n < 8 || n > abi.MaxStruct || n%4 != 0 {
		return 0, abi.Inval
	}
	return n, abi.OK
}

// random implements realm1.random(p, n).
func (c call) random(a []uint64) abi.Errno {
	if a[1] > maxRandom {
		return abi.Inval
	}
	if !inside(c.m, a[0], a[1]) {
		return abi.Fault
	}
	c.out = append(c.out[:0], make([]byte, a[1])...)
	_, _ = rand.Read(c.out) // it does not fail: see crypto/rand
	return c.store(a[0], c.out)
}

// levelComplaint is for why calls fail: the guest is told an errno only.
const levelComplaint = slog.LevelInfo

// maxLines is how many lines of a guest are logged.
const maxLines = 10_000

// log implements realm1.log(level, p, n).
func (c call) log(a []uint64) abi.Errno {
	if uint32(a[0]) > abi.LogError {
		return abi.Inval
	}
	line, e := c.bytes(a[1], a[2], maxLog)
	if e != abi.OK {
		return e
	}
	return c.say([...]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}[uint32(a[0])], string(line))
}

// say logs a line of the guest's.
func (g *Guest) say(level slog.Level, line string) abi.Errno {
	if g.logged >= maxLines {
		return abi.Quota
	}
	g.logged++
	g.config.Log.LogAttrs(g.ctx, level, "guest", slog.String("line", line))
	return abi.OK
}

// closeHandle implements realm1.close(handle).
func (c call) closeHandle(a []uint64) abi.Errno { return c.remove(uint32(a[0])) }
