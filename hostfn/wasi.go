package hostfn

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"time"

	"github.com/realm-webgpu/realm/hostfn/abi"
)

// The errnos of WASI that are used here:
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#errno
const (
	wasiOK     = 0
	wasiBadf   = 8
	wasiFault  = 21
	wasiInval  = 28
	wasiNosys  = 52
	wasiNotsup = 58
)

// The descriptors that there are.
const (
	stdin = iota
	stdout
	stderr
)

// The sizes of WASI's structures, in bytes.
const (
	iovecSize        = 8
	subscriptionSize = 48
	eventSize        = 32
	fdstatSize       = 24
)

// maxVectors bounds the vectors of a read or a write, and the subscriptions of
// poll_oneoff.
const maxVectors = 1024

// wasi returns the part of WASI preview 1 that guests whose toolchain needs it
// have: arguments, an empty environment, clocks, random numbers, standard output
// and error to the log, poll for time, and proc_exit. Its pointers are i32. There
// are no files and no sockets: what asks for them is told that the descriptor is
// none, or that there is no such function.
func wasi() []Function {
	i, l := abi.U32, abi.U64
	function := func(name string, implementation func(call, []uint64) abi.Errno, params ...abi.Type) Function {
		return Function{Module: abi.WASIModule, Name: name, Params: params, Result: true, call: implementation}
	}
	all := []Function{
		function("args_sizes_get", call.argsSizesGet, i, i),
		function("args_get", call.argsGet, i, i),
		function("environ_sizes_get", call.environSizesGet, i, i),
		function("environ_get", call.nothing, i, i),
		function("clock_time_get", call.clockTimeGet, i, l, i),
		function("clock_res_get", call.clockResGet, i, i),
		function("random_get", call.randomGet, i, i),
		function("sched_yield", call.nothing),
		function("poll_oneoff", call.pollOneoff, i, i, i, i),
		function("fd_write", call.fdWrite, i, i, i, i),
		function("fd_read", call.fdRead, i, i, i, i),
		function("fd_fdstat_get", call.fdstatGet, i, i),
		function("fd_close", call.noDescriptor, i),
		function("fd_fdstat_set_flags", call.noDescriptor, i, i),
		function("fd_seek", call.noDescriptor, i, l, i, i),
		function("fd_tell", call.noDescriptor, i, i),
		function("fd_sync", call.noDescriptor, i),
		function("fd_datasync", call.noDescriptor, i),
		function("fd_prestat_get", call.noDescriptor, i, i),
		function("fd_prestat_dir_name", call.noDescriptor, i, i, i),
		function("fd_filestat_get", call.noDescriptor, i, i),
		function("fd_filestat_set_size", call.noDescriptor, i, l),
		function("fd_filestat_set_times", call.noDescriptor, i, l, l, i),
		function("fd_pread", call.noDescriptor, i, i, i, l, i),
		function("fd_pwrite", call.noDescriptor, i, i, i, l, i),
		function("fd_readdir", call.noDescriptor, i, i, i, l, i),
		function("fd_renumber", call.noDescriptor, i, i),
		function("fd_advise", call.noDescriptor, i, l, l, i),
		function("fd_allocate", call.noDescriptor, i, l, l),
		function("path_create_directory", call.noFunction, i, i, i),
		function("path_filestat_get", call.noFunction, i, i, i, i, i),
		function("path_filestat_set_times", call.noFunction, i, i, i, i, l, l, i),
		function("path_link", call.noFunction, i, i, i, i, i, i, i),
		function("path_open", call.noFunction, i, i, i, i, i, l, l, i, i),
		function("path_readlink", call.noFunction, i, i, i, i, i, i),
		function("path_remove_directory", call.noFunction, i, i, i),
		function("path_rename", call.noFunction, i, i, i, i, i, i),
		function("path_symlink", call.noFunction, i, i, i, i, i),
		function("path_unlink_file", call.noFunction, i, i, i),
		function("sock_accept", call.noFunction, i, i, i),
		function("sock_recv", call.noFunction, i, i, i, i, i, i),
		function("sock_send", call.noFunction, i, i, i, i, i),
		function("sock_shutdown", call.noFunction, i, i),
	}
	exit := Function{Module: abi.WASIModule, Name: "proc_exit", Params: []abi.Type{i}, call: call.procExit}
	for i := range all {
		all[i].Blocks = all[i].Name == "poll_oneoff"
	}
	return append(all, exit)
}

func (c call) nothing([]uint64) abi.Errno { return wasiOK }

func (c call) noDescriptor([]uint64) abi.Errno { return wasiBadf }

func (c call) noFunction([]uint64) abi.Errno { return wasiNosys }

// low is an i32 pointer or length.
func low(v uint64) uint64 { return uint64(uint32(v)) }

// put32 stores a number, and says so in WASI's errnos.
func (c call) put32(at uint64, v uint32) abi.Errno {
	if c.u32(low(at), v) != abi.OK {
		return wasiFault
	}
	return wasiOK
}

// arguments are the guest's name and its request.
func (g *Guest) arguments() [][]byte { return [][]byte{[]byte("guest"), g.config.Args} }

func (c call) argsSizesGet(a []uint64) abi.Errno {
	size := 0
	all := c.arguments()
	for _, s := range all {
		size += len(s) + 1
	}
	if e := c.put32(a[0], uint32(len(all))); e != wasiOK {
		return e
	}
	return c.put32(a[1], uint32(size))
}

func (c call) argsGet(a []uint64) abi.Errno {
	argv, at := low(a[0]), low(a[1])
	for i, s := range c.arguments() {
		// A NUL would end the argument early.
		s = append(bytes.ReplaceAll(s, []byte{0}, []byte{' '}), 0)
		if c.store(at, s) != abi.OK || c.u32(argv+uint64(4*i), uint32(at)) != abi.OK {
			return wasiFault
		}
		at += uint64(len(s))
	}
	return wasiOK
}

func (c call) environSizesGet(a []uint64) abi.Errno {
	if e := c.put32(a[0], 0); e != wasiOK {
		return e
	}
	return c.put32(a[1], 0)
}

// now returns the time of a clock: 0 is that of the calendar, others run evenly.
func (g *Guest) now(clock uint32) (uint64, bool) {
	switch {
	case clock == 0:
		return uint64(time.Now().UnixNano()), true
	case clock <= 3:
		return uint64(time.Since(g.started)), true
	}
	return 0, false
}

func (c call) clockTimeGet(a []uint64) abi.Errno {
	t, ok := c.now(uint32(a[0]))
	if !ok {
		return wasiInval
	}
	if c.u64(low(a[2]), t) != abi.OK {
		return wasiFault
	}
	return wasiOK
}

func (c call) clockResGet(a []uint64) abi.Errno {
	if uint32(a[0]) > 3 {
		return wasiInval
	}
	if c.u64(low(a[1]), 1000) != abi.OK {
		return wasiFault
	}
	return wasiOK
}

func (c call) randomGet(a []uint64) abi.Errno {
	at, n := low(a[0]), low(a[1])
	if !inside(c.m, at, n) {
		return wasiFault
	}
	block := make([]byte, min(n, maxRandom))
	for n > 0 {
		p := block[:min(n, maxRandom)]
		_, _ = rand.Read(p) // it does not fail: see crypto/rand
		if c.store(at, p) != abi.OK {
			return wasiFault
		}
		at, n = at+uint64(len(p)), n-uint64(len(p))
	}
	return wasiOK
}

// pollOneoff waits for the first of some clocks. Other subscriptions are told at
// once that they are not supported.
func (c call) pollOneoff(a []uint64) abi.Errno {
	in, out, n, count := low(a[0]), low(a[1]), low(a[2]), low(a[3])
	if n < 1 || n > maxVectors {
		return wasiInval
	}
	b, e := c.bytes(in, n*subscriptionSize, maxVectors*subscriptionSize)
	if e != abi.OK || !inside(c.m, out, n*eventSize) {
		return wasiFault
	}
	type subscription struct {
		user  uint64
		kind  byte
		error uint16
		in    time.Duration
	}
	const clock = 0
	all := make([]subscription, n)
	first := time.Duration(1<<63 - 1)
	for i := range all {
		s := b[i*subscriptionSize:]
		all[i] = subscription{user: leU64(s), kind: s[8]}
		if all[i].kind != clock {
			all[i].error, first = wasiNotsup, 0
			continue
		}
		now, ok := c.now(leU32(s[16:]))
		if !ok {
			all[i].error, first = wasiInval, 0
			continue
		}
		timeout := leU64(s[24:])
		if s[40]&1 != 0 { // it is a time, and not a length of time
			timeout -= min(now, timeout)
		}
		all[i].in = time.Duration(min(timeout, 1<<62))
		first = min(first, all[i].in)
	}
	if first > 0 {
		timer := time.NewTimer(first)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			if err := c.alive(); err != nil {
				panic(&Abort{err})
			}
		}
	}
	c.Guest.out = c.out[:0]
	happened := uint32(0)
	for _, s := range all {
		if s.error == 0 && s.in > first {
			continue
		}
		event := make([]byte, eventSize)
		binary.LittleEndian.PutUint64(event, s.user)
		binary.LittleEndian.PutUint16(event[8:], s.error)
		event[10] = s.kind
		c.Guest.out = append(c.out, event...)
		happened++
	}
	if c.store(out, c.out) != abi.OK {
		return wasiFault
	}
	return c.put32(count, happened)
}

// fdWrite logs what is written to standard output and error.
func (c call) fdWrite(a []uint64) abi.Errno {
	fd, vectors, n, written := uint32(a[0]), low(a[1]), low(a[2]), low(a[3])
	if fd != stdout && fd != stderr {
		return wasiBadf
	}
	if n > maxVectors {
		return wasiInval
	}
	b, e := c.bytes(vectors, n*iovecSize, maxVectors*iovecSize)
	if e != abi.OK {
		return wasiFault
	}
	vector := append([]byte(nil), b...)
	var text []byte
	total := uint32(0)
	for ; len(vector) > 0; vector = vector[iovecSize:] {
		at, size := leU32(vector), leU32(vector[4:])
		if !inside(c.m, uint64(at), uint64(size)) {
			return wasiFault
		}
		total += size
		keep, e := c.bytes(uint64(at), uint64(min(size, maxLog)), maxLog)
		if e != abi.OK {
			return wasiFault
		}
		text = append(text, keep[:min(len(keep), maxLog-min(maxLog, len(text)))]...)
	}
	level := slog.LevelInfo
	if fd == stderr {
		level = slog.LevelWarn
	}
	for line := range bytes.Lines(text) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			c.say(level, string(line))
		}
	}
	return c.put32(written, total)
}

// fdRead is at the end of standard input.
func (c call) fdRead(a []uint64) abi.Errno {
	if uint32(a[0]) != stdin {
		return wasiBadf
	}
	return c.put32(a[3], 0)
}

// fdstatGet says that the standard descriptors are character devices.
func (c call) fdstatGet(a []uint64) abi.Errno {
	if uint32(a[0]) > stderr {
		return wasiBadf
	}
	stat := make([]byte, fdstatSize)
	stat[0] = 2
	if c.store(low(a[1]), stat) != abi.OK {
		return wasiFault
	}
	return wasiOK
}

// procExit ends the guest.
func (c call) procExit(a []uint64) abi.Errno {
	c.Guest.exit = &ExitError{Code: int32(a[0]), Exit: true, Message: c.told}
	return abi.OK
}
