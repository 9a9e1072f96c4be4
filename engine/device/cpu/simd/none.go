//go:build !cgo || !(amd64 || arm64) || windows

package simd

// All returns no kernels: this build has none.
func All() []Kernels { return nil }
