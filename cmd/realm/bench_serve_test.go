package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestBenchServe measures a little of everything.
func TestBenchServe(t *testing.T) {
	f := newFolder(t)
	o := f.good("", "bench", "serve", "--device", "cpu", "--ways", "http,sse,ws", "--streams", "2", "--rounds", "1",
		"--prompt", "8", "--tokens", "4", "--duration", "2s", "--tenants", "3", "--connections", "4", "--json")
	var r serveReport
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("%s: %v", o.stdout, err)
	}
	if len(r.Streams) != 3 || r.Overhead == nil || r.Flood == nil || r.Soak == nil {
		t.Fatalf("%+v", r)
	}
	for _, s := range r.Streams {
		if s.Rate <= 0 || s.First.P50 <= 0 || s.Clients != 2 || (s.Gap.P50 <= 0) != (s.Way == "http") {
			t.Errorf("%+v", s)
		}
	}
	if x := r.Flood; x.QuietRate <= 0 || x.FloodRate <= 0 || x.TimesAlone <= 0 || x.QuietFailed != 0 {
		t.Errorf("%+v", x)
	}
	if x := r.Soak; x.Answers == 0 || x.Failed != 0 || x.PagesHeld != 0 || x.Answering != 0 {
		t.Errorf("%+v", x)
	}
	var b strings.Builder
	if err := r.print(&b); err != nil || !strings.Contains(b.String(), "times that alone") {
		t.Errorf("%s, %v", b.String(), err)
	}
}

// TestBenchServeRefused names what is out of bounds.
func TestBenchServeRefused(t *testing.T) {
	f := newFolder(t)
	for _, args := range [][]string{{"--ways", "carrier"}, {"--streams", "0"}, {"--measure", "mood"}, {"--tokens", "1"}, {"--duration", "1ms"}} {
		o := f.realm("", append([]string{"bench", "serve"}, args...)...)
		if o.code != exitUsage || !strings.Contains(o.stderr, args[0]) {
			t.Errorf("%v: %d, %s", args, o.code, o.stderr)
		}
	}
}
