package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// vector is a tensor of one dimension, used as float32.
type vector struct {
	tensor  *gguf.Tensor
	weights device.Weights // once uploaded
}

// matrix is tensors of one format and row length, stacked by rows.
type matrix struct {
	columns, rows int
	tensors       []*gguf.Tensor
	biases        []*gguf.Tensor // of each tensor; nil: none
	weights, bias device.Weights // once uploaded
}

// name returns the names of all tensors, for errors.
func (m *matrix) name() string {
	var names []string
	for _, t := range m.tensors {
		names = append(names, t.Name)
	}
	return strings.Join(names, " + ")
}

// product is matrices that multiply the same rows, whose results are side by side
// in the rows of one buffer: more than one only where formats differ.
type product []*matrix

func (p product) rows() int {
	n := 0
	for _, m := range p {
		n += m.rows
	}
	return n
}

// part is a tensor of a product, without ".weight" in its name.
type part struct {
	name string
	rows int
}

// block is the tensors of a layer; nil where the architecture has none.
type block struct {
	attnNorm, queryNorm, keyNorm, attnPostNorm *vector
	ffnNorm, ffnPostNorm                       *vector
	qkv, attnOutput, gateUp, down              product
}

// tensors is all tensors of a model, each found in the file and of the right
// shape.
type tensors struct {
	embedding  *matrix
	blocks     []block
	outputNorm *vector
	output     product // the embedding where it is tied

	// Factors of rope frequencies; nil: there are none.
	ropeFactors, longFactors, shortFactors *gguf.Tensor

	// All of the above but the factors, to be uploaded.
	matrices []*matrix
	vectors  []*vector
}

// resolver finds tensors and keeps the first error.
type resolver struct {
	file  *gguf.File
	found map[string]bool
	into  *tensors
	err   error
}

// resolve finds the tensors of a model. Its errors wrap [ErrTensor].
func resolve(f *gguf.File, c *Config) (*tensors, error) {
	r := &resolver{file: f, found: make(map[string]bool), into: new(tensors)}
	t, embedding := r.into, c.EmbeddingLength
	t.embedding = r.product(embedding, part{"token_embd", c.VocabularySize})[0]
	for i := range c.BlockCount {
		t.blocks = append(t.blocks, r.block(c, fmt.Sprintf("blk.%d.", i)))
		if r.err != nil { // before as many blocks are made as the file claims
			return nil, r.err
		}
	}
	t.outputNorm = r.vector("output_norm.weight", embedding)
	t.output = product{t.embedding}
	if f.HasTensor("output.weight") {
		t.output = r.product(embedding, part{"output", c.VocabularySize})
	}
	t.ropeFactors = r.optional("rope_freqs.weight", c.Rope.Dimensions/2)
	if f.HasTensor("rope_factors_long.weight") || f.HasTensor("rope_factors_short.weight") {
		t.longFactors = r.tensor("rope_factors_long.weight", c.Rope.Dimensions/2)
		t.shortFactors = r.tensor("rope_factors_short.weight", c.Rope.Dimensions/2)
	}
	r.rest(c.Architecture)
	return t, r.err
}

func (r *resolver) block(c *Config, prefix string) block {
	embedding, feedForward := c.EmbeddingLength, c.FeedForwardLength
	query, key := c.queryWidth(), c.keyWidth()
	qkv := []part{{prefix + "attn_q", query}, {prefix + "attn_k", key}, {prefix + "attn_v", key}}
	if r.file.HasTensor(prefix + "attn_qkv.weight") {
		qkv = []part{{prefix + "attn_qkv", query + 2*key}}
	}
	gateUp := []part{{prefix + "ffn_gate", feedForward}, {prefix + "ffn_up", feedForward}}
	if c.FusedGateUp {
		gateUp = []part{{prefix + "ffn_up", 2 * feedForward}}
	}
	b := block{
		attnNorm:   r.vector(prefix+"attn_norm.weight", embedding),
		qkv:        r.product(embedding, qkv...),
		attnOutput: r.product(query, part{prefix + "attn_output", embedding}),
		ffnNorm:    r.vector(prefix+"ffn_norm.weight", embedding),
		gateUp:     r.product(embedding, gateUp...),
		down:       r.product(feedForward, part{prefix + "ffn_down", embedding}),
	}
	if c.QueryKeyNorm {
		b.queryNorm = r.vector(prefix+"attn_q_norm.weight", c.HeadDim)
		b.keyNorm = r.vector(prefix+"attn_k_norm.weight", c.HeadDim)
	}
	if c.PostNorm {
		b.attnPostNorm = r.vector(prefix+"post_attention_norm.weight", embedding)
		b.ffnPostNorm = r.vector(prefix+"post_ffw_norm.weight", embedding)
	}
	return b
}

// vector finds a tensor [n].
func (r *resolver) vector(name string, n int) *vector {
	v := &vector{tensor: r.tensor(name, n)}
	r.into.vectors = append(r.into.vectors, v)
	return v
}

// product finds tensors [columns, rows], fastest first, and the biases [rows] of
// those that have one. Neighbours of one format become one matrix.
func (r *resolver) product(columns int, parts ...part) product {
	var p product
	for _, part := range parts {
		t := r.tensor(part.name+".weight", columns, part.rows)
		bias := r.optional(part.name+".bias", part.rows)
		if r.err != nil {
			return product{new(matrix)}
		}
		if len(p) == 0 || p[len(p)-1].tensors[0].TypeID != t.TypeID {
			m := &matrix{columns: columns}
			p = append(p, m)
			r.into.matrices = append(r.into.matrices, m)
		}
		m := p[len(p)-1]
		m.rows += part.rows
		m.tensors = append(m.tensors, t)
		m.biases = append(m.biases, bias)
	}
	return p
}

// optional returns a tensor of some dimensions, or nil where there is none.
func (r *resolver) optional(name string, dims ...int) *gguf.Tensor {
	if !r.file.HasTensor(name) {
		return nil
	}
	return r.tensor(name, dims...)
}

// tensor returns a tensor that must be there, with exactly these dimensions.
func (r *resolver) tensor(name string, dims ...int) *gguf.Tensor {
	if r.err != nil {
		return nil
	}
	t, err := r.file.Tensor(name)
	switch {
	case err != nil:
		r.err = fmt.Errorf("tensor %q: %w: missing, want %v", name, ErrTensor, dims)
	case !slices.Equal(t.Dims, dims):
		r.err = fmt.Errorf("tensor %q: %w: want %v, got %v", name, ErrTensor, dims, t.Dims)
	case t.Format == nil:
		r.err = fmt.Errorf("tensor %q: %w: %w: type %s", name, ErrTensor, ErrUnsupported, t.TypeName())
	}
	r.found[name] = true
	return t
}

// rest refuses tensors that nothing asked for: what they do would be left out.
func (r *resolver) rest(architecture string) {
	for _, t := range r.file.Tensors {
		// Old converters wrote the rope frequencies of every block, which
		// rope.freq_base says as well.
		if r.err == nil && !r.found[t.Name] && !strings.Contains(t.Name, "rotary_emb") && !strings.Contains(t.Name, "attn_rot_embd") {
			r.err = fmt.Errorf("tensor %q %v: %w: not part of a %s with this metadata", t.Name, t.Dims, ErrTensor, architecture)
		}
	}
}
