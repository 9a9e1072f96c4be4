// Package serve tests realm serve as its users have it: the binary, its commands and its
// sockets.
package serve
