package inspect

import "github.com/realm-webgpu/realm/hostfn/wasm"

// What a module may ask of the compiler. Some bytes of code can make it take gigabytes,
// or minutes for one function, as its time grows with the square of the blocks. What
// toolchains write stays far below.
const (
	maxResults = 1 << 17 // values that calls and blocks leave, beyond one each
	maxBlocks  = 10_000  // of a function: about two seconds
	maxLoops   = 2_000   // of a function, which each take as long as ten blocks or more
	maxTargets = 100_000 // of the branch tables of a function
)

// bounds checks what the functions of a module ask of the compiler.
func (r *Report) bounds(m *wasm.Module, problem func(string, ...any)) {
	var types []uint32 // of all functions, imported ones first
	for _, i := range m.Imports {
		if i.Kind == wasm.KindFunction {
			types = append(types, i.Function)
		}
	}
	types = append(types, m.Functions...)
	results := 0
	for i := range m.Code {
		blocks, loops, targets := 0, 0, 0
		for c := wasm.NewCode(&m.Code[i]); c.Next(); {
			var t wasm.FuncType
			if c.Op == wasm.OpLoop {
				loops++
			}
			switch c.Op {
			case wasm.OpBlock, wasm.OpLoop, wasm.OpIf:
				blocks++
				t = c.BlockType(m.Types)
			case wasm.OpCall, wasm.OpReturnCall:
				t = m.Types[types[c.A]]
			case wasm.OpCallIndirect, wasm.OpReturnCallIndirect:
				t = m.Types[c.A]
			case wasm.OpBrTable:
				targets += len(c.Targets)
			}
			results += max(0, len(t.Results)-1)
		}
		function := len(types) - len(m.Functions) + i
		if blocks > maxBlocks {
			problem("function %d has %d blocks, at most %d", function, blocks, maxBlocks)
		}
		if loops > maxLoops {
			problem("function %d has %d loops, at most %d", function, loops, maxLoops)
		}
		if targets > maxTargets {
			problem("function %d has branch tables of %d entries, at most %d", function, targets, maxTargets)
		}
	}
	if results > maxResults {
		problem("calls and blocks leave %d values beyond one each, at most %d", results, maxResults)
	}
}
