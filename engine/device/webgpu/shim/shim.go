// Package shim has the JavaScript half of the WebGPU device of pages: what
// replays a step, and what waits for the browser.
//
// It is a plain script, as Go's own wasm_exec.js is: a page or worker loads it
// from a file, by a script element, importScripts or import, before it starts a
// program whose device is made of it. So no policy that forbids eval is in its
// way. The device finds it as globalThis.realmWebGPU.
package shim

import _ "embed"

//go:embed shim.js
var script []byte

// Name is the file name that the script is served under.
const Name = "shim.js"

// Script returns the text of the script, which may not be modified.
func Script() []byte { return script }
