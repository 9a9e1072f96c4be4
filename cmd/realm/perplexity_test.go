package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// story is a text of some hundred tokens.
var story = strings.Repeat("The capital of France is Paris. Norway is a country in Europe, and its capital is Oslo. ", 12)

// measured runs realm perplexity on the CPU.
func (f folder) measured(args ...string) perplexityReport {
	f.t.Helper()
	o := f.good(story, append([]string{"perplexity", "-f", "-", "--device", "cpu", "--json"}, args...)...)
	var r perplexityReport
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || o.stderr != "" {
		f.t.Fatalf("%v: printed %q, said %q", err, o.stdout, o.stderr)
	}
	return r
}

// TestPerplexity compares with what the logits of every token make it.
func TestPerplexity(t *testing.T) {
	const size = 8
	f := newFolder(t)
	r := f.measured("--ctx", strconv.Itoa(size), "--windows", "2")
	var ids []int32
	for word := range strings.FieldsSeq(f.good(story, "tokenize", "--bos").stdout) {
		id, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, int32(id))
	}
	var sum, squares float64
	n := 0
	for window := range 2 {
		tokens := append([]int32{1}, ids[window*size+1:(window+1)*size]...)
		for i := size / 2; i+1 < size; i++ {
			data, err := binary.Append(nil, binary.LittleEndian, tokens[:i+1])
			if err != nil {
				t.Fatal(err)
			}
			logits := floats(t, []byte(f.good("", "logits", "--device", "cpu", "--tokens", f.put("ids.i32", data), "-o", "-").stdout))
			total := 0.0
			for _, x := range logits {
				total += math.Exp(float64(x))
			}
			loss := math.Log(total) - float64(logits[tokens[i+1]])
			sum, squares, n = sum+loss, squares+loss*loss, n+1
		}
	}
	mean := sum / float64(n)
	deviation := math.Sqrt((squares/float64(n) - mean*mean) / float64(n-1))
	want := perplexityReport{Window: size, Windows: 2, Tokens: n, Perplexity: estimate{math.Exp(mean), math.Exp(mean) * deviation}}
	if r.Window != want.Window || r.Windows != want.Windows || r.Tokens != want.Tokens ||
		math.Abs(r.Perplexity.Value/want.Perplexity.Value-1) > 1e-9 || math.Abs(r.Perplexity.Error/want.Perplexity.Error-1) > 1e-6 {
		t.Errorf("measured %+v, want %+v", r, want)
	}
	f.put("story.txt", []byte(story))
	o := f.good("", "perplexity", "-f", "story.txt", "--device", "cpu", "--ctx", "64")
	if !strings.HasPrefix(o.stdout, "atlas (built in): perplexity ") || strings.Count(o.stdout, "\n") != 1 {
		t.Errorf("printed %q", o.stdout)
	}
}

// TestPerplexityBase compares atlas with itself, and with a coarser atlas.
func TestPerplexityBase(t *testing.T) {
	f := newFolder(t)
	f.atlas()
	f.good("", "quantize", "atlas.gguf", "coarse.gguf", "--type", "Q2_K", "--pure")
	same := f.measured("--ctx", "64", "--kl-base", "atlas.gguf")
	if b := same.Base; b == nil || b.Mean != (estimate{}) || b.Largest != 0 || b.SameTop != (estimate{1, 0}) || b.Perplexity != same.Perplexity {
		t.Errorf("atlas and atlas: %+v", b)
	}
	coarse := f.measured("-m", "coarse.gguf", "--ctx", "64", "--kl-base", "atlas.gguf")
	b := coarse.Base
	if b == nil || b.Perplexity != same.Perplexity || b.Perplexity == coarse.Perplexity {
		t.Fatalf("the base has %+v, by itself %+v", b, same.Perplexity)
	}
	if !(0 < b.Median && b.Median < b.P99 && b.P99 < b.Largest && b.Mean.Value > 0 && b.Mean.Error > 0) {
		t.Errorf("divergences %+v", b)
	}
	if !(0.5 < b.SameTop.Value && b.SameTop.Value < 1) {
		t.Errorf("the same top token: %+v", b.SameTop)
	}
	o := f.good(story, "perplexity", "-f", "-", "--device", "cpu", "--ctx", "64", "--kl-base", "coarse.gguf")
	if !strings.Contains(o.stdout, "\nKL divergence: mean ") || !strings.Contains(o.stdout, "\nthe same most probable token: ") {
		t.Errorf("printed %q", o.stdout)
	}
}

// TestPerplexityVocabulary does not compare models of other vocabularies.
func TestPerplexityVocabulary(t *testing.T) {
	f := newFolder(t)
	atlas, err := gguf.Read(bytes.NewReader(models.Atlas))
	if err != nil {
		t.Fatal(err)
	}
	meta := atlas.Clone()
	tokens, err := meta.Strings("tokenizer.ggml.tokens")
	if err != nil {
		t.Fatal(err)
	}
	tokens[2047] = "another"
	meta.Set("tokenizer.ggml.tokens", gguf.Array(tokens))
	var tensors []gguf.Output
	for _, x := range atlas.Tensors {
		tensors = append(tensors, gguf.Output{Name: x.Name, Dims: x.Dims, Format: x.Format, Data: x.CopyTo})
	}
	var b bytes.Buffer
	if err := gguf.Write(&b, meta, tensors); err != nil {
		t.Fatal(err)
	}
	f.put("another.gguf", b.Bytes())
	o := f.realm(story, "perplexity", "-f", "-", "--device", "cpu", "--ctx", "64", "--kl-base", "another.gguf")
	if o.code != exitModel || !strings.Contains(o.stderr, `token 2047 of atlas (built in) is `) || !strings.Contains(o.stderr, "the vocabularies differ") {
		t.Errorf("exit code %d, said %q", o.code, o.stderr)
	}
}

func TestDivergence(t *testing.T) {
	logs := func(p ...float64) distribution {
		logits := make([]float32, len(p))
		for i := range p {
			logits[i] = float32(math.Log(p[i]) + 3) // any constant: softmax takes it away
		}
		d, err := newDistribution(logits)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	q, p := logs(0.25, 0.25, 0.5), logs(0.5, 0.25, 0.25)
	want := 0.5*math.Log(2) + 0.25*math.Log(0.5)
	if got := q.divergence(p); math.Abs(got-want) > 1e-6 {
		t.Errorf("divergence %v, want %v", got, want)
	}
	if got := logs(0.5, 0.5, 0).divergence(logs(0.5, 0.5, 0)); got != 0 {
		t.Errorf("divergence %v where a token cannot be", got)
	}
	if got := p.log(1); math.Abs(got-math.Log(0.25)) > 1e-6 || q.top() != 2 {
		t.Errorf("log %v, top %v", got, q.top())
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, logits := range [][]float32{{nan, 1}, {1, nan}, {inf, 1}, {-inf, -inf}} {
		if _, err := newDistribution(logits); err == nil {
			t.Errorf("logits %v: no error", logits)
		}
	}
}

func TestTally(t *testing.T) {
	var one, many tally
	one.add(3)
	if got := one.mean(); got != (estimate{3, 0}) {
		t.Errorf("mean of 3: %+v", got)
	}
	for _, x := range []float64{1, 2, 3, 4} {
		many.add(x)
	}
	if got := many.mean(); got.Value != 2.5 || math.Abs(got.Error-math.Sqrt(1.25/3)) > 1e-12 {
		t.Errorf("mean of 1 to 4: %+v", got)
	}
	if got := percentile([]float64{1, 2, 4}, 0.75); got != 3 {
		t.Errorf("percentile %v, want 3", got)
	}
	if got := percentile([]float64{7}, 0.99); got != 7 {
		t.Errorf("percentile %v of one value", got)
	}
}
