package model

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
)

// Shape is the size of a Program, and what it does with its outputs.
type Shape struct {
	Rows    int // largest number of rows of a step, a power of two
	Outputs int // largest number of rows with an output; 0: none, only keys and values are made
	// Sequences and Pages bound a step's block tables.
	Sequences, Pages int
	TopK             int  // candidates of each output; 0: none
	Sample           bool // outputs choose their token on the device
	// Hidden asks for hidden states, after the last norm, in place of logits: there is
	// nothing to choose from then, whatever TopK and Sample are. An Encoder always
	// gives hidden states.
	Hidden bool
	// Banks, unless nil, have the adapters of the rows.
	Banks *Banks
}

// Program returns the forward pass over a cache of [Model.CacheSpec], and the view
// of its outputs: logits [Outputs, VocabularySize] or hidden states [Outputs,
// EmbeddingLength]; zero without Outputs. A shape that cannot be is an error of the
// device's Compile.
func (m *Model) Program(cache device.Cache, s Shape) (*device.Program, device.View) {
	b := &builder{model: m, config: &m.config, banks: s.Banks, Program: &device.Program{
		Name: fmt.Sprintf("%s of %d rows, %d outputs", m.config.Architecture, s.Rows, s.Outputs),
		Rows: s.Rows, Outputs: s.Outputs, Sequences: s.Sequences, Pages: s.Pages, Cache: cache,
	}}
	x, branch := b.embed() // the residual stream, and what is still to be added to it
	var normed device.View
	for i := range m.tensors.blocks {
		l := &m.tensors.blocks[i]
		x, normed = b.norm(x, branch, l.attnNorm)
		query := b.query(i, l, normed)
		last := i == len(m.tensors.blocks)-1
		if last && s.Outputs == 0 {
			return b.Program, device.View{}
		}
		attended := b.attention(i, query)
		if last {
			b.outputs = true
			x, attended = b.gather(x), b.gather(attended)
		}
		branch = b.branch(b.multiply(l.attnOutput, attended), l.attnPostNorm)
		x, normed = b.norm(x, branch, l.ffnNorm)
		branch = b.branch(b.feedForward(l, normed), l.ffnPostNorm)
	}
	_, hidden := b.norm(x, branch, m.tensors.outputNorm)
	if s.Hidden || b.config.Encoder {
		return b.Program, hidden
	}
	logits := b.multiply(m.tensors.output, hidden)
	if limit := b.config.LogitSoftCap; limit > 0 {
		b.Add(&device.SoftCap{X: logits, Cap: limit})
	}
	if s.TopK > 0 {
		b.Add(&device.TopK{Logits: logits, K: s.TopK})
	}
	if s.Sample {
		b.Add(&device.Sample{})
	}
	return b.Program, logits
}

// builder adds the operations of a forward pass. Every result has a buffer of its
// own: the device lets those that are not needed at the same time share memory.
type builder struct {
	*device.Program
	model   *Model
	config  *Config
	banks   *Banks
	outputs bool // rows have been gathered: buffers are of outputs now
}

func (b *builder) buffer(width int) device.View {
	if b.outputs {
		return b.NewOutput(width)
	}
	return b.NewBuffer(width)
}

// embed returns the embeddings, and the positions to add to them, if they are
// learned.
func (b *builder) embed() (x device.View, positions *device.View) {
	x = b.buffer(b.config.EmbeddingLength)
	b.Add(&device.Embed{Out: x, Table: b.model.tensors.embedding.weights, Scale: b.config.EmbeddingScale})
	if p := b.model.tensors.positions; p != nil {
		out := b.buffer(x.Width)
		b.Add(&device.EmbedPosition{Out: out, Table: p.weights})
		positions = &out
	}
	return x, positions
}

// norm adds branch to x, if there is one, and returns the residual stream from here
// on, and x normalised.
func (b *builder) norm(x device.View, branch *device.View, n *norm) (stream, normed device.View) {
	normed = b.buffer(x.Width)
	b.normalise(normed, x, branch, n)
	if b.config.NormedStream {
		return normed, normed
	}
	return x, normed
}

func (b *builder) normalise(out, x device.View, residual *device.View, n *norm) {
	if n.bias != nil {
		b.Add(&device.LayerNorm{Out: out, X: x, Residual: residual, Weight: n.weight.weights, Bias: n.bias.weights, Epsilon: b.config.Epsilon})
		return
	}
	b.Add(&device.RMSNorm{Out: out, X: x, Residual: residual, Weight: n.weight.weights, Epsilon: b.config.Epsilon})
}

// normHeads normalises each of the heads of x in place.
func (b *builder) normHeads(x device.View, w *vector) {
	b.Add(&device.RMSNorm{Out: x, X: x, Weight: w.weights, Epsilon: b.config.Epsilon, Groups: x.Width / b.config.HeadDim})
}

func (b *builder) multiply(p product, x device.View) device.View {
	out := b.buffer(p.rows())
	offset := 0
	for _, m := range p {
		b.Add(&device.MatMul{Out: out.Slice(offset, m.rows), X: x, Weight: m.weights, Bias: m.bias, Bank: b.banks.bank(m)})
		offset += m.rows
	}
	return out
}

// query makes queries, keys and values of x, puts the last two in the cache and
// returns the first. All are views of one buffer, which devices can rotate at once.
func (b *builder) query(layer int, l *block, x device.View) device.View {
	c := b.config
	qkv := b.multiply(l.qkv, x)
	query := qkv.Slice(0, c.queryWidth())
	key := qkv.Slice(query.Width, c.keyWidth())
	value := qkv.Slice(query.Width+key.Width, c.keyWidth())
	if l.queryNorm != nil {
		b.normHeads(query, l.queryNorm)
		b.normHeads(key, l.keyNorm)
	}
	rope, table := &c.Rope, b.model.rope
	if c.SlidingRope != nil && c.sliding(layer) {
		rope, table = c.SlidingRope, b.model.sliding
	}
	b.Add(&device.Rope{
		Query: query, Key: key, Value: value, Layer: layer,
		HeadCount: c.HeadCount, HeadCountKV: c.HeadCountKV, HeadDim: c.HeadDim,
		Dimensions: rope.Dimensions, Mode: rope.Mode, Table: table,
	})
	return query
}

func (b *builder) attention(layer int, query device.View) device.View {
	c := b.config
	out := b.buffer(query.Width)
	b.Add(&device.Attention{
		Out: out, Query: query, Layer: layer,
		HeadCount: c.HeadCount, HeadCountKV: c.HeadCountKV, HeadDim: c.HeadDim,
		Scale: c.AttentionScale, Window: c.Window(layer), SoftCap: c.AttentionSoftCap, Bidirectional: c.Bidirectional,
	})
	return out
}

func (b *builder) gather(x device.View) device.View {
	out := b.buffer(x.Width)
	b.Add(&device.Gather{Out: out, X: x})
	return out
}

// branch returns what a norm is going to add to the residual stream.
func (b *builder) branch(out device.View, postNorm *norm) *device.View {
	if postNorm != nil {
		b.normalise(out, out, nil, postNorm)
	}
	return &out
}

func (b *builder) feedForward(l *block, x device.View) device.View {
	if l.experts != nil {
		return b.mixture(l.experts, x)
	}
	c := b.config
	gate := b.multiply(l.gateUp, x)
	var up *device.View
	if !c.Ungated {
		half := gate.Slice(c.FeedForwardLength, c.FeedForwardLength)
		gate, up = gate.Slice(0, c.FeedForwardLength), &half
	}
	hidden := b.buffer(c.FeedForwardLength)
	b.Add(&device.GLU{Out: hidden, Gate: gate, Up: up, Activation: c.Activation})
	return b.multiply(l.down, hidden)
}

func (b *builder) mixture(e *experts, x device.View) device.View {
	router := b.multiply(e.router, x)
	out := b.buffer(x.Width)
	b.Add(&device.Experts{
		Out: out, X: x, Router: router, Gate: e.gate.weights, Up: e.up.weights, Down: e.down.weights,
		Used: b.config.ExpertsUsed, Activation: b.config.Activation,
	})
	return out
}
