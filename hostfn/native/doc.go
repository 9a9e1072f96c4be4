// Package native runs guests on wazero (https://wazero.io).
//
// A module goes through hostfn/memory64, which makes 64-bit memories 32-bit ones,
// and hostfn/meter, which makes it count fuel, and is compiled once. Every request
// gets an instance of its own, in the goroutine that runs it: a call that blocks
// holds up that goroutine and nothing else.
package native
