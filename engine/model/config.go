package model

import (
	"fmt"
	"math"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// Bounds of what metadata may claim: several times the largest public models,
// and small enough that products of sizes can be counted.
const (
	maxBlocks     = 1 << 10
	maxWidth      = 1 << 20 // elements of a row: embedding, heads together, feed-forward
	maxHeads      = 1 << 12
	maxHeadDim    = 1 << 12 // elements
	maxExperts    = 1 << 10
	maxContext    = 1 << 24 // tokens
	maxVocabulary = 1 << 22 // tokens
	maxRopeTable  = 1 << 29 // bytes
	minScale      = 1e-30   // of factors without a unit
	maxScale      = 1 << 20
	defaultBase   = 10000 // rope.freq_base (GGUF specification)
)

// Names that are the same for every architecture.
const (
	architectureKey = "general.architecture"
	tokensKey       = "tokenizer.ggml.tokens"
	embeddingName   = "token_embd.weight"
)

// Config is what a file's metadata says of its model, with what its architecture
// adds. Lengths are in elements, unless they say otherwise.
type Config struct {
	Architecture   string // general.architecture
	VocabularySize int    // tokens: the rows of token_embd.weight

	ContextLength     int // tokens that the model was made for
	EmbeddingLength   int // of the residual stream
	BlockCount        int
	FeedForwardLength int // of each expert, where there are some
	HeadCount         int // of queries
	HeadCountKV       int // of keys and values; divides HeadCount
	HeadDim           int // attention.key_length and value_length

	// A mixture of ExpertCount feed-forward networks, of which each row goes through
	// ExpertsUsed (Experts of package device); 0: there is one network, and no choice.
	ExpertCount, ExpertsUsed int

	Epsilon        float32 // of every norm
	EmbeddingScale float32 // token embeddings are multiplied by it
	Activation     device.Activation

	AttentionScale   float32 // scores are multiplied by it
	AttentionSoftCap float32 // attn_logit_softcapping; 0: none
	LogitSoftCap     float32 // final_logit_softcapping; 0: none
	// A sliding layer attends to the last SlidingWindow tokens, its own among them;
	// 0: there are none. All layers slide, save every SlidingPattern-th; 0: all. Unless
	// it is nil, SlidingLayers [BlockCount] says of each layer whether it slides.
	SlidingWindow, SlidingPattern int
	SlidingLayers                 []bool

	Rope        Rope
	SlidingRope *Rope // of sliding layers; nil: theirs is Rope too

	QueryKeyNorm bool // attn_q_norm and attn_k_norm, of each head
	PostNorm     bool // post_attention_norm and post_ffw_norm
	FusedGateUp  bool // ffn_up has the gate's rows before its own
	Ungated      bool // there is no gate: activation(ffn_up)

	LayerNorm        bool // norms are LayerNorm with biases, not RMSNorm
	NormedStream     bool // norms follow the sums, and what they give is the residual stream
	LearnedPositions bool // position_embd and token_types are added to the embeddings

	// Bidirectional rows see what follows them too: all rows of a sequence have to be
	// in one step.
	Bidirectional bool
	Encoder       bool    // there is no vocabulary to choose from: outputs are hidden states
	Pooling       Pooling // of hidden states, to the embedding of a text
}

// ReadConfig reads the Config of a file. Its errors wrap [ErrArchitecture],
// [ErrMetadata], [ErrTensor] (of token_embd.weight) or [ErrUnsupported].
func ReadConfig(f *gguf.File) (*Config, error) {
	c, err := readConfig(f)
	if err != nil {
		return nil, fmt.Errorf("model: config: %w", err)
	}
	return c, nil
}

func readConfig(f *gguf.File) (*Config, error) {
	name, err := f.String(architectureKey)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMetadata, err)
	}
	a, err := findArchitecture(name)
	if err != nil {
		return nil, err
	}
	k := &keys{meta: f.Metadata, arch: name}
	c := &Config{Architecture: name, EmbeddingScale: 1}
	c.sizes(k)
	c.feedForward(k)
	c.attention(k)
	c.Rope.read(k, c)
	c.LogitSoftCap = float32(k.numberOr("final_logit_softcapping", 0, minScale, maxScale))
	c.Pooling = k.poolingOr(PoolingLast)
	k.unimplemented()
	if a.differences != nil && k.err == nil {
		a.differences(c, k)
	}
	c.consequences(k)
	if k.err != nil {
		return nil, k.err
	}
	if err := c.vocabulary(f); err != nil {
		return nil, err
	}
	return c, nil
}

// sizes reads the shape of the residual stream.
func (c *Config) sizes(k *keys) {
	c.ContextLength = k.integer("context_length", 1, maxContext)
	c.EmbeddingLength = k.integer("embedding_length", 4, maxWidth)
	c.BlockCount = k.integer("block_count", 1, maxBlocks)
	k.quads("embedding_length", c.EmbeddingLength)
}

// feedForward reads the shape of the feed-forward network, or of its experts.
func (c *Config) feedForward(k *keys) {
	length := "feed_forward_length"
	c.ExpertCount = k.integerOr("expert_count", 0, 0, maxExperts)
	if c.ExpertCount > 0 {
		c.ExpertsUsed = k.layers("expert_used_count", c.BlockCount, 1, c.ExpertCount)
		if c.ExpertsUsed > device.MaxExperts {
			k.fail("expert_used_count", ErrUnsupported, "%d, at most %d are", c.ExpertsUsed, device.MaxExperts)
		}
		if k.has("expert_feed_forward_length") {
			length = "expert_feed_forward_length"
		}
	}
	c.FeedForwardLength = k.layers(length, c.BlockCount, 4, maxWidth/2)
	k.quads(length, c.FeedForwardLength)
}

// attention reads the heads, and which positions they see.
func (c *Config) attention(k *keys) {
	c.HeadCount = k.layers("attention.head_count", c.BlockCount, 1, maxHeads)
	c.HeadCountKV = k.layersOr("attention.head_count_kv", c.HeadCount, c.BlockCount, 1, maxHeads)
	if c.HeadCount%c.HeadCountKV != 0 {
		k.fail("attention.head_count_kv", ErrMetadata, "%d does not divide attention.head_count, %d", c.HeadCountKV, c.HeadCount)
	}
	c.HeadDim = c.headLength(k, "attention.key_length")
	if value := c.headLength(k, "attention.value_length"); value != c.HeadDim {
		k.fail("attention.value_length", ErrUnsupported, "%d, but heads of keys have %d", value, c.HeadDim)
	}
	k.neutral("attention.key_length_swa", c.HeadDim)
	k.neutral("attention.value_length_swa", c.HeadDim)
	k.quads("attention.key_length", c.HeadDim)
	if width := c.HeadCount * c.HeadDim; width > maxWidth/4 {
		k.fail("attention.head_count", ErrMetadata, "%d heads of %d elements are over %d", c.HeadCount, c.HeadDim, maxWidth/4)
	}
	c.AttentionScale = float32(k.numberOr("attention.scale", 1/math.Sqrt(float64(c.HeadDim)), minScale, maxScale))
	c.AttentionSoftCap = float32(k.numberOr("attn_logit_softcapping", 0, minScale, maxScale))
	c.SlidingWindow = k.integerOr("attention.sliding_window", 0, 0, math.MaxInt32)
	c.Bidirectional = !k.flagOr("attention.causal", true)
}

// headLength returns the elements of a head of keys or of values: an equal share
// of the embedding where the file does not say.
func (c *Config) headLength(k *keys, key string) int {
	if k.has(key) {
		return k.integer(key, 1, maxHeadDim)
	}
	if c.EmbeddingLength%c.HeadCount != 0 {
		k.fail("attention.head_count", ErrMetadata, "%d does not divide embedding_length, %d, and there is no %s",
			c.HeadCount, c.EmbeddingLength, k.name(key))
	}
	return c.EmbeddingLength / c.HeadCount
}

// unimplemented refuses what would change the logits and that no operation does.
func (k *keys) unimplemented() {
	k.neutral("attention.clamp_kqv", 0)
	k.neutral("attention.max_alibi_bias", 0)
	k.neutral("expert_gating_func", 0, 1, 3) // not said, softmax, and softmax of the chosen: all one
	k.neutral("expert_group_count", 0, 1)
	k.neutral("expert_weights_norm", true)
	k.neutral("expert_weights_scale", 0, 1)
	k.neutral("logit_scale", 0, 1)
	k.neutral("residual_scale", 0, 1)
	k.neutral("embedding_scale", 0, 1)
	k.neutral("rope.scaling.yarn_log_multiplier", 0)
	k.neutral("rope.scaling.yarn_attn_factor", 1)
}

// consequences reads and checks what depends on the differences.
func (c *Config) consequences(k *keys) {
	epsilon := "attention.layer_norm_rms_epsilon"
	if c.LayerNorm {
		epsilon = "attention.layer_norm_epsilon"
	}
	c.Epsilon = float32(k.number(epsilon, minScale, 1))
	// Text cannot be generated by what has to see the text that follows.
	if c.Bidirectional && !c.Encoder {
		k.fail("attention.causal", ErrUnsupported, "false, for %s", c.Architecture)
	}
}

// vocabulary takes the size of the vocabulary from the embedding: the key
// vocab_size of some files does not count tokens that were added later.
func (c *Config) vocabulary(f *gguf.File) error {
	t, err := f.Tensor(embeddingName)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTensor, err)
	}
	if len(t.Dims) != 2 || t.Dims[0] != c.EmbeddingLength || t.Dims[1] > maxVocabulary {
		return fmt.Errorf("tensor %q: %w: want [%d, tokens], at most %d of them, got %v", t.Name, ErrTensor, c.EmbeddingLength, maxVocabulary, t.Dims)
	}
	c.VocabularySize = t.Dims[1]
	if tokens, ok := f.Get(tokensKey); ok && tokens.Len() != c.VocabularySize {
		return fmt.Errorf("metadata %q: %w: %d tokens, but tensor %q has %d rows", tokensKey, ErrMetadata, tokens.Len(), t.Name, c.VocabularySize)
	}
	return nil
}

// slidingPattern reads which layers slide: a number, or a bool for each layer.
func (c *Config) slidingPattern(k *keys, fallback int) {
	const key = "attention.sliding_window_pattern"
	layers, err := k.meta.Bools(k.name(key))
	switch {
	case err != nil:
		c.SlidingPattern = k.integerOr(key, fallback, 0, maxBlocks)
	case len(layers) != c.BlockCount:
		k.fail(key, ErrMetadata, "%d elements for %d blocks", len(layers), c.BlockCount)
	default:
		c.SlidingLayers = layers
	}
}

// sliding reports whether a layer sees a window of the last tokens only.
func (c *Config) sliding(layer int) bool {
	switch {
	case c.SlidingWindow == 0:
		return false
	case c.SlidingLayers != nil:
		return c.SlidingLayers[layer]
	default:
		return c.SlidingPattern == 0 || (layer+1)%c.SlidingPattern != 0
	}
}

// Window returns the tokens that a layer sees, or 0 for all.
func (c *Config) Window(layer int) int {
	if c.sliding(layer) {
		return c.SlidingWindow
	}
	return 0
}

// CacheSpec returns the cache that the model's programs want, with some pages of
// device.PageTokens tokens.
func (c *Config) CacheSpec(pages int, t device.CacheType) device.CacheSpec {
	return device.CacheSpec{Layers: c.BlockCount, HeadCountKV: c.HeadCountKV, HeadDim: c.HeadDim, Pages: pages, Type: t}
}

// context returns the tokens of context that a caller asks for, 0 for all that
// the model was made for. It fails with [ErrContext].
func (c *Config) context(asked int) (int, error) {
	if asked < 0 || asked > c.ContextLength {
		return 0, fmt.Errorf("%w: %d tokens, %s.context_length is %d", ErrContext, asked, c.Architecture, c.ContextLength)
	}
	if asked == 0 {
		asked = c.ContextLength
	}
	if n := c.Rope.tableBytes(asked); n > maxRopeTable {
		return 0, fmt.Errorf("%w: %d tokens have a rope table of %d bytes, at most %d are allowed: ask for less context",
			ErrContext, asked, n, maxRopeTable)
	}
	return asked, nil
}

// queryWidth and keyWidth are the elements of all heads of a row.
func (c *Config) queryWidth() int { return c.HeadCount * c.HeadDim }
func (c *Config) keyWidth() int   { return c.HeadCountKV * c.HeadDim }
