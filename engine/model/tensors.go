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

// norm is the tensors of a norm; bias is nil but for LayerNorm.
type norm struct{ weight, bias *vector }

// matrix is tensors of one format and row length, stacked by rows; or the matrices
// of all experts, one after the other, in one tensor or in one for each.
type matrix struct {
	columns, rows int // rows of each expert
	experts       int // 0: a plain matrix
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

// experts is the tensors of a mixture of feed-forward networks.
type experts struct {
	router         product
	gate, up, down *matrix
}

// block is the tensors of a layer; nil where the architecture has none.
type block struct {
	attnNorm, attnPostNorm, ffnNorm, ffnPostNorm *norm
	queryNorm, keyNorm                           *vector
	qkv, attnOutput                              product
	gateUp, down                                 product  // nil where there are
	experts                                      *experts // in their place
}

// positions is the table of learned positions, to whose rows the first token type
// is added: every token is of that type.
type positions struct {
	table, types *gguf.Tensor   // types may be nil
	weights      device.Weights // once uploaded
}

// tensors is all tensors of a model, each found in the file and of the right
// shape.
type tensors struct {
	embedding  *matrix
	positions  *positions // nil: none are learned
	blocks     []block
	outputNorm *norm
	output     product // the embedding where it is tied; nil: there is no vocabulary

	// Factors of rope frequencies; nil: there are none.
	ropeFactors, longFactors, shortFactors *gguf.Tensor

	// All of the above but the positions and factors, to be uploaded.
	matrices []*matrix
	vectors  []*vector
}

// resolver finds tensors and keeps the first error.
type resolver struct {
	file   *gguf.File
	config *Config
	found  map[string]bool
	into   *tensors
	err    error
}

// resolve finds the tensors of a model. Its errors wrap [ErrTensor].
func resolve(f *gguf.File, c *Config) (*tensors, error) {
	r := &resolver{file: f, config: c, found: make(map[string]bool), into: new(tensors)}
	t, embedding := r.into, c.EmbeddingLength
	t.embedding = r.product(embedding, part{"token_embd", c.VocabularySize})[0]
	if c.LearnedPositions {
		t.positions = r.positions()
	}
	for i := range c.BlockCount {
		t.blocks = append(t.blocks, r.block(i))
		if r.err != nil { // before as many blocks are made as the file claims
			return nil, r.err
		}
	}
	t.outputNorm = r.norm(c.attnNorm(c.BlockCount))
	switch {
	case c.Encoder:
	case f.HasTensor("output.weight"):
		t.output = r.product(embedding, part{"output", c.VocabularySize})
	default:
		t.output = product{t.embedding}
	}
	t.ropeFactors = r.optional("rope_freqs.weight", c.Rope.Dimensions/2)
	if f.HasTensor("rope_factors_long.weight") || f.HasTensor("rope_factors_short.weight") {
		t.longFactors = r.tensor("rope_factors_long.weight", c.Rope.Dimensions/2)
		t.shortFactors = r.tensor("rope_factors_short.weight", c.Rope.Dimensions/2)
	}
	r.rest(c.Architecture)
	return t, r.err
}

// attnNorm and ffnNorm name the norms that the attention and the feed-forward
// network of a layer read from; the norm after the last layer is that before the
// layer that would follow. Where norms follow the sums, they belong to what came
// before.
func (c *Config) attnNorm(layer int) string {
	switch {
	case c.NormedStream && layer == 0:
		return "token_embd_norm"
	case c.NormedStream:
		return fmt.Sprintf("blk.%d.layer_output_norm", layer-1)
	case layer == c.BlockCount:
		return "output_norm"
	default:
		return fmt.Sprintf("blk.%d.attn_norm", layer)
	}
}

func (c *Config) ffnNorm(layer int) string {
	if c.NormedStream {
		return fmt.Sprintf("blk.%d.attn_output_norm", layer)
	}
	return fmt.Sprintf("blk.%d.ffn_norm", layer)
}

func (r *resolver) block(layer int) block {
	c, prefix := r.config, fmt.Sprintf("blk.%d.", layer)
	embedding, query, key := c.EmbeddingLength, c.queryWidth(), c.keyWidth()
	qkv := []part{{prefix + "attn_q", query}, {prefix + "attn_k", key}, {prefix + "attn_v", key}}
	if r.file.HasTensor(prefix + "attn_qkv.weight") {
		qkv = []part{{prefix + "attn_qkv", query + 2*key}}
	}
	b := block{
		attnNorm:   r.norm(c.attnNorm(layer)),
		qkv:        r.product(embedding, qkv...),
		attnOutput: r.product(query, part{prefix + "attn_output", embedding}),
		ffnNorm:    r.norm(c.ffnNorm(layer)),
	}
	if c.ExpertCount > 0 {
		b.experts = r.experts(prefix)
	} else {
		b.gateUp = r.product(embedding, r.gateUp(prefix)...)
		b.down = r.product(c.FeedForwardLength, part{prefix + "ffn_down", embedding})
	}
	if c.QueryKeyNorm {
		b.queryNorm = r.vector(prefix+"attn_q_norm.weight", c.HeadDim)
		b.keyNorm = r.vector(prefix+"attn_k_norm.weight", c.HeadDim)
	}
	if c.PostNorm {
		b.attnPostNorm = r.norm(prefix + "post_attention_norm")
		b.ffnPostNorm = r.norm(prefix + "post_ffw_norm")
	}
	return b
}

// gateUp returns what a feed-forward network without experts multiplies first.
func (r *resolver) gateUp(prefix string) []part {
	switch n := r.config.FeedForwardLength; {
	case r.config.Ungated:
		return []part{{prefix + "ffn_up", n}}
	case r.config.FusedGateUp:
		return []part{{prefix + "ffn_up", 2 * n}}
	default:
		return []part{{prefix + "ffn_gate", n}, {prefix + "ffn_up", n}}
	}
}

func (r *resolver) experts(prefix string) *experts {
	c := r.config
	return &experts{
		router: r.product(c.EmbeddingLength, part{prefix + "ffn_gate_inp", c.ExpertCount}),
		gate:   r.stack(prefix+"ffn_gate", c.EmbeddingLength, c.FeedForwardLength),
		up:     r.stack(prefix+"ffn_up", c.EmbeddingLength, c.FeedForwardLength),
		down:   r.stack(prefix+"ffn_down", c.FeedForwardLength, c.EmbeddingLength),
	}
}

// stack finds the matrices of all experts: NAME_exps [columns, rows, experts], or,
// as in files of before there was such a tensor, NAME.0, NAME.1 and so on.
func (r *resolver) stack(name string, columns, rows int) *matrix {
	m := &matrix{columns: columns, rows: rows, experts: r.config.ExpertCount}
	if !r.file.HasTensor(name + ".0.weight") {
		m.tensors = []*gguf.Tensor{r.tensor(name+"_exps.weight", columns, rows, m.experts)}
	} else {
		for e := 0; e < m.experts && r.err == nil; e++ {
			m.tensors = append(m.tensors, r.tensor(fmt.Sprintf("%s.%d.weight", name, e), columns, rows))
		}
	}
	for _, t := range m.tensors {
		if first := m.tensors[0]; r.err == nil && t.TypeID != first.TypeID {
			r.err = fmt.Errorf("tensor %q: %w: %w: type %s, but %q is %s", t.Name, ErrTensor, ErrUnsupported, t.TypeName(), first.Name, first.TypeName())
		}
	}
	m.biases = make([]*gguf.Tensor, len(m.tensors))
	r.into.matrices = append(r.into.matrices, m)
	return m
}

// positions finds the tables of positions and of token types.
func (r *resolver) positions() *positions {
	const types = "token_types.weight"
	p := &positions{table: r.tensor("position_embd.weight", r.config.EmbeddingLength, r.config.ContextLength)}
	if t, err := r.file.Tensor(types); err == nil { // any number of them, of which the first is used
		p.types = r.tensor(types, r.config.EmbeddingLength, t.Rows())
	}
	return p
}

// norm finds the tensors of a norm of the residual stream.
func (r *resolver) norm(name string) *norm {
	n := &norm{weight: r.vector(name+".weight", r.config.EmbeddingLength)}
	if r.config.LayerNorm {
		n.bias = r.vector(name+".bias", r.config.EmbeddingLength)
	}
	return n
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
		r.err = fmt.Errorf("tensor %q: %w: %w: stored as %s", name, ErrTensor, ErrUnsupported, t.TypeName())
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
