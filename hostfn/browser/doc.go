// Package browser runs guests in a page, on the browser's own WebAssembly: with
// 64-bit memories as they are (https://github.com/WebAssembly/memory64), and with calls
// of the host that suspend the guest, while the page runs on
// (https://github.com/WebAssembly/js-promise-integration). hostfn/native is its sibling,
// and runs guests in an interpreter where a browser lacks these.
//
// A module goes through hostfn/meter, which makes it count fuel, and its memory is made
// an import, so that each instance has one of the size that it may have. Every request
// gets an instance of its own, whose host functions are called in the goroutine that
// runs it.
//
// The worker loads the script of package script before the program starts.
package browser
