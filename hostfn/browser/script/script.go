// Package script has the JavaScript half of hostfn/browser: instances of guests, whose
// host functions suspend them.
//
// It is a plain script: a worker loads it from a file before it starts a program that
// runs guests. The program finds it as globalThis.realmGuest.
package script

import _ "embed"

//go:embed guest.js
var text []byte

// Name is the file name that the script is served under.
const Name = "guest.js"

// Text returns the text of the script, which may not be modified.
func Text() []byte { return text }
