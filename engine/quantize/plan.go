package quantize

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// Options say which formats a file gets.
type Options struct {
	Mix Mix
	// Embedding and Output, unless nil, are the formats of token_embd.weight and
	// of output.weight, which is the embedding too where there is none.
	Embedding, Output *quant.Format
	// Overrides come before the mix; the first whose pattern is found in a name
	// counts. They are for any matrix, also one that would keep its format.
	Overrides []Override
	// Importance, unless nil, says which columns matter.
	Importance *Importance
}

// Override is the format of the matrices of some names.
type Override struct {
	Names  *regexp.Regexp
	Format *quant.Format
}

// Conversion is what becomes of one tensor.
type Conversion struct {
	Tensor *gguf.Tensor
	Format *quant.Format // of the tensor that is written
	// Wanted is the format that it should have had: another than Format where the
	// tensor's rows are no whole number of its blocks.
	Wanted *quant.Format

	importance []float32 // of its columns, or of those of each expert
}

// Fallback reports whether the format is not the one that was wanted.
func (c *Conversion) Fallback() bool { return c.Format.ID != c.Wanted.ID }

// Weighted reports whether the importance of the tensor's columns is known.
func (c *Conversion) Weighted() bool { return c.importance != nil }

// Plan says what becomes of every tensor of a file, in its order. It fails with
// [gguf.ErrFormat] for a tensor of a type that shaders/quant does not have, and
// with [ErrImportance] for columns that are not those of a tensor.
func Plan(f *gguf.File, o Options) ([]Conversion, error) {
	vector, _ := quant.ByName("F32")
	places := places(f, &o)
	plan := make([]Conversion, len(f.Tensors))
	for i, t := range f.Tensors {
		if t.Format == nil {
			return nil, fmt.Errorf("quantize: tensor %q: %w: %s", t.Name, gguf.ErrFormat, t.TypeName())
		}
		c := Conversion{Tensor: t, Format: vector, Wanted: vector}
		if len(t.Dims) > 1 {
			c.Wanted = o.format(t, places[i])
			c.Format = c.Wanted
			if t.Dims[0]%c.Wanted.BlockElements != 0 {
				c.Format = Fallback(c.Wanted, t.Dims[0])
			}
			var err error
			if c.importance, err = o.Importance.of(t); err != nil {
				return nil, err
			}
		}
		plan[i] = c
	}
	return plan, nil
}

// format returns the format that a matrix should have.
func (o *Options) format(t *gguf.Tensor, p place) *quant.Format {
	switch {
	case t.Name == embeddingName && o.Embedding != nil:
		return o.Embedding
	case p.role == output && o.Output != nil:
		return o.Output
	}
	for _, v := range o.Overrides {
		if v.Names.MatchString(t.Name) {
			return v.Format
		}
	}
	if keeps(t) {
		return t.Format
	}
	return o.Mix.choose(p)
}

// Names of tensors (src/llama-arch.cpp of llama.cpp).
const (
	embeddingName = "token_embd.weight"
	outputName    = "output.weight"
)

// keeps reports whether a matrix is better left as it is: it is small, and what
// it does is not a product with activations, or decides between experts.
func keeps(t *gguf.Tensor) bool {
	if !strings.HasSuffix(t.Name, ".weight") {
		return true
	}
	for _, part := range []string{"_norm.", "ffn_gate_inp.", "position_embd.", "token_types.", "ssm_conv1d.", "shortconv.conv.", "attn_rel_b."} {
		if strings.Contains(t.Name, part) {
			return true
		}
	}
	return false
}

// places tells what the rules know of each tensor of a file.
func places(f *gguf.File, o *Options) []place {
	blocks := number(f, "block_count")
	keys := max(1, number(f, "attention.head_count_kv"))
	base := place{
		groups: number(f, "attention.head_count") / keys, blocks: blocks, experts: number(f, "expert_count"),
		weighted: o.Importance != nil, eight: o.Mix.Format.Name == "Q8_0",
	}
	all := make([]place, len(f.Tensors))
	var values []int // tensors, to be counted in the order of their blocks
	for i, t := range f.Tensors {
		p := base
		p.role = roleOf(t.Name, f)
		p.fits = t.Dims[0]%o.Mix.Format.BlockElements == 0
		p.at, p.of = block(t.Name), blocks
		if p.role == attentionValue {
			values = append(values, i)
		}
		all[i] = p
	}
	slices.SortStableFunc(values, func(a, b int) int { return cmp.Compare(all[a].at, all[b].at) })
	for n, i := range values {
		all[i].at, all[i].of = n, len(values)
	}
	return all
}

// roleOf returns the role of a tensor of a file.
func roleOf(name string, f *gguf.File) role {
	switch {
	case name == outputName, name == embeddingName && !f.HasTensor(outputName):
		return output
	case name == embeddingName:
		return embedding
	}
	for _, part := range []struct {
		name string
		role role
	}{
		{"attn_qkv.weight", attentionValue}, {"attn_kv_b.weight", attentionValue}, {"attn_v.weight", attentionValue},
		{"attn_k.weight", attentionKey}, {"attn_output.weight", attentionOut}, {"ffn_down", down},
	} {
		if strings.Contains(name, part.name) {
			return part.role
		}
	}
	return other
}

// block returns the number of the block that a tensor is of, 0 for none.
func block(name string) int {
	rest, _ := strings.CutPrefix(name, "blk.")
	digits, _, _ := strings.Cut(rest, ".")
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}

// number returns a number of a file's architecture, that of the first block where
// each has its own, and 0 where there is none: the file may be of an architecture
// that Realm does not know.
func number(f *gguf.File, key string) int {
	architecture, err := f.String("general.architecture")
	if err != nil {
		return 0
	}
	key = architecture + "." + key
	if n, err := f.Uint(key); err == nil && n < 1<<31 {
		return int(n)
	}
	if all, err := f.Ints(key); err == nil && len(all) > 0 && all[0] >= 0 && all[0] < 1<<31 {
		return int(all[0])
	}
	return 0
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
