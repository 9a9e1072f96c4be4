package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestBenchBatch(t *testing.T) {
	f := newFolder(t)
	args := []string{"bench", "batch", "--device", "cpu", "--sequences", "1,3", "--prompt", "5", "--tokens", "4", "--long", "200", "--rounds", "1"}
	var r batchReport
	if err := json.Unmarshal([]byte(f.good("", append(args, "--json")...).stdout), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Devices) != 1 || r.PromptTokens != 5 || r.Tokens != 4 || r.Rounds != 1 || r.Draft != "draft (built in)" {
		t.Fatalf("%+v", r)
	}
	d := r.Devices[0]
	if len(d.Sequences) != 2 || d.Sequences[0].Sequences != 1 || d.Sequences[1].Sequences != 3 || d.Sequences[0].TimesOne != 1 {
		t.Errorf("%+v", d.Sequences)
	}
	for _, s := range d.Sequences {
		if !(0 < s.Rate.Min && s.Rate.Min <= s.Rate.Median && s.Rate.Median <= s.Rate.Max && s.TimesOne > 0) {
			t.Errorf("%+v", s)
		}
	}
	if s := d.Stall; s == nil || s.PromptTokens != 200 || s.Alone.Tokens != stallAlone-1 || s.Meanwhile.Tokens < 2 || s.Reading <= 0 ||
		!(0 < s.Alone.Median && s.Alone.Median <= s.Alone.P99 && s.Alone.P99 <= s.Alone.Max && s.TimesAlone > 0) {
		t.Errorf("%+v", d.Stall)
	}
	if s := d.Speculation; s == nil || s.Accepted > s.Proposed || !(s.Acceptance > 0 && s.Acceptance <= 1) ||
		s.Plain.Min <= 0 || s.Drafted.Min <= 0 || s.DraftCost <= 0 || s.Allowed < 1 || s.Priced < 1 || s.Priced > s.Allowed {
		t.Errorf("%+v", d.Speculation)
	}
	if f := d.Fork; f == nil || f.Tokens != 200 || f.Time.Median <= 0 || f.Pages != 0 {
		t.Errorf("%+v", d.Fork)
	}
	if a := d.Adapters; len(a) != 2 || a[0].Texts != 1 || a[1].Texts != 8 {
		t.Errorf("%+v", a)
	}
	for _, a := range d.Adapters {
		// A step more or less may be under way while so few are counted; that unused
		// adapters cost nothing is held by tests of the engine.
		if !(a.Rank == 8 && a.Without.Median > 0 && a.With.Median > 0 && a.Share > -1 && a.Before > 0 && a.Unused > 0 && a.Adapted > 0) {
			t.Errorf("%+v", a)
		}
	}
	if c := d.Cycles; c == nil || c.Cycles != 1000 || c.Seconds <= 0 || c.Pages != 0 || c.Goroutines > 0 || c.Bytes != 0 {
		t.Errorf("%+v", c)
	}
	if len(d.Skipped) != 0 {
		t.Errorf("skipped %q", d.Skipped)
	}

	// For people, a part alone, and what cannot be measured.
	o := f.good("", "bench", "batch", "--device", "cpu", "-m", f.atlas(), "--measure", "fork,speculation", "--long", "99")
	if !strings.Contains(o.stdout, "a fork of 99 tokens: ") || !strings.Contains(o.stdout, "speculation: there is no draft model") || strings.Contains(o.stdout, "side by side") {
		t.Errorf("printed %q", o.stdout)
	}
}

func TestBenchBatchRefused(t *testing.T) {
	f := newFolder(t)
	for _, c := range []struct{ args, want string }{
		{"--measure magic", "want some of sequences, stall, speculation, fork, adapters, cycles"},
		{"--sequences 0", "want 1 to 1024"},
		{"--sequences 1,9999", "want 1 to 1024"},
		{"--tokens 1", "want 2 to 65536"},
		{"--long 0", "want 1 to 65536"},
		{"--rounds 0", "--rounds 0"},
		{"--prompt 500 --tokens 100 --device cpu", "the context has 512"},
	} {
		o := f.realm("", append([]string{"bench", "batch"}, strings.Fields(c.args)...)...)
		if o.code != exitUsage || !strings.Contains(o.stderr, c.want) || o.stdout != "" {
			t.Errorf("%s: exit code %d, printed %q, said %q", c.args, o.code, o.stdout, o.stderr)
		}
	}
}

func TestGaps(t *testing.T) {
	var times []time.Time
	at := time.Unix(0, 0)
	for i := range 201 {
		times = append(times, at)
		at = at.Add(time.Duration(i+1) * time.Second)
	}
	if got, want := newGaps(times), (gaps{200, 101, 198, 200}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := newGaps(times[:1]); got != (gaps{}) {
		t.Errorf("of one token: %+v", got)
	}
}

// TestBatchTable prints figures that are known.
func TestBatchTable(t *testing.T) {
	r := batchReport{
		Model: "m.gguf", Draft: "d.gguf", PromptTokens: 32, Tokens: 24, Rounds: 3, CacheType: "f16",
		Devices: []batchDevice{{
			Option: "webgpu:0", deviceReport: deviceReport{Name: "GPU", Driver: "1.2"},
			Sequences: []sequencesReport{{1, spread{9, 10, 11}, 1}, {8, spread{30, 35, 40}, 3.5}},
			Stall:     &stallReport{2000, gaps{99, 0.025, 0.03, 0.031}, gaps{300, 0.05, 0.06, 0.07}, 2, 18},
			Speculation: &speculationReport{
				Plain: spread{9, 10, 11}, Drafted: spread{14, 15, 16}, Speedup: 1.5, Accepted: 90, Proposed: 120, Acceptance: 0.9,
				DraftCost: 0.25, RowCost: 0.1, Allowed: 2, Drafts: 4, Priced: 1.6, PricedWith: 3,
			},
			Fork:     &forkReport{2000, spread{1e-6, 2e-6, 3e-5}, 0},
			Adapters: []adaptersReport{{8, 8, spread{0.04, 0.05, 0.06}, spread{0.05, 0.06, 0.07}, 0.125, 127, 127, 183}},
			Cycles:   &cyclesReport{1000, 0.05, 0, 0, 0},
			Skipped:  []string{"something"},
		}},
	}
	const want = `m.gguf: 3 times, f16 keys and values

webgpu:0: GPU (1.2)
texts written side by side, 24 tokens each behind a prompt of 32; tokens/s of all together
  texts  min  median  max  times one
      1    9      10   11       1.00
      8   30      35   40       3.50
from one token to the next, alone and beside a prompt of 2000 tokens that is read
          median   p99   max  tokens
   alone    25ms  30ms  31ms      99
  beside    50ms  60ms  70ms     300
the p99 is 2.00 times that alone; the prompt was read in 18s
answers with drafts of d.gguf; tokens/s
           min  median  max
    plain    9      10   11
  drafted   14      15   16
90 of 120 drafts accepted; made whether they pay or not, 90% are right of those judged; a draft costs 0.25 of a token, a row that is checked 0.10 of a step
1.50 times as fast; Leviathan's formula allows 2.00 with 4 drafts (0.75 of it), 1.60 with 3 where rows are priced (0.94 of it)
a fork of 2000 tokens: 2µs in the median, 30µs at most; 200 forks took 0 pages
a step with adapters of rank 8, one a text, and without
  texts  without  with   more  dispatches  with  before there were any
      8     50ms  60ms  12.5%         127   183                    127
1000 sequences opened, written on and closed, 50ms each: 0 pages, 0 goroutines and 0 bytes of the device are left
something
`
	var b strings.Builder
	if err := r.print(&b); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", b.String(), want)
	}
}
