// Package demo is Realm in a page, with no server behind it but for files: the engine is
// a program for WebAssembly (package program), which a page and its ES module (page)
// run in a worker. docs/browser.md documents them.
//
// Package build makes the files. A build with the tag demo has them built in, for realm
// serve to serve; without it [Handler] answers with how that is done.
package demo
