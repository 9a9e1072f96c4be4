//go:build js

// Program is Realm in a page: engine, host and guest, in a worker. worker.js, beside the
// page in web/demo/page, starts it and calls what it sets as globalThis.realmProgram:
// open, adapter, generate and close, each of which returns a promise.
//
// It is built in two variants. The usual one runs guests on the browser's own
// WebAssembly; the one with the tag interpreter, for browsers that lack Memory64 or
// JSPI, has wazero's interpreter for them.
package main
