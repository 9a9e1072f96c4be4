package batch

import (
	"math/bits"
	"time"
)

// Limits of what a long prompt may do to texts that are being written.
const (
	// stallFactor is how many times the time of a step without a prompt a step with
	// a chunk of one may take.
	stallFactor = 2.5
	// stallFloor is a time that nobody notices: steps may always take as long.
	stallFloor = 10 * time.Millisecond
	// firstChunk is how many rows of a prompt ride along before anything is known.
	firstChunk = 32
)

// cost is the time that steps have taken, by the bucket of their rows: moving
// means, which follow texts that grow and a device that slows down.
type cost struct {
	rows, seconds [32]float64 // by the logarithm of the bucket
}

// costWeight is the part that a new measurement has in a mean.
const costWeight = 1.0 / 8

// observe takes note of a step.
func (c *cost) observe(rows int, took time.Duration) {
	i := bits.Len(uint(rows - 1))
	if c.rows[i] == 0 {
		c.rows[i], c.seconds[i] = float64(rows), took.Seconds()
		return
	}
	c.rows[i] += costWeight * (float64(rows) - c.rows[i])
	// A step that waited for something else is not to count for long.
	c.seconds[i] += costWeight * (min(took.Seconds(), 4*c.seconds[i]) - c.seconds[i])
}

// line returns the straight line through the means, base + rows * each seconds. It
// is not ok where there is no telling yet.
func (c *cost) line() (base, each float64, ok bool) {
	var n, x, y, xx, xy float64
	for i, rows := range c.rows {
		if rows == 0 {
			continue
		}
		// What matters is the part of the time: large steps are not to drown small ones.
		w := 1 / (c.seconds[i] * c.seconds[i])
		n += w
		x += w * rows
		y += w * c.seconds[i]
		xx += w * rows * rows
		xy += w * rows * c.seconds[i]
	}
	d := n*xx - x*x
	if !(d > 1e-9*n*xx) {
		return 0, 0, false
	}
	each = (n*xy - x*y) / d
	base = (y - each*x) / n
	return max(base, 0), each, each > 0
}

// seconds returns the time that a step of so many rows is going to take; 0 where
// there is no telling.
func (c *cost) of(rows int) float64 {
	if base, each, ok := c.line(); ok {
		return base + each*float64(rows)
	}
	return c.seconds[bits.Len(uint(rows-1))]
}

// chunk returns the most rows of a step in which so many texts are being written,
// most at most.
func (c *cost) chunk(writing, most int) int {
	if writing == 0 {
		return most
	}
	base, each, ok := c.line()
	if !ok {
		return min(most, writing+firstChunk)
	}
	limit := max(stallFactor*(base+each*float64(writing)), stallFloor.Seconds())
	rows := int(min((limit-base)/each, float64(most)))
	return min(most, max(rows, writing+1))
}
