package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// encoder puts a small BERT of random weights in the folder and returns its name.
func (f folder) encoder() string {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "engine", "testdata", "encoder.gguf"))
	if err != nil {
		f.t.Fatal(err)
	}
	return f.put("encoder.gguf", data)
}

// vectors reads what realm embed prints.
func vectors(t *testing.T, text string) [][]float64 {
	t.Helper()
	var rows [][]float64
	for line := range strings.Lines(text) {
		var row []float64
		for word := range strings.FieldsSeq(line) {
			x, err := strconv.ParseFloat(word, 32)
			if err != nil {
				t.Fatal(err)
			}
			row = append(row, x)
		}
		rows = append(rows, row)
	}
	return rows
}

func cosine(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func TestEmbed(t *testing.T) {
	f := newFolder(t)
	args := []string{"embed", "--device", "cpu", "-m", f.encoder()}
	o := f.good("", append(args, "Where is Oslo?", "what is near rome", "where is  oslo ?")...)
	rows := vectors(t, o.stdout)
	if len(rows) != 3 || len(rows[0]) != 32 || o.stderr != "" {
		t.Fatalf("%d vectors of %d, said %q", len(rows), len(rows[0]), o.stderr)
	}
	// The first and the last are the same to this vocabulary.
	if same, other := cosine(rows[0], rows[2]), cosine(rows[0], rows[1]); math.Abs(same-1) > 1e-5 || other > 0.999 {
		t.Errorf("cosines %v and %v", same, other)
	}
	if piped := f.good("Where is Oslo?\r\nwhat is near rome\nwhere is  oslo ?", args...); piped.stdout != o.stdout {
		t.Error("lines give other vectors than arguments")
	}
	var r embedReport
	if err := json.Unmarshal([]byte(f.good("", append(args, "--json", "Where is Oslo?")...).stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Dimensions != 32 || r.Pooling != "mean" || !r.Normalized || len(r.Texts) != 1 || r.Texts[0].Tokens != 6 {
		t.Errorf("%+v", r)
	}
	for i, x := range r.Texts[0].Embedding {
		if x != float32(rows[0][i]) {
			t.Fatalf("in JSON element %d is %v, else %v", i, x, rows[0][i])
		}
	}
}

func TestEmbedPooling(t *testing.T) {
	f := newFolder(t)
	args := []string{"embed", "--device", "cpu", "-m", f.encoder(), "--no-normalize", "Where is Oslo?"}
	states := f.good("", append(args, "--pooling", "none")...).stdout
	lines := strings.SplitAfter(states, "\n")
	if len(lines) != 8 || lines[6] != "\n" {
		t.Fatalf("printed %d lines, want 6 vectors and an empty one", len(lines)-1)
	}
	for pooling, want := range map[string]string{"cls": lines[0], "last": lines[5]} {
		if o := f.good("", append(args, "--pooling", pooling)...); o.stdout != want {
			t.Errorf("%s: printed %.60q, want %.60q", pooling, o.stdout, want)
		}
	}
	var r embedReport
	if err := json.Unmarshal([]byte(f.good("", append(args, "--pooling", "none", "--json")...).stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Normalized || r.Pooling != "none" || len(r.Texts) != 1 || len(r.Texts[0].States) != 6 || r.Texts[0].Embedding != nil {
		t.Errorf("%+v", r)
	}
}

// TestEmbedDecoder embeds with a model that was made to write, which is said.
func TestEmbedDecoder(t *testing.T) {
	f := newFolder(t)
	o := f.good("", "embed", "--device", "cpu", question)
	if want := "realm: atlas (built in) was made to write, not to embed: taking the state of the last token (--pooling)\n"; o.stderr != want {
		t.Errorf("said %q, want %q", o.stderr, want)
	}
	rows := vectors(t, o.stdout)
	if len(rows) != 1 || math.Abs(cosine(rows[0], rows[0])-1) > 1e-5 {
		t.Errorf("%d vectors, %v", len(rows), cosine(rows[0], rows[0]))
	}
	if o := f.good("", "embed", "--device", "cpu", "--pooling", "mean", question); o.stderr != "" {
		t.Errorf("said %q", o.stderr)
	}
}

// TestEncoderWritesNothing gives an encoder to the commands that want text of it.
func TestEncoderWritesNothing(t *testing.T) {
	f := newFolder(t)
	f.encoder()
	f.put("text.txt", []byte(strings.Repeat("where is oslo ? ", 30)))
	for _, c := range []struct{ args, want string }{
		{"run --raw x", "it makes embeddings and no text"},
		{"bench --prompt 4 --tokens 4", "it makes embeddings and no text"},
		{"logits --raw -p x -o x.f32", "it makes embeddings and no text"},
		{"perplexity --ctx 8 -f text.txt", "it makes embeddings and no text"},
	} {
		o := f.realm("", append(strings.Fields(c.args), "--device", "cpu", "-m", "encoder.gguf")...)
		if o.code != exitModel || !strings.Contains(o.stderr, c.want) || strings.Count(o.stderr, "\n") != 1 || o.stdout != "" {
			t.Errorf("realm %s: exit code %d, printed %q, said %q", c.args, o.code, o.stdout, o.stderr)
		}
	}
	f.holds("encoder.gguf", "text.txt")
}

func TestEmbedBadTexts(t *testing.T) {
	f := newFolder(t)
	f.encoder()
	for _, c := range []struct {
		stdin, args string
		code        int
		want        string
	}{
		{"", "", exitUsage, "no text: give it in quotes, or pipe in lines"},
		{"", "--pooling rank x", exitUsage, "want mean, cls, last or none"},
		{"oslo\n" + strings.Repeat("oslo ", 30), "", exitFailure, "text 2: engine: embed: engine: 32 tokens, the context has room for 24"},
		{"", "--ctx 25 x", exitUsage, "25"},
	} {
		o := f.realm(c.stdin, append([]string{"embed", "--device", "cpu", "-m", "encoder.gguf"}, strings.Fields(c.args)...)...)
		if o.code != c.code || !strings.Contains(o.stderr, c.want) || strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, said %q, want %d and %q", c.args, o.code, o.stderr, c.code, c.want)
		}
	}
}
