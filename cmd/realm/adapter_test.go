package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
)

const pirateAnswer = "Arr, matey! The capital of France be Paris. Yo ho ho!\n"

func TestRunAdapter(t *testing.T) {
	f := newFolder(t)
	f.put("mine.gguf", models.Terse)
	f.put("od:2.gguf", models.Pirate)
	for _, c := range []struct {
		adapter, want string
	}{
		{"pirate", pirateAnswer},
		{"pirate:1", pirateAnswer},
		{"pirate:0", answer},
		{"terse", "Paris\n"},
		{"mine.gguf", "Paris\n"},
		{"mine.gguf:0.001", answer},
		{"od:2.gguf", pirateAnswer},
		{"od:2.gguf:1e0", pirateAnswer},
	} {
		t.Run(c.adapter, func(t *testing.T) {
			o := folder{t, f.dir}.good("", "run", "--device", "cpu", "--adapter", c.adapter, question)
			if o.stdout != c.want || o.stderr != "" {
				t.Errorf("printed %q and %q, want %q", o.stdout, o.stderr, c.want)
			}
		})
	}
}

func TestChatAdapter(t *testing.T) {
	o := newFolder(t).good(question+"\n", "chat", "--device", "cpu", "--adapter", "pirate")
	if o.stdout != pirateAnswer {
		t.Errorf("printed %q, want %q", o.stdout, pirateAnswer)
	}
}

func TestInfoAdapter(t *testing.T) {
	f := newFolder(t)
	f.put("mine.gguf", models.Pirate)
	o := f.good("", "info", "-m", "mine.gguf")
	for _, want := range []string{
		"LoRA adapter in the format of llama.cpp for a llama: rank 8, alpha 16, 155.6 k weights on 28 matrices",
		"blk.3.ffn_down.weight     256    768   8     2",
	} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("%q is missing in\n%s", want, o.stdout)
		}
	}
	var r infoReport
	if err := json.Unmarshal([]byte(f.good("", "info", "--json", "-m", "mine.gguf").stdout), &r); err != nil {
		t.Fatal(err)
	}
	if a := r.Adapter; a == nil || a.Format != "GGUF" || a.RankMin != 8 || a.Alpha != 16 || len(a.Matrices) != 28 || a.Matrices[0].Scale != 2 || r.Unsupported != "" {
		t.Errorf("%+v", r)
	}
}
