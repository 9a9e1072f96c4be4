package engine_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/engine/token"
	"github.com/realm-webgpu/realm/shaders/quant"
)

var update = flag.Bool("update", false, "write testdata/encoder.gguf anew")

var encoderFile = filepath.Join("testdata", "encoder.gguf")

// writeEncoder writes a BERT of random weights: two layers of two heads of 16, 24
// positions, a few words. Its embedding is the mean of all states.
func writeEncoder() ([]byte, error) {
	const width, wide, layers, positions = 32, 64, 2, 24
	words := strings.Fields("the a is of in capital city country river where what far paris oslo rome near s ? .")
	tokens, kinds := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]"}, []int32{int32(token.Control), int32(token.Control), int32(token.Control), int32(token.Control)}
	for _, word := range words {
		tokens, kinds = append(tokens, "▁"+word), append(kinds, int32(token.Normal))
	}
	meta := new(gguf.Metadata)
	for _, kv := range []struct {
		key   string
		value gguf.Value
	}{
		{"general.architecture", gguf.Scalar("bert")},
		{"general.name", gguf.Scalar("Random encoder, for tests")},
		{"bert.context_length", gguf.Scalar[uint32](positions)},
		{"bert.embedding_length", gguf.Scalar[uint32](width)},
		{"bert.feed_forward_length", gguf.Scalar[uint32](wide)},
		{"bert.block_count", gguf.Scalar[uint32](layers)},
		{"bert.attention.head_count", gguf.Scalar[uint32](2)},
		{"bert.attention.layer_norm_epsilon", gguf.Scalar[float32](1e-12)},
		{"bert.attention.causal", gguf.Scalar(false)},
		{"bert.pooling_type", gguf.Scalar(uint32(model.PoolingMean))},
		{"tokenizer.ggml.model", gguf.Scalar("bert")},
		{"tokenizer.ggml.tokens", gguf.Array(tokens)},
		{"tokenizer.ggml.token_type", gguf.Array(kinds)},
		{"tokenizer.ggml.unknown_token_id", gguf.Scalar[uint32](1)},
		{"tokenizer.ggml.cls_token_id", gguf.Scalar[uint32](2)},
		{"tokenizer.ggml.seperator_token_id", gguf.Scalar[uint32](3)},
	} {
		meta.Set(kv.key, kv.value)
	}
	f16, _ := quant.ByName("F16")
	f32, _ := quant.ByName("F32")
	random := rand.New(rand.NewPCG(1, 2))
	var tensors []gguf.Output
	add := func(name string, f *quant.Format, middle, size float64, dims ...int) {
		n := 1
		for _, d := range dims {
			n *= d
		}
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(middle + float64(size*random.NormFloat64())) // not fused: the same bytes everywhere
		}
		data := make([]byte, n/f.BlockElements*f.BlockBytes)
		if err := f.Encode(data, values, nil); err != nil {
			panic(err)
		}
		tensors = append(tensors, gguf.Output{Name: name, Dims: dims, Format: f, Data: gguf.From(bytes.NewReader(data))})
	}
	matrix := func(name string, columns, rows int) {
		add(name+".weight", f16, 0, 2/math.Sqrt(float64(columns)), columns, rows)
	}
	layer := func(name string, columns, rows int) {
		matrix(name, columns, rows)
		add(name+".bias", f32, 0, 0.3, rows)
	}
	norm := func(name string) {
		add(name+".weight", f32, 1, 0.3, width)
		add(name+".bias", f32, 0, 0.3, width)
	}
	matrix("token_embd", width, len(tokens))
	matrix("position_embd", width, positions)
	matrix("token_types", width, 2)
	norm("token_embd_norm")
	for i := range layers {
		block := fmt.Sprintf("blk.%d.", i)
		for _, name := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
			layer(block+name, width, width)
		}
		norm(block + "attn_output_norm")
		layer(block+"ffn_up", width, wide)
		layer(block+"ffn_down", wide, width)
		norm(block + "layer_output_norm")
	}
	var b bytes.Buffer
	err := gguf.Write(&b, meta, tensors)
	return b.Bytes(), err
}

// TestEncoderFile holds the file to what writes it.
func TestEncoderFile(t *testing.T) {
	want, err := writeEncoder()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(encoderFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(encoderFile); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is out of date (%v): go test ./engine -run EncoderFile -update", encoderFile, err)
	}
}

// loadEncoder loads the encoder.
func loadEncoder(t testing.TB, e *engine.Engine, o engine.LoadOptions) *engine.Model {
	t.Helper()
	f, err := gguf.Open(encoderFile)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	m, err := e.Load(t.Context(), f, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// embed embeds a text, with a pooling or the model's own.
func embed(t testing.TB, m *engine.Model, text string, pooling ...model.Pooling) [][]float32 {
	t.Helper()
	o := engine.EmbedOptions{Raw: len(pooling) > 0}
	if len(pooling) > 0 {
		o.Pooling = &pooling[0]
	}
	rows, err := m.Embed(t.Context(), m.Encode(text, false), o)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// length returns the Euclidean length of a row.
func length(row []float32) float64 {
	sum := 0.0
	for _, x := range row {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// checkPoolings holds every pooling of a text to the states of its tokens.
func checkPoolings(t *testing.T, m *engine.Model, text string, own model.Pooling) {
	t.Helper()
	ids := m.Encode(text, false)
	states := embed(t, m, text, model.PoolingNone)
	width := m.Config().EmbeddingLength
	if len(states) != len(ids) || len(states[0]) != width {
		t.Fatalf("%d states of %d, want %d of %d", len(states), len(states[0]), len(ids), width)
	}
	mean := make([]float32, width)
	for i := range mean {
		sum := 0.0
		for _, row := range states {
			sum += float64(row[i])
		}
		mean[i] = float32(sum / float64(len(states)))
	}
	want := map[model.Pooling][]float32{model.PoolingCLS: states[0], model.PoolingLast: states[len(states)-1], model.PoolingMean: mean}
	for pooling, row := range want {
		if got := embed(t, m, text, pooling); len(got) != 1 || !slices.Equal(got[0], row) {
			t.Errorf("pooling %v gives %v, want %v", pooling, got, row)
		}
	}
	got := embed(t, m, text)
	if len(got) != 1 || math.Abs(length(got[0])-1) > 1e-6 {
		t.Fatalf("%d embeddings, the first of length %v", len(got), length(got[0]))
	}
	for i, x := range got[0] {
		if want := float64(want[own][i]) / length(want[own]); math.Abs(float64(x)-want) > 1e-6 {
			t.Fatalf("element %d is %v, want %v: the model's own pooling is %v", i, x, want, own)
		}
	}
}

func TestEmbedEncoder(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := loadEncoder(t, e, engine.LoadOptions{})
		checkPoolings(t, m, "What is the capital of the country?", model.PoolingMean)
		// What comes behind a token changes its state.
		near, far := embed(t, m, "is oslo near", model.PoolingCLS), embed(t, m, "is oslo far", model.PoolingCLS)
		if slices.Equal(near[0], far[0]) {
			t.Error("the first token does not see the last")
		}
		if again := embed(t, m, "is oslo near", model.PoolingCLS); !slices.Equal(near[0], again[0]) {
			t.Error("the same text has another embedding")
		}
	})
}

// TestEmbedDecoder embeds with a model that was made to write, in steps of any size.
func TestEmbedDecoder(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		const text = "The capital of France is Paris, and that of Norway is Oslo."
		m := load(t, e, engine.LoadOptions{})
		checkPoolings(t, m, text, model.PoolingLast)
		want := embed(t, m, text)
		if got := embed(t, load(t, e, engine.LoadOptions{StepTokens: 4}), text); !slices.Equal(got[0], want[0]) {
			t.Error("in steps of 4 tokens the embedding is another")
		}
	})
}

func TestEmbedErrors(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := loadEncoder(t, e, engine.LoadOptions{})
	long := slices.Repeat([]int32{5}, 25)
	for _, c := range []struct {
		name    string
		tokens  []int32
		pooling model.Pooling
		want    error
	}{
		{"nothing", nil, model.PoolingMean, engine.ErrEmpty},
		{"too long", long, model.PoolingMean, engine.ErrContext},
		{"no token", []int32{2, 99}, model.PoolingMean, engine.ErrToken},
		{"no pooling", []int32{2}, 9, engine.ErrOption},
	} {
		if _, err := m.Embed(t.Context(), c.tokens, engine.EmbedOptions{Pooling: &c.pooling}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	// A text that is read in both directions has to fit a step.
	var full *engine.ContextError
	short := loadEncoder(t, e, engine.LoadOptions{StepTokens: 8})
	if _, err := short.Embed(t.Context(), long[:9], engine.EmbedOptions{}); !errors.As(err, &full) || *full != (engine.ContextError{Need: 9, Limit: 8}) {
		t.Errorf("9 tokens in steps of 8: %v", err)
	}
	// It writes no text.
	s, err := m.NewSequence()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Append(2, 5, 3); err != nil {
		t.Fatal(err)
	}
	_, logits := s.Logits(t.Context())
	_, _, generate := collect(s.Generate(t.Context(), engine.GenerateOptions{}))
	for _, err := range s.AllLogits(t.Context(), 0) {
		if !errors.Is(err, engine.ErrEncoder) {
			t.Errorf("AllLogits of an encoder: %v", err)
		}
	}
	for what, err := range map[string]error{"Logits": logits, "Generate": generate} {
		if !errors.Is(err, engine.ErrEncoder) {
			t.Errorf("%s of an encoder: %v", what, err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Embed(t.Context(), []int32{2}, engine.EmbedOptions{}); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("a closed model: %v", err)
	}
}

// The decoder was shown to know its vocabulary; the encoder has to as well.
func TestEncoderVocabulary(t *testing.T) {
	m := loadEncoder(t, open(t, engine.Options{Device: "cpu"}), engine.LoadOptions{})
	ids := m.Encode("Where is Oslo?", false)
	if text := m.Tokenizer().Decode(ids, token.DecodeOptions{ShowSpecial: true}); len(ids) != 6 || !strings.Contains(text, "oslo") {
		t.Errorf("%v, %q", ids, text)
	}
}
