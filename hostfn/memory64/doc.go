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
// replaced altogether. What costs less is a branch that is never taken, to one access
// of that kind behind the function's code, and that is what most accesses have:
//
//	(br_if $trap (operand >> 32))  address = wrap(operand)
//
// The conversion is put right behind the instruction that left the operand, so that
// operands above it need not be moved, or behind all of them, where what they do must
// come before the trap.
//
// # What needs no check
//
// Of locals and operands it is followed between which numbers they lie: by the
// instruction that made them, and by the accesses that they were good for. Behind one
// at p+c, p lies from -c to the end of memory less c. An operand is only wrapped where
// it lies above -65,536 and below 2^32: below 0 it becomes an address of the last
// 64 KiB, which no memory has. So of several accesses around one pointer one has a
// check, in whatever order they come. What is known of a local holds until it is
// written, in loops that do not write it, too, and behind a block as far as it was
// known when the first branch left it.
//
// The lower half of a local that was an address is kept in a local of its own, and a
// constant that is added to one below 2^32 becomes part of the offset: engines check
// the bounds of accesses together that have one address and several offsets.
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
