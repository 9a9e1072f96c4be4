package hostfn

import (
	"fmt"

	"github.com/realm-webgpu/realm/hostfn/abi"
)

// Function is a host function as an engine of WebAssembly registers it.
type Function struct {
	Module, Name string
	Params       []abi.Type // a Wide one is an i64, others are i32
	Result       bool       // it returns an i32
	Blocks       bool       // it may hold up its caller

	call func(c call, args []uint64) abi.Errno
	need uint64 // capability
}

// Call calls the function for a guest. args are as wide as a guest passes them:
// of an i32 the lower half counts. It panics with an *[Abort] where the guest may
// not go on.
func (f *Function) Call(g *Guest, m Memory, args []uint64) int32 {
	g.usage.Calls++
	g.pace()
	if err := g.alive(); err != nil {
		panic(&Abort{err})
	}
	if f.need != 0 && !g.has(f.need) {
		return int32(abi.Perm)
	}
	before := g.complaints
	e := f.call(call{g, m}, args)
	if e != abi.OK && g.complaints > before {
		g.failed = e
	}
	if g.exit != nil {
		panic(&Abort{g.exit})
	}
	return int32(e)
}

// Abort is what Call panics with: engines of WebAssembly take a guest down in no
// other way.
type Abort struct{ Err error }

func (a *Abort) Error() string { return a.Err.Error() }

func (a *Abort) Unwrap() error { return a.Err }

// Functions returns all host functions: those of package abi, and the part of WASI
// that is there.
func Functions() []Function {
	implementations := map[string]func(call, []uint64) abi.Errno{
		"abi_info": call.abiInfo, "args": call.args, "emit": call.emit, "recv": call.recv, "budget": call.budget,
		"random": call.random, "log": call.log, "cancel": call.cancelTicket, "close": call.closeHandle, "wait": call.wait,
		"model_open": call.modelOpen, "model_info": call.modelInfo, "tokenize": call.tokenize,
		"detokenize": call.detokenize, "chat_encode": call.chatEncode,
		"seq_open": call.seqOpen, "seq_fork": call.seqFork, "seq_truncate": call.seqTruncate,
		"seq_save": call.seqSave, "seq_load": call.seqLoad, "seq_stat": call.seqStat,
		"step": call.step, "gen": call.gen, "gen_next": call.genNext, "logits": call.readLogits, "draft": call.draft,
		"sampler_new": call.samplerNew, "grammar_new": call.grammarNew, "grammar_fork": call.grammarFork,
		"grammar_advance": call.grammarAdvance, "grammar_mask": call.grammarMask, "adapter_open": call.adapterOpen,
		"buf_new": call.bufNew, "buf_write": call.bufWrite, "buf_read": call.bufRead,
		"weight_open": call.weightOpen, "ops": call.ops,
	}
	var all []Function
	for _, f := range abi.Functions() {
		implementation, ok := implementations[f.Name]
		if !ok {
			panic(fmt.Sprintf("hostfn: %s.%s is not implemented", f.Module, f.Name))
		}
		var params []abi.Type
		for _, p := range f.Parameters {
			params = append(params, p.Type)
		}
		need := f.Capability
		if f.Name == "seq_save" || f.Name == "seq_load" {
			need = abi.CapKVSave
		}
		all = append(all, Function{Module: f.Module, Name: f.Name, Params: params, Result: true, Blocks: f.Blocks, call: implementation, need: need})
	}
	return append(all, wasi()...)
}
