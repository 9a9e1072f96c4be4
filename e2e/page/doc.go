// Package page has the tests of the engine in a browser's page: the WebGPU device
// passes the suite there, guests run, and models say what they say natively.
package page
