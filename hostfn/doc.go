// Package hostfn is the host of guests: the functions that docs/guest-abi.md lists,
// over an engine, for any engine of WebAssembly. hostfn/native runs guests with
// them on wazero, hostfn/browser in a page.
//
// A [Guest] is the host's side of one instance: its handles, its tickets, what it
// has taken and what it may take. It is made for one request and serves no other.
// All of its functions are called by one goroutine, that of the instance. Work that
// takes long is the engine's, whose goroutines wake the guest's when there is
// something new.
//
// Nothing that a guest passes is trusted. Ranges of its memory are checked by
// [Memory] whenever they are used, counts before they are multiplied, and handles
// are looked up in the guest's own table, so that those of another guest mean
// nothing.
package hostfn
