package cpu

import (
	"fmt"
	"math"
	"math/bits"
	"sync/atomic"

	"github.com/realm-webgpu/realm/engine/device"
)

// cache holds keys [layer][page][head_kv][head_dim][token], and values
// [layer][page][head_kv][token][head_dim], so that what a head reads of a page lies
// together, and so does a page of a layer. In a page of keys the tokens follow each
// other: the scores of several are computed side by side.
type cache struct {
	device       *Device
	spec         device.CacheSpec
	bytes        int64
	keys, values store
	released     atomic.Bool

	chosen  []int32      // [maxRows] by the last step that has run
	choices atomic.Int32 // ids that the last step submitted leaves in chosen
}

// NewCache implements [device.Device]. ErrUnsupported marks a spec out of its
// limits.
func (d *Device) NewCache(spec device.CacheSpec) (device.Cache, error) {
	if err := d.open("new cache"); err != nil {
		return nil, err
	}
	elements, err := cacheElements(spec)
	if err != nil {
		return nil, fmt.Errorf("cpu: new cache: %w", err)
	}
	c := &cache{device: d, spec: spec, bytes: spec.Bytes()}
	if err := d.take(device.KindCache, fmt.Sprintf("%d pages", spec.Pages), c.bytes); err != nil {
		return nil, fmt.Errorf("cpu: new cache: %w", err)
	}
	c.keys, c.values = newStore(spec.Type, elements), newStore(spec.Type, elements)
	c.chosen = make([]int32, maxRows)
	return c, nil
}

// cacheElements returns the number of elements of all keys.
func cacheElements(spec device.CacheSpec) (int, error) {
	for _, f := range []struct {
		name  string
		value int
	}{{"Layers", spec.Layers}, {"HeadCountKV", spec.HeadCountKV}, {"HeadDim", spec.HeadDim}, {"Pages", spec.Pages}} {
		if f.value < 1 || f.value > math.MaxInt32 {
			return 0, fmt.Errorf("%w: %s is %d", device.ErrUnsupported, f.name, f.value)
		}
	}
	if spec.HeadDim%4 != 0 {
		return 0, fmt.Errorf("%w: HeadDim %d is not a multiple of 4", device.ErrUnsupported, spec.HeadDim)
	}
	if spec.Type != device.CacheF16 && spec.Type != device.CacheF32 {
		return 0, fmt.Errorf("%w: cache type %d", device.ErrUnsupported, int(spec.Type))
	}
	elements := uint64(device.PageTokens)
	for _, n := range []int{spec.Layers, spec.HeadCountKV, spec.HeadDim, spec.Pages} {
		high, low := bits.Mul64(elements, uint64(n))
		if high != 0 || low > math.MaxInt/8 {
			return 0, fmt.Errorf("%w: a cache of so many bytes: %+v", device.ErrUnsupported, spec)
		}
		elements = low
	}
	return int(elements), nil
}

// Spec implements [device.Cache].
func (c *cache) Spec() device.CacheSpec { return c.spec }

// Choices implements [device.Cache].
func (c *cache) Choices() int { return int(c.choices.Load()) }

// CopyPage implements [device.Cache]. ErrStep marks a page that is not there.
func (c *cache) CopyPage(dst, src int) error {
	d := c.device
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable("copy page"); err != nil {
		return err
	}
	if c.released.Load() {
		return fmt.Errorf("cpu: copy page: cache: %w", device.ErrClosed)
	}
	for _, page := range [...]int{dst, src} {
		if page < 0 || page >= c.spec.Pages {
			return fmt.Errorf("cpu: copy page %d to %d: %w: the cache has %d", src, dst, device.ErrStep, c.spec.Pages)
		}
	}
	d.queue.add(action(func() { c.copyPage(dst, src) }))
	return nil
}

// Release implements [device.Cache].
func (c *cache) Release() {
	if c.released.Swap(true) {
		return
	}
	c.device.release(func() {
		c.keys, c.values, c.chosen = store{}, store{}, nil
		c.device.memory.give(device.KindCache, c.bytes)
	})
}

// at returns where a page of a head begins.
func (c *cache) at(layer, page, head int) int {
	s := &c.spec
	return ((layer*s.Pages+page)*s.HeadCountKV + head) * device.PageTokens * s.HeadDim
}

// write stores the key and the value [head_kv, head_dim] of a token.
func (c *cache) write(by arithmetic, lane *lane, layer, page, token int, key, value []float32) {
	dim := c.spec.HeadDim
	half := lane.half[:len(key)]
	if c.keys.half != nil {
		by.ToF16(half, key)
	}
	for head := range c.spec.HeadCountKV {
		at := c.at(layer, page, head) + token
		for d := range dim {
			if c.keys.half != nil {
				c.keys.half[at+d*device.PageTokens] = half[head*dim+d]
			} else {
				c.keys.full[at+d*device.PageTokens] = key[head*dim+d]
			}
		}
	}
	for head := range c.spec.HeadCountKV {
		at, from := c.at(layer, page, head)+token*dim, value[head*dim:(head+1)*dim]
		if c.values.half != nil {
			by.ToF16(c.values.half[at:at+dim], from)
		} else {
			copy(c.values.full[at:], from)
		}
	}
}

// copyPage is CopyPage's turn on the device.
func (c *cache) copyPage(dst, src int) {
	n := c.at(0, 1, 0)
	for layer := range c.spec.Layers {
		to, from := c.at(layer, dst, 0), c.at(layer, src, 0)
		c.keys.copy(to, from, n)
		c.values.copy(to, from, n)
	}
}

// store is an array of float16 or of float32.
type store struct {
	half []uint16
	full []float32
}

func newStore(t device.CacheType, elements int) store {
	if t == device.CacheF32 {
		return store{full: make([]float32, elements)}
	}
	return store{half: make([]uint16, elements)}
}

func (s *store) copy(dst, src, n int) {
	if s.half == nil {
		copy(s.full[dst:dst+n], s.full[src:src+n])
		return
	}
	copy(s.half[dst:dst+n], s.half[src:src+n])
}
