package webgpu

import (
	"errors"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
)

// TestBufferLimits asks for more than there is: a typed error each time, and the
// device goes on.
func TestBufferLimits(t *testing.T) {
	d := openTest(t, Options{Budget: 1 << 20})
	before := d.Memory()
	var over *device.MemoryError
	if _, err := d.newBuffer("too much", device.KindScratch, 2<<20, usageStorage); !errors.As(err, &over) || !errors.Is(err, device.ErrMemory) {
		t.Errorf("over the budget: %v", err)
	} else if over.Need != 2<<20 || over.Budget != 1<<20 {
		t.Errorf("over the budget: %+v", over)
	}
	if _, err := d.newBuffer("too large", device.KindScratch, d.limits.Buffer+1, usageStorage); !errors.Is(err, device.ErrUnsupported) {
		t.Errorf("over the adapter's limit: %v", err)
	}
	b, err := d.newBuffer("fits", device.KindScratch, 1000, usageStorage)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Memory().Used[device.KindScratch] - before.Used[device.KindScratch]; got != 1008 {
		t.Errorf("1000 bytes are accounted as %d, want 1008", got)
	}
	b.release()
	if d.Memory() != before {
		t.Errorf("after release: %+v, before: %+v", d.Memory(), before)
	}
}

// TestShortage takes buffers until the driver has no more: a typed error, and
// what there was works on.
func TestShortage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes all of the driver's memory")
	}
	d := openTest(t, Options{})
	if !d.Info().Software {
		t.Skip("NOT TESTED: takes all memory of a GPU that others may be using")
	}
	var taken []*buffer
	defer func() {
		for _, b := range taken {
			b.release()
		}
	}()
	// Software memory is only taken when it is touched: address space ends first,
	// or nothing does.
	for range 64 {
		b, err := d.newBuffer("large", device.KindScratch, d.limits.Buffer&^15, usageStorage)
		if err != nil {
			if !errors.Is(err, device.ErrMemory) {
				t.Errorf("no more memory: %v, want ErrMemory", err)
			}
			break
		}
		taken = append(taken, b)
	}
	if b, err := d.newBuffer("small", device.KindScratch, 64, usageStorage); err != nil && !errors.Is(err, device.ErrMemory) {
		t.Errorf("after a shortage: %v", err)
	} else if err == nil {
		b.release()
	}
}
