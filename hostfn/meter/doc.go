// Package meter makes modules count what they do, so that their host can stop
// them: fuel, in a global of the module's own.
//
// A function pays for its straight-line code at its entry, and a loop for its body
// every time its header is passed, in units of about an instruction. Operations on
// ranges of memories and tables pay for their length besides. What is not reached
// of a body is paid for all the same: the count depends on the module and its
// input alone, and costs a few instructions a loop turn.
//
// When the fuel is spent the module calls the imported function refill, which
// looks at the time, at quotas and at whether anyone still wants the answer, and
// gives more or ends the instance. A module that calls nothing, loops nowhere and
// recurses never is finite, and so stops by itself.
//
// The call stands behind the code of a loop, or of the function, which becomes a loop
// for that: it gives back what was paid and goes to the header, where it is paid again.
package meter

// What a metered module imports.
const (
	// ImportModule and ImportName are of the function () -> i64 that gives the
	// fuel to go on with. It ends the instance by not returning.
	ImportModule = "realm1_meter"
	ImportName   = "refill"
)

// ExportFuel is the name of the exported global, a mutable i64, that holds what is
// left. It may be below 0: then the next entry, loop turn or range calls refill.
const ExportFuel = "realm1_meter.fuel"

// Ranges cost a unit for so many bytes of memory or elements of a table, as powers
// of two, and memory.grow as much as to fill the pages. Lengths beyond the bounds
// cost no more than these: no memory and no table is as large, and what asks for it
// fails.
const (
	bytesShift    = 6
	elementsShift = 3
	pageUnits     = 1 << 16 >> bytesShift
	mostLength    = 1 << 34
	mostPages     = 1 << 18
)
