package memory

import "testing"

func TestBandwidth(t *testing.T) {
	if b := Bandwidth(1); b <= 0 {
		t.Errorf("%v bytes a second", b)
	}
	if got := sum([]uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}); got != 136 {
		t.Errorf("the numbers from 1 to 16 sum up to %d", got)
	}
}
