// Package memory64 rewrites modules with 64-bit memories and tables
// (https://github.com/WebAssembly/memory64, part of WebAssembly 3.0) for engines
// that have 32-bit ones only. What they compute stays the same, with less than
// 4 GiB mapped.
//
// # Addresses
//
// The effective address of an access is a 64-bit operand plus a 64-bit offset, and
// the access traps where that is past the memory. A memory of the rewritten module
// has at most [MaxPages] pages, one less than 4 GiB, so that an access at
// 0xffffffff is past any memory, whatever its size and its offset are. An operand
// of 2^32 and more becomes that address,
//
//	address = operand <= 0xffffffff ? wrap(operand) : 0xffffffff
//
// and the access itself traps: as an access out of bounds, and never as one of
// somewhere else. So do accesses with an offset of 2^32 and more, whose operand is
// replaced altogether. Where nothing happens between address and access that could
// be noticed, a branch to a trap of the same kind does instead, which costs less.
//
// The conversion is put right behind the instruction that left the operand, so
// that operands above it need not be moved. A local that served as an address
// once, and was not written since, is known to be below 2^32, and so is what was an
// i32 before, or a constant: there the check is left out.
//
// Lengths, deltas and indices of tables are converted by the first way, as
// 0xffffffff is past any of them too.
//
// # Segments
//
// Where active segments are placed at constants, these become constants of 32
// bits. Where one of them depends on an imported global, all become passive, and a
// start function copies them in order before it calls the module's own. So it is,
// too, where elements do not fit into their table, or code copies from an active
// segment: wazero would pass over the first and do the second, and both have to
// trap.
package memory64

// MaxPages is the most pages that a rewritten memory has: 64 KiB less than 4 GiB.
const MaxPages = 1<<16 - 1

// MaxElements is the most elements that a rewritten table has: the most that
// wazero takes for a table to begin with.
const MaxElements = 1 << 27
