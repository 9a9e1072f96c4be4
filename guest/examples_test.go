package guest_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/engine/token"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/guest/build"
)

// example compiles an example.
func example(t *testing.T, name string) []byte {
	t.Helper()
	needs(t, build.Compiler)
	out := filepath.Join(t.TempDir(), name+".wasm")
	if err := build.Example(t.Context(), root, out, name); err != nil {
		t.Fatal(err)
	}
	return read(t, out)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// runs runs an example to a good end.
func (r *rig) runs(t *testing.T, module []byte, args map[string]any) *reply {
	t.Helper()
	text, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.run(t, module, text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// event reads an event of an example's own.
func (r *reply) event(t *testing.T, kind string, into any) {
	t.Helper()
	for _, raw := range r.raw {
		if bytes.Contains(raw, []byte(`"type":"`+kind+`"`)) {
			if err := json.Unmarshal(raw, into); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("there is no event %q", kind)
}

// TestExampleBeam compares the example with a beam search that is written in Go.
func TestExampleBeam(t *testing.T) {
	r := newRig(t)
	module := example(t, "beam")
	var beam struct {
		Logprob float64
		IDs     []int32
	}
	out := r.runs(t, module, map[string]any{"messages": user(question), "beams": 1})
	if out.event(t, "beam", &beam); out.texts[0] != answer {
		t.Errorf("one beam says %q, want %q", out.texts[0], answer)
	}
	for _, prompt := range []string{"Once upon a time", "The sea"} {
		out = r.runs(t, module, map[string]any{"prompt": prompt, "beams": 3, "max_tokens": 10})
		out.event(t, "beam", &beam)
		tokens, logprob := r.beam(t, r.model.Encode(prompt, true), 3, 10)
		if !slices.Equal(beam.IDs, tokens) || math.Abs(beam.Logprob-logprob) > 1e-4 {
			t.Errorf("%q: found %v with %f, want %v with %f", prompt, beam.IDs, beam.Logprob, tokens, logprob)
		}
		one := r.runs(t, module, map[string]any{"prompt": prompt, "beams": 1, "max_tokens": 10})
		var greedy struct{ Logprob float64 }
		if one.event(t, "beam", &greedy); beam.Logprob < greedy.Logprob-1e-6 && len(beam.IDs) == 10 {
			t.Errorf("%q: three beams find %f, one finds %f", prompt, beam.Logprob, greedy.Logprob)
		}
	}
}

// beam is a beam search over whole rows of logits, without any sharing.
func (r *rig) beam(t *testing.T, prompt []int32, width, most int) ([]int32, float64) {
	type path struct {
		tokens  []int32
		logprob float64
		ended   bool
	}
	beams := []path{{}}
	for range most {
		var ways []path
		for _, b := range beams {
			if b.ended {
				ways = append(ways, b)
				continue
			}
			s, err := r.model.NewSequence()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Append(append(slices.Clone(prompt), b.tokens...)...); err != nil {
				t.Fatal(err)
			}
			run := r.engine.Start(t.Context(), engine.Request{Sequence: s, MaxTokens: 1, TopK: width})[0]
			o, err := run.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range o.Top {
				ways = append(ways, path{append(slices.Clone(b.tokens), c.Token), b.logprob + float64(c.Logprob), r.model.Tokenizer().IsEndOfGeneration(c.Token)})
			}
			s.Close()
		}
		slices.SortStableFunc(ways, func(a, b path) int {
			switch {
			case a.logprob > b.logprob:
				return -1
			case a.logprob < b.logprob:
				return 1
			}
			return 0
		})
		beams = ways[:min(len(ways), width)]
	}
	return beams[0].tokens, beams[0].logprob
}

// TestExampleJSON holds an answer to a schema.
func TestExampleJSON(t *testing.T) {
	r := newRig(t)
	schema := json.RawMessage(`{"type":"object","properties":{"city":{"type":"string","maxLength":20},"capital":{"type":"boolean"}},"required":["city","capital"],"additionalProperties":false}`)
	out := r.runs(t, example(t, "json"), map[string]any{"messages": user(question), "schema": schema})
	var said struct {
		City    *string
		Capital *bool
	}
	d := json.NewDecoder(strings.NewReader(out.texts[0]))
	d.DisallowUnknownFields()
	if err := d.Decode(&said); err != nil || said.City == nil || said.Capital == nil {
		t.Errorf("said %q: %v", out.texts[0], err)
	}
}

// TestExampleWholeTransformer has the logits of the engine from a forward pass that a
// guest has put together.
func TestExampleWholeTransformer(t *testing.T) {
	r := newRig(t)
	out := r.runs(t, example(t, "whole-transformer"), map[string]any{"messages": user(question)})
	if out.texts[0] != answer {
		t.Errorf("said %q, want %q", out.texts[0], answer)
	}
	var logits struct{ Data []float32 }
	out.event(t, "logits", &logits)
	s, err := r.model.NewSequence()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Append(r.model.Encode("<|im_start|>user\n"+question+"<|im_end|>\n<|im_start|>assistant\n", true)...); err != nil {
		t.Fatal(err)
	}
	want, err := s.Logits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := nmse(logits.Data, want); !(d < 1e-6) {
		t.Errorf("the logits differ from the engine's by %g", d)
	} else {
		t.Logf("NMSE %g", d)
	}
}

// nmse is the normalised mean square error of a against b.
func nmse(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	var difference, square float64
	for i := range b {
		d := float64(a[i]) - float64(b[i])
		difference += d * d
		square += float64(b[i]) * float64(b[i])
	}
	return difference / square
}

// TestExampleWatermark finds the watermark with the key, and not with another.
func TestExampleWatermark(t *testing.T) {
	r := newRig(t)
	module := example(t, "watermark")
	score := func(strength float64, key uint64) float64 {
		green, all := 0.0, 0.0
		type pair struct{ before, token int32 }
		seen := map[pair]bool{} // a pair that comes again says nothing new
		for seed := range 6 {
			prompt := "Once upon a time"
			out := r.runs(t, module, map[string]any{"prompt": prompt, "key": 42, "strength": strength, "temperature": 1.3, "seed": 1000 * seed, "max_tokens": 64})
			ids := r.model.Encode(prompt, true)
			before := ids[len(ids)-1]
			for _, e := range out.of(guest.EventToken) {
				if p := (pair{before, e.Token}); !seen[p] {
					seen[p] = true
					green += float64(mix(mix(key^uint64(uint32(before))<<32)^uint64(uint32(e.Token))) & 1)
					all++
				}
				before = e.Token
			}
		}
		// How many standard deviations there are more than chance would have it.
		return (green - all/2) / math.Sqrt(all/4)
	}
	marked, other, plain := score(8, 42), score(8, 7), score(0, 42)
	if marked < 4 || math.Abs(other) > 3.5 || math.Abs(plain) > 3.5 {
		t.Errorf("scores %f with the key, %f with another, %f without a watermark", marked, other, plain)
	}
	t.Logf("scores %f with the key, %f with another, %f without a watermark", marked, other, plain)
}

var last = model.PoolingLast

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// TestExampleEmbed has the state that the engine has.
func TestExampleEmbed(t *testing.T) {
	r := newRig(t)
	module := example(t, "embed")
	embed := func(text string) []float32 {
		var e struct{ Data []float32 }
		r.runs(t, module, map[string]any{"prompt": text}).event(t, "embedding", &e)
		return e.Data
	}
	const text = "Paris is a city."
	states, err := r.model.Embed(t.Context(), r.model.Tokenizer().Encode(nil, text, token.Options{AddSpecial: true, ParseSpecial: true}), engine.EmbedOptions{Pooling: &last})
	if err != nil {
		t.Fatal(err)
	}
	if d := nmse(embed(text), states[0]); !(d < 1e-10) {
		t.Errorf("the embedding differs from the engine's by %g", d)
	}
	if d := nmse(embed("Fish swim in the sea."), states[0]); d < 1e-3 {
		t.Error("another text has the same embedding")
	}
}

// TestExampleGo runs a guest of another language.
func TestExampleGo(t *testing.T) {
	r := newRig(t)
	out := filepath.Join(t.TempDir(), "go.wasm")
	if err := build.Go(t.Context(), root, out, "./guest/examples/go"); err != nil {
		t.Fatal(err)
	}
	module := read(t, out)
	if got := r.runs(t, module, map[string]any{"messages": user(question)}); got.texts[0] != answer {
		t.Errorf("said %q, want %q", got.texts[0], answer)
	}
	if _, err := r.run(t, module, []byte(`{"messages":[]}`)); code(err) != 1 {
		t.Errorf("without messages: %v", err)
	}
}
