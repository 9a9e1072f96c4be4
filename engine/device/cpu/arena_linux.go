package cpu

import (
	"syscall"
	"unsafe"
)

// adviseHuge asks for huge pages in the part of b that can be made of them. It is
// an advice: what comes of it changes no result, and so errors are of no use.
func adviseHuge(b []byte) {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	skip := int(-start & (hugePage - 1))
	if n := (len(b) - skip) &^ (hugePage - 1); n > 0 {
		_ = syscall.Madvise(b[skip:skip+n], syscall.MADV_HUGEPAGE)
	}
}
