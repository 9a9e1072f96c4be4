package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/quantize"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// deviation is the standard deviation of the weights, that with which such
// models are initialised (GPT-2, Radford et al. 2019).
const deviation = 0.02

// shape is all that a model is made from.
type shape struct {
	format           *quant.Format // of the matrices
	embd, layers, ff int
	heads, headsKV   int
	vocab, context   int
	seed             uint64
}

// check reports the first thing in a shape that makes no Llama model.
func (s shape) check() error {
	for _, n := range []struct {
		flag  string
		value int
	}{
		{"embd", s.embd}, {"layers", s.layers}, {"heads", s.heads}, {"heads-kv", s.headsKV}, {"ff", s.ff}, {"ctx", s.context},
	} {
		if n.value < 1 || n.value > 1<<20 {
			return fmt.Errorf("--%s %d: want 1 to %d", n.flag, n.value, 1<<20)
		}
	}
	if s.vocab < len(controls())+256 || s.vocab > 1<<20 {
		return fmt.Errorf("--vocab %d: want %d to %d", s.vocab, len(controls())+256, 1<<20)
	}
	if s.heads%s.headsKV != 0 {
		return fmt.Errorf("--heads %d is no multiple of --heads-kv %d", s.heads, s.headsKV)
	}
	if s.embd%(4*s.heads) != 0 {
		return fmt.Errorf("--embd %d is no multiple of 4 times --heads %d", s.embd, s.heads)
	}
	for _, n := range []int{s.embd, s.ff} {
		if n%s.format.BlockElements != 0 {
			return fmt.Errorf("rows of %d weights are no whole number of %s's blocks of %d", n, s.format.Name, s.format.BlockElements)
		}
	}
	return nil
}

func (s shape) metadata() *gguf.Metadata {
	m := new(gguf.Metadata)
	number := func(key string, n int) { m.Set("llama."+key, gguf.Scalar(uint32(n))) }
	m.Set("general.architecture", gguf.Scalar("llama"))
	m.Set("general.name", gguf.Scalar("Synth"))
	m.Set("general.description", gguf.Scalar(fmt.Sprintf("Random weights, seed %d: for measuring speed.", s.seed)))
	quantize.SetFormat(m, s.format)
	number("context_length", s.context)
	number("embedding_length", s.embd)
	number("block_count", s.layers)
	number("feed_forward_length", s.ff)
	number("attention.head_count", s.heads)
	number("attention.head_count_kv", s.headsKV)
	number("rope.dimension_count", s.embd/s.heads)
	number("vocab_size", s.vocab)
	m.Set("llama.attention.layer_norm_rms_epsilon", gguf.Scalar[float32](1e-5))
	m.Set("llama.rope.freq_base", gguf.Scalar[float32](10000))
	setVocabulary(m, s.vocab)
	return m
}

// tensors lists the tensors in the order of llama.cpp's converter. The output
// matrix is not tied to the embedding.
func (s shape) tensors(ctx context.Context) []gguf.Output {
	var all []gguf.Output
	matrix := func(name string, columns, rows int) {
		all = append(all, gguf.Output{
			Name: name + ".weight", Dims: []int{columns, rows}, Format: s.format, Data: s.random(ctx, len(all), columns*rows),
		})
	}
	f32, _ := quant.ByName("F32")
	norm := func(name string) {
		all = append(all, gguf.Output{Name: name + ".weight", Dims: []int{s.embd}, Format: f32, Data: ones(s.embd)})
	}
	kv := s.embd / s.heads * s.headsKV
	matrix("token_embd", s.embd, s.vocab)
	for i := range s.layers {
		block := fmt.Sprintf("blk.%d.", i)
		norm(block + "attn_norm")
		matrix(block+"attn_q", s.embd, s.embd)
		matrix(block+"attn_k", s.embd, kv)
		matrix(block+"attn_v", s.embd, kv)
		matrix(block+"attn_output", s.embd, s.embd)
		norm(block + "ffn_norm")
		matrix(block+"ffn_gate", s.embd, s.ff)
		matrix(block+"ffn_up", s.embd, s.ff)
		matrix(block+"ffn_down", s.ff, s.embd)
	}
	norm("output_norm")
	matrix("output", s.embd, s.vocab)
	return all
}

// parameters returns the number of weights.
func (s shape) parameters() (n int) {
	for _, t := range s.tensors(context.Background()) {
		weights := 1
		for _, d := range t.Dims {
			weights *= d
		}
		n += weights
	}
	return n
}

// random gives n normally distributed weights of a tensor. Each range that is
// asked for has a stream of random numbers of its own, so that it does not
// matter which core makes it.
func (s shape) random(ctx context.Context, tensor, n int) func(io.Writer) error {
	weights := func(dst []float32, at int) error {
		var key [32]byte
		binary.LittleEndian.PutUint64(key[0:], s.seed)
		binary.LittleEndian.PutUint64(key[8:], uint64(tensor))
		binary.LittleEndian.PutUint64(key[16:], uint64(at))
		stream := rand.New(rand.NewChaCha8(key))
		for i := range dst {
			dst[i] = float32(deviation * stream.NormFloat64())
		}
		return nil
	}
	return func(w io.Writer) error { return quantize.Encode(ctx, w, s.format, n, weights) }
}

func ones(n int) func(io.Writer) error {
	x := make([]float32, n)
	for i := range x {
		x[i] = 1
	}
	return func(w io.Writer) error { return binary.Write(w, binary.LittleEndian, x) }
}
