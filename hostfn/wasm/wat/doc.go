// Package wat makes modules of the text format of WebAssembly
// (https://webassembly.github.io/spec/core/text/), for tests: those of the official
// test-suite, and the project's own, which are easier to read as text than as bytes.
//
// It knows what hostfn/wasm knows, and checks no types: a module that is not valid
// is what many tests want. Nothing but tests imports it.
package wat

// Module makes a module of its text, "(module ...)".
func Module(text string) ([]byte, error) {
	list, err := Read(text)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 || list[0].Head() != "module" {
		return nil, Error{1, "one module is expected"}
	}
	return Assemble(list[0])
}

// Integer returns the bits of an integer of so many bits, signed or unsigned.
func Integer(n Node, bits int) (v uint64, err error) {
	defer recovered(&err)
	return integer(n, bits), nil
}

// Float returns the bits of a number of 32 or 64 bits.
func Float(n Node, bits int) (v uint64, err error) {
	defer recovered(&err)
	return float(n, bits), nil
}

// recovered makes the Error that this package panics with one that is returned.
func recovered(err *error) {
	switch failure := recover().(type) {
	case nil:
	case Error:
		*err = failure
	default:
		panic(failure)
	}
}
