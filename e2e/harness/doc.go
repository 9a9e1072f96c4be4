// Package harness has the checks of Realm as a whole: the real binary, over real sockets,
// in a real browser, as its users have it. go run ./e2e/cmd/harness runs them on any
// machine and writes a report for programs; the test of this package runs the same checks.
// docs/harness.md is for whoever uses it.
package harness
