package quantize

import (
	"fmt"
	"strings"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// Conversion is what becomes of one tensor.
type Conversion struct {
	Tensor *gguf.Tensor
	Format *quant.Format // of the tensor that is written
	// Fallback is true where the format is not the one that was asked for
	// because the tensor's rows are no whole number of its blocks.
	Fallback bool
}

// Plan says what becomes of every tensor of a file, in its order. It fails with
// [gguf.ErrFormat] for a tensor of a type that shaders/quant does not have.
func Plan(f *gguf.File, to *quant.Format) ([]Conversion, error) {
	vector, _ := quant.ByName("F32")
	plan := make([]Conversion, len(f.Tensors))
	for i, t := range f.Tensors {
		if t.Format == nil {
			return nil, fmt.Errorf("quantize: tensor %q: %w: %s", t.Name, gguf.ErrFormat, t.TypeName())
		}
		c := Conversion{Tensor: t, Format: to}
		switch {
		case len(t.Dims) == 1:
			c.Format = vector
		case strings.HasSuffix(t.Name, ".ffn_gate_inp.weight"):
			c.Format = t.Format
		case t.Dims[0]%to.BlockElements != 0:
			c.Format, c.Fallback = Fallback(to, t.Dims[0]), true
		}
		plan[i] = c
	}
	return plan, nil
}

// Fallback returns the format for rows of n elements, which are no whole number
// of the blocks of f: of the formats that are no less exact and whose blocks
// fit, the one with the fewest bits a weight, and of equals the more exact.
func Fallback(f *quant.Format, n int) *quant.Format {
	var best *quant.Format
	for _, g := range quant.All() {
		if n%g.BlockElements != 0 || g.ErrorBound > f.ErrorBound {
			continue
		}
		if best == nil || BitsPerWeight(g) < BitsPerWeight(best) ||
			BitsPerWeight(g) == BitsPerWeight(best) && g.ErrorBound < best.ErrorBound {
			best = g
		}
	}
	return best // not nil: F32 is exact and fits every row
}

// BitsPerWeight returns the bits that a weight takes in a file, scales included.
func BitsPerWeight(f *quant.Format) float64 {
	return 8 * float64(f.BlockBytes) / float64(f.BlockElements)
}
