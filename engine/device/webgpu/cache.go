package webgpu

import (
	"fmt"
	"sync"

	"github.com/realm-webgpu/realm/engine/device"
)

// cache has a buffer of keys and one of values for each layer; see rope.wgsl
// for their layout.
type cache struct {
	device       *Device
	spec         device.CacheSpec
	keys, values []*buffer
	chosen       *buffer // ids that the last step's outputs chose
	spare        *buffer // one page of one layer, on its way to another page
	choices      int     // how many chosen ids there are; guarded by device.mu
	once         sync.Once
}

// NewCache makes a cache. Its pages hold zeros.
func (d *Device) NewCache(spec device.CacheSpec) (device.Cache, error) {
	if spec.Layers < 1 || spec.Pages < 1 || spec.HeadCountKV < 1 || spec.HeadDim < 4 || spec.HeadDim%4 != 0 || spec.Type == device.CacheF16 && spec.HeadDim%8 != 0 {
		return nil, fmt.Errorf("webgpu: cache of %d layers, %d pages, %d heads of %d: heads of a multiple of 8 (with float32, of 4) are wanted: %w",
			spec.Layers, spec.Pages, spec.HeadCountKV, spec.HeadDim, device.ErrUnsupported)
	}
	size := spec.Bytes() / int64(2*spec.Layers)
	if size > d.limits.StorageBinding {
		return nil, fmt.Errorf("webgpu: cache: %d pages need %d bytes a layer for keys, the largest binding is %d: %w", spec.Pages, size, d.limits.StorageBinding, device.ErrUnsupported)
	}
	d.mu.Lock()
	err := d.fits(device.KindCache, "keys and values", spec.Bytes())
	d.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("webgpu: cache: %w", err)
	}
	c := &cache{device: d, spec: spec}
	take := func(list *[]*buffer, name string) {
		var b *buffer
		if err == nil {
			b, err = d.newBuffer(name, device.KindCache, size, usageStorage)
		}
		if err == nil {
			*list = append(*list, b)
		}
	}
	for range spec.Layers {
		take(&c.keys, "keys")
		take(&c.values, "values")
	}
	if err == nil {
		c.chosen, err = d.newBuffer("chosen", device.KindCache, int64(d.info.MaxRows)*4, usageStorage)
	}
	if err == nil {
		c.spare, err = d.newBuffer("spare page", device.KindCache, size/int64(spec.Pages), usageStorage)
	}
	if err != nil {
		c.Release()
		return nil, err
	}
	return c, nil
}

func (c *cache) Spec() device.CacheSpec { return c.spec }

// Choices is how many ids the last step submitted left.
func (c *cache) Choices() int {
	c.device.mu.Lock()
	defer c.device.mu.Unlock()
	return c.choices
}

func (c *cache) CopyPage(dst, src int) error {
	if dst < 0 || src < 0 || dst >= c.spec.Pages || src >= c.spec.Pages {
		return fmt.Errorf("webgpu: copy page %d to %d: the cache has %d: %w", src, dst, c.spec.Pages, device.ErrStep)
	}
	d := c.device
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check(); err != nil {
		return err
	}
	size := c.keys[0].size / int64(c.spec.Pages)
	for layer := range c.spec.Layers {
		for _, b := range []*buffer{c.keys[layer], c.values[layer]} {
			// A copy within one buffer is not allowed.
			d.gpu.copy(b.raw, int64(src)*size, c.spare.raw, 0, size)
			d.gpu.copy(c.spare.raw, 0, b.raw, int64(dst)*size, size)
		}
	}
	return nil
}

func (c *cache) Release() {
	c.once.Do(func() {
		for layer := range c.keys {
			c.keys[layer].release()
		}
		for layer := range c.values {
			c.values[layer].release()
		}
		c.chosen.release()
		c.spare.release()
	})
}
