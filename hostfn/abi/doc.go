// Package abi is the interface between guests and their host, version 1: every
// number, name, signature and layout of it, and nothing that runs. The C header
// guest/realm.h and docs/guest-abi.md are generated from its tables.
//
// A guest imports functions from the modules realm1 and realm1_tensor. Each of
// them returns an [Errno]. Pointers, lengths, times and tickets are 64 bits wide
// whatever the guest's own pointers are; handles, flags and indices are 32.
//
// Structs begin with their own size in bytes, which the writer fills in, so that
// they can grow: a reader takes what it knows of a longer one, and takes the
// fields that a shorter one lacks as zero. Numbers are little-endian and aligned
// to their own size.
//
// Calls marked as blocking hold up the guest and no thread of the host. All
// others return at once, and what they were given has been copied by then. Long
// work gives a ticket: its results are written by wait or gen_next, and at no
// other time.
package abi

// The version: the major number is in the names of the modules.
const (
	Major = 1
	Minor = 0
)

// The modules that guests import.
const (
	Module       = "realm1"
	TensorModule = "realm1_tensor"
	WASIModule   = "wasi_snapshot_preview1"
)

// What a guest exports.
const (
	ExportMemory     = "memory"
	ExportRun        = "realm_run"   // () -> i32: its whole life; 0 is success
	ExportABI        = "realm_abi"   // () -> i32: Major<<16 | Minor of the header it was built with
	ExportInitialize = "_initialize" // () -> (): called first, if it is there
	ExportStart      = "_start"      // () -> (): in place of realm_run in a wasip1 command
)

// CapabilitySection is the custom section that says what a guest needs: names of
// capabilities, with white space or commas between them.
const CapabilitySection = "realm.caps"

// Forever is the time, in microseconds, that wait and recv never reach.
const Forever = ^uint64(0)
