// Package playground has the tests of the page that realm serve has at /: a real server
// of atlas on the CPU, and a real Chromium, in which they type and click as a person
// would. With go test -artifacts they leave pictures.
package playground
