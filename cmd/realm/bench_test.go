package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestBench(t *testing.T) {
	f := newFolder(t)
	args := []string{"bench", "--device", "cpu,cpu", "--prompt", "8", "--tokens", "4", "--repetitions", "3"}
	o := f.good("", args...)
	if strings.Count(o.stdout, "\ncpu: ") != 2 || !strings.Contains(o.stdout, "tokens/s") || o.stderr != "" {
		t.Errorf("printed %q, said %q", o.stdout, o.stderr)
	}
	var r benchReport
	if err := json.Unmarshal([]byte(f.good("", append(args, "--json")...).stdout), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Devices) != 2 || r.PromptTokens != 8 || r.Tokens != 4 || r.Repetitions != 3 {
		t.Fatalf("%+v", r)
	}
	// The output uses the table of the embedding: every weight is read for a token.
	var info infoReport
	if err := json.Unmarshal([]byte(f.good("", "info", "--json").stdout), &info); err != nil {
		t.Fatal(err)
	}
	if want := info.Types[0].Bytes + info.Types[1].Bytes; r.BytesToken != want {
		t.Errorf("%d bytes a token, want %d", r.BytesToken, want)
	}
	d := r.Devices[0]
	for name, s := range map[string]spread{"prefill": d.Prefill, "decode": d.Decode, "bandwidth": d.Bandwidth, "first token": d.FirstToken} {
		if !(0 < s.Min && s.Min <= s.Median && s.Median <= s.Max) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if d.Load <= 0 || d.Ready < d.Load || d.Memory < r.BytesToken || d.PerToken.Dispatches < 4*9 || d.PerToken.Submits != 1 {
		t.Errorf("load %v s, memory %d bytes, %+v a token", d.Load, d.Memory, d.PerToken)
	}
	f.holds()
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		x    []float64
		want spread
	}{
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{4, 1}, spread{1, 2.5, 4}},
		{[]float64{9, 1, 2}, spread{1, 2, 9}},
	} {
		if got := newSpread(c.x); got != c.want {
			t.Errorf("newSpread(%v) = %v, want %v", c.x, got, c.want)
		}
	}
}
