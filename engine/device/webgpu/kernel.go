package webgpu

import (
	"fmt"
	"sort"
	"strings"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// kernel is a variant of a kernel: one for each text.
type kernel struct {
	name     string
	pipeline pipeline
	err      error
}

// kernel returns a kernel's variant, whose compilation is begun at first use. It
// may be bound once ready says so: a page compiles many at a time.
func (d *Device) kernel(name string, f *quant.Format, constants shaders.Constants) (*kernel, error) {
	key := variant(name, f, constants)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.check(); err != nil {
		return nil, err
	}
	k, ok := d.kernels[key]
	if !ok {
		k = &kernel{name: key}
		var text string
		if text, k.err = shaders.Compose(name, f, constants); k.err == nil {
			k.pipeline, k.err = d.gpu.newPipeline(key, text)
		}
		k.err = k.refused(k.err)
		d.kernels[key] = k
	}
	return k, k.err
}

// ready waits until the variant is compiled.
func (k *kernel) ready() error { return k.refused(k.pipeline.ready()) }

// refused says that the device does not take the variant, and why.
func (k *kernel) refused(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("webgpu: kernel %s: %w: %v", k.name, device.ErrUnsupported, err)
}

// variant names a variant: "matmul Q4_0 Columns=4 Lanes=8".
func variant(name string, f *quant.Format, constants shaders.Constants) string {
	var words []string
	for c, v := range constants {
		words = append(words, fmt.Sprintf("%s=%d", c, v))
	}
	sort.Strings(words)
	if f != nil {
		words = append([]string{f.Name}, words...)
	}
	return strings.Join(append([]string{name}, words...), " ")
}
