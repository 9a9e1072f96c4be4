package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestLogits compares with the logits that llama.cpp's values give (see the
// golden's bound): normalised mean square error, sum (a-b)^2 / sum b^2.
func TestLogits(t *testing.T) {
	f := newFolder(t)
	ids, err := os.ReadFile("testdata/question.tokens.i32")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/Q8_0.logits.f32")
	if err != nil {
		t.Fatal(err)
	}
	f.good("", "logits", "--device", "cpu:exact", "--kv-type", "f32", "--tokens", f.put("ids.i32", ids), "-o", "logits.f32")
	f.good("", "logits", "--device", "cpu:exact", "--kv-type", "f32", "-p", question, "-o", "prompt.f32")
	if !bytes.Equal(f.get("logits.f32"), f.get("prompt.f32")) {
		t.Error("the question's tokens and its text give different logits")
	}
	if o := f.good("", "logits", "--device", "cpu:exact", "--kv-type", "f32", "--tokens", "ids.i32", "-o", "-"); o.stdout != string(f.get("logits.f32")) {
		t.Errorf("-o - printed %d bytes, not those of the file", len(o.stdout))
	}
	got, want := floats(t, f.get("logits.f32")), floats(t, golden)
	if len(got) != len(want) {
		t.Fatalf("%d logits, want %d", len(got), len(want))
	}
	if e := nmse(got, want); !(e < 1e-5) {
		t.Errorf("normalised mean square error %.3g, want less than 1e-5", e)
	}
	f.holds("ids.i32", "logits.f32", "prompt.f32")
}

// nmse returns sum (a-b)^2 / sum b^2.
func nmse(a, b []float32) float64 {
	var difference, size float64
	for i := range b {
		d := float64(a[i]) - float64(b[i])
		difference += d * d
		size += float64(b[i]) * float64(b[i])
	}
	return difference / size
}

// TestRoundedActivations compares the CPU's vector kernels, which round what they
// multiply with quantised weights to signed bytes, with its exact arithmetic: by
// the logits of a prompt, and by how well two texts are foreseen: what atlas says of 26
// countries, and one of a kind that it knows nothing of.
func TestRoundedActivations(t *testing.T) {
	f := newFolder(t)
	var texts []string
	for _, name := range []string{"testdata/countries.txt", "testdata/rationale.txt"} {
		text, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	for _, format := range []string{"Q8_0", "Q4_0", "Q4_K_M"} {
		model := format + ".gguf"
		f.good("", "quantize", f.atlas(), model, "--type", format)
		logits := func(device string) []float32 {
			return floats(t, []byte(f.good("", "logits", "-m", model, "--device", device, "-p", question, "-o", "-").stdout))
		}
		if e := nmse(logits("cpu"), logits("cpu:exact")); !(e < 5e-3) {
			t.Errorf("%s: normalised mean square error %.3g, want less than 5e-3", format, e)
		}
		perplexity := func(device, text string) float64 {
			var r perplexityReport
			o := f.good("", "perplexity", "-f", text, "-m", model, "--device", device, "--ctx", "256", "--json")
			if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
				t.Fatal(err)
			}
			return r.Perplexity.Value
		}
		for _, text := range texts {
			rounded, exact := perplexity("cpu", text), perplexity("cpu:exact", text)
			t.Logf("%s, %s: rounding moves perplexity by %.3f %%", format, filepath.Base(text), 100*(rounded/exact-1))
			if !(math.Abs(rounded/exact-1) < 0.005) {
				t.Errorf("%s, %s: perplexity %v, want %v or within 0.5 %% of it", format, text, rounded, exact)
			}
		}
	}
}

func floats(t *testing.T, b []byte) []float32 {
	t.Helper()
	x := make([]float32, len(b)/4)
	if _, err := binary.Decode(b, binary.LittleEndian, x); err != nil {
		t.Fatal(err)
	}
	return x
}
