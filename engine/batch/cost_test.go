package batch

import (
	"math"
	"testing"
	"time"
)

// learn has steps of some numbers of rows take base and each more a row, several times.
func (c *cost) learn(base, each time.Duration, rows ...int) {
	for range 40 {
		for _, n := range rows {
			c.observe(n, base+time.Duration(n)*each)
		}
	}
}

// TestCostLine finds out what steps take from those that were seen.
func TestCostLine(t *testing.T) {
	var c cost
	if c.of(5) != 0 {
		t.Errorf("nothing is known, and a step takes %v s", c.of(5))
	}
	c.learn(20*time.Millisecond, time.Millisecond, 1)
	if got := c.of(1); math.Abs(got-0.021) > 1e-9 {
		t.Errorf("of one size alone: %v s, want 0.021", got)
	}
	c.learn(20*time.Millisecond, time.Millisecond, 8, 64)
	for _, rows := range []int{1, 3, 64, 200} {
		if got, want := c.of(rows), 0.020+0.001*float64(rows); math.Abs(got-want) > 1e-6 {
			t.Errorf("%d rows: %v s, want %v", rows, got, want)
		}
	}
	// A device that slows down is followed, a step that waited for something else is not.
	c.observe(8, time.Hour)
	if got := c.of(8); got > 0.1 {
		t.Errorf("after one step that waited: %v s", got)
	}
	c.learn(40*time.Millisecond, 2*time.Millisecond, 1, 8, 64)
	if got := c.of(8); math.Abs(got-0.056) > 1e-3 {
		t.Errorf("of a device half as fast: %v s, want 0.056", got)
	}
}

// TestChunk holds the rows of prompts beside texts that are being written to the time
// that those would take alone.
func TestChunk(t *testing.T) {
	const most = 512
	for _, c := range []struct {
		name       string
		base, each time.Duration // of a step; 0: nothing is known
		writing    int
		want       int
	}{
		{"nobody writes", 20 * time.Millisecond, time.Millisecond, 0, most},
		{"nothing is known", 0, 0, 3, 3 + firstChunk},
		{"one writes", 20 * time.Millisecond, time.Millisecond, 1, 32},  // 2.5 * 21 ms
		{"eight write", 20 * time.Millisecond, time.Millisecond, 8, 50}, // 2.5 * 28 ms
		{"rows take all of the time", 0, 4 * time.Millisecond, 8, 20},   // 2.5 * 32 ms
		{"steps nobody notices", 0, 100 * time.Microsecond, 1, 100},     // 10 ms
		{"rows are free", 20 * time.Millisecond, 10 * time.Microsecond, 1, most},
		{"one row takes long", 0, time.Second, 1, 2},
		{"as many as fit", 20 * time.Millisecond, time.Millisecond, most, most},
	} {
		var k cost
		if c.each > 0 {
			k.learn(c.base, c.each, 1, 16)
		}
		if got := k.chunk(c.writing, most); got < c.want-1 || got > c.want {
			t.Errorf("%s: %d rows, want %d", c.name, got, c.want)
		}
	}
}
