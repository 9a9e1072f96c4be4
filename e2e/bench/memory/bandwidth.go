// Package memory probes how fast memory is read, which bounds how fast a model whose
// weights pass the caches can be.
package memory

import (
	"runtime"
	"sync"
	"time"
)

// probeBytes is how much a probe reads: more than any cache holds.
const probeBytes = 512 << 20

// Bandwidth returns how fast so many threads read memory, in bytes a second: the best of
// a few passes over a buffer that each has a part of.
func Bandwidth(threads int) float64 {
	buffer := make([]uint64, probeBytes/8)
	for i := range buffer {
		buffer[i] = uint64(i) // pages that were never written are all the same one
	}
	best := 0.0
	sums := make([]uint64, threads)
	for range 7 {
		start := time.Now()
		var done sync.WaitGroup
		for t := range threads {
			part := buffer[len(buffer)/threads*t : len(buffer)/threads*(t+1)]
			done.Go(func() { sums[t] = sum(part) })
		}
		done.Wait()
		best = max(best, float64(len(buffer)/threads*threads*8)/time.Since(start).Seconds())
	}
	runtime.KeepAlive(sums) // or the compiler could leave the reads out
	return best
}

// sum adds up a part, in several sums so that they do not wait for one another.
func sum(part []uint64) uint64 {
	var a, b, c, d uint64
	for ; len(part) >= 8; part = part[8:] {
		a += part[0] + part[4]
		b += part[1] + part[5]
		c += part[2] + part[6]
		d += part[3] + part[7]
	}
	return a + b + c + d
}
