// Package wasm reads and writes the binary format of WebAssembly modules, for
// passes that rewrite them: https://webassembly.github.io/spec/core/binary/.
//
// It knows version 2.0 (multi-value, bulk memory, reference types, SIMD), tail
// calls, extended constant expressions, and memories and tables of 64-bit
// indices. Of the rest (several memories, threads, exceptions, garbage
// collection) it says that it does not.
//
// Decode checks the structure of a module: sections, counts, lengths, indices
// that stand outside of code, and the shape of every instruction. It does not
// check types; the engine that runs what a pass has written does.
package wasm

// The limits of a module, in the units of each. Those of a JavaScript engine
// (https://webassembly.github.io/spec/js-api/#limits) are larger.
const (
	MaxModule    = 64 << 20 // bytes
	MaxFunctions = 100_000  // with imported ones
	MaxTypes     = 100_000
	MaxEntries   = 100_000 // of any other section
	MaxValues    = 1000    // parameters or results of a type
	MaxLocals    = 50_000  // of a function, with its parameters
	MaxAllLocals = 8 << 20 // of all functions together
	MaxBody      = 4 << 20 // bytes of a function
	MaxNesting   = 1000    // blocks in one another
)
