package main

import (
	"bytes"
	"encoding/binary"
	"os"
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
	f.good("", "logits", "--device", "cpu", "--kv-type", "f32", "--tokens", f.put("ids.i32", ids), "-o", "logits.f32")
	f.good("", "logits", "--device", "cpu", "--kv-type", "f32", "-p", question, "-o", "prompt.f32")
	if !bytes.Equal(f.get("logits.f32"), f.get("prompt.f32")) {
		t.Error("the question's tokens and its text give different logits")
	}
	if o := f.good("", "logits", "--device", "cpu", "--kv-type", "f32", "--tokens", "ids.i32", "-o", "-"); o.stdout != string(f.get("logits.f32")) {
		t.Errorf("-o - printed %d bytes, not those of the file", len(o.stdout))
	}
	got, want := floats(t, f.get("logits.f32")), floats(t, golden)
	if len(got) != len(want) {
		t.Fatalf("%d logits, want %d", len(got), len(want))
	}
	var difference, size float64
	for i := range want {
		d := float64(got[i]) - float64(want[i])
		difference += d * d
		size += float64(want[i]) * float64(want[i])
	}
	if nmse := difference / size; !(nmse < 1e-5) {
		t.Errorf("normalised mean square error %.3g, want less than 1e-5", nmse)
	}
	f.holds("ids.i32", "logits.f32", "prompt.f32")
}

func floats(t *testing.T, b []byte) []float32 {
	t.Helper()
	x := make([]float32, len(b)/4)
	if _, err := binary.Decode(b, binary.LittleEndian, x); err != nil {
		t.Fatal(err)
	}
	return x
}
