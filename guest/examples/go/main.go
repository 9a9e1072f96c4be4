//go:build wasip1

// Command go is a guest in Go: it asks a question and answers it with as many tokens
// as the request says. It is a command of WASI, which ends with 0 or with an errno.
//
//	GOOS=wasip1 GOARCH=wasm go build -o go.wasm ./guest/examples/go
//
//	{"messages": [...], "max_tokens": 64}
package main

import (
	"encoding/json"
	"os"
	"unsafe"
)

//go:wasmimport realm1 model_open
func modelOpen(name, n, out uint64) int32

//go:wasmimport realm1 model_info
func modelInfo(model uint32, out, room uint64) int32

//go:wasmimport realm1 chat_encode
func chatEncode(model uint32, text, n, out, room, count uint64) int32

//go:wasmimport realm1 detokenize
func detokenize(model uint32, tokens, n, out, room, count uint64) int32

//go:wasmimport realm1 seq_open
func sequenceOpen(model, flags uint32, out uint64) int32

//go:wasmimport realm1 gen
func generate(rows, n, ticket uint64) int32

//go:wasmimport realm1 gen_next
func generateNext(ticket, events, room, count uint64) int32

//go:wasmimport realm1 emit
func emit(channel uint32, p, n uint64) int32

// info is the beginning of struct realm_model_info of realm.h, row is struct realm_row,
// and event struct realm_event.
type info struct {
	_         [16]uint32
	stopCount uint32
	stop      [15]int32
}

type row struct {
	size, sequence            uint32
	tokens, n                 uint64
	sampler, grammar, adapter uint32
	flags                     uint32
	mask, maxTokens, stop     uint64
	stopCount, drafts, topK   uint32
	_                         uint32
	out, room                 uint64
}

type event struct {
	size, row, kind uint32
	token           int32
	logprob         float32
	topK            uint32
	err             int32
	finish          uint32
}

// The errno that says that there are no more events.
const noent = 7

// out is where the host puts what it answers. It is no local variable, as stacks are
// moved when they grow: what the host is told of has to stay where it is.
var out struct {
	model, sequence uint32
	count, length   uint64
	ticket          uint64
	info            info
	row             row
	tokens          [4096]int32
	events          [64]event
	text            [4096]byte
}

// at returns where something of out, or on the heap, is in the guest's memory.
func at[T any](p *T) uint64 { return uint64(uintptr(unsafe.Pointer(p))) }

// try ends the guest with an errno.
func try(errno int32) {
	if errno != 0 {
		os.Exit(int(errno))
	}
}

func main() {
	args := []byte(os.Args[1])
	var request struct {
		MaxTokens uint64 `json:"max_tokens"`
	}
	if err := json.Unmarshal(args, &request); err != nil {
		println(err.Error()) // to the host's log
		os.Exit(1)
	}
	try(modelOpen(0, 0, at(&out.model)))
	try(modelInfo(out.model, at(&out.info), uint64(unsafe.Sizeof(out.info))))
	try(chatEncode(out.model, at(&args[0]), uint64(len(args)), at(&out.tokens[0]), uint64(len(out.tokens)), at(&out.count)))
	try(sequenceOpen(out.model, 0, at(&out.sequence)))
	out.row = row{
		size: uint32(unsafe.Sizeof(row{})), sequence: out.sequence, tokens: at(&out.tokens[0]), n: out.count,
		maxTokens: request.MaxTokens, stop: at(&out.info.stop[0]), stopCount: out.info.stopCount,
	}
	try(generate(at(&out.row), 1, at(&out.ticket)))
	for {
		errno := generateNext(out.ticket, at(&out.events[0]), uint64(unsafe.Sizeof(out.events)), at(&out.count))
		if errno == noent {
			return
		}
		try(errno)
		for i := range out.events[:out.count] {
			e := &out.events[i]
			try(e.err)
			if e.kind != 0 {
				continue
			}
			try(detokenize(out.model, at(&e.token), 1, at(&out.text[0]), uint64(len(out.text)), at(&out.length)))
			try(emit(0, at(&out.text[0]), out.length))
		}
	}
}
