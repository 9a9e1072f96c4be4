package quantize

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/realm-webgpu/realm/engine/gguf"
)

// entry is a matrix of a legacy file.
type entry struct {
	name    string
	calls   int32
	columns []float32
}

// legacy writes a file in the format before GGUF.
func legacy(entries []entry, tail ...any) []byte {
	var b bytes.Buffer
	put := func(all ...any) {
		for _, v := range all {
			if text, ok := v.(string); ok {
				v = []byte(text)
			}
			if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
				panic(err)
			}
		}
	}
	put(int32(len(entries)))
	for _, e := range entries {
		put(int32(len(e.name)), e.name, e.calls, int32(len(e.columns)), e.columns)
	}
	put(tail...)
	return b.Bytes()
}

func TestParseImportance(t *testing.T) {
	entries := []entry{{"a", 4, []float32{4, 8}}, {"b", 0, []float32{1, 0, 3}}}
	for _, tail := range [][]any{nil, {int32(7), int32(4), "wiki"}} {
		m, err := parseImportance(legacy(entries, tail...))
		if err != nil {
			t.Fatal(err)
		}
		if m.Len() != 2 || !slices.Equal(m.columns["a"], []float32{1, 2}) || !slices.Equal(m.columns["b"], []float32{1, 0, 3}) {
			t.Errorf("read %+v", m)
		}
		if tail != nil && (m.Chunks != 7 || m.Dataset != "wiki") {
			t.Errorf("read %+v", m)
		}
	}
	good := legacy(entries, int32(7), int32(4), "wiki")
	body := len(legacy(entries))
	for n := range good {
		if n == body { // the oldest files end here
			continue
		}
		if m, err := parseImportance(good[:n]); !errors.Is(err, ErrImportance) {
			t.Errorf("%d bytes of %d: %+v, %v", n, len(good), m, err)
		}
	}
	for name, b := range map[string][]byte{
		"nothing":           legacy(nil),
		"more":              append(slices.Clone(good), 0),
		"twice":             legacy([]entry{entries[0], entries[0]}),
		"negative":          legacy([]entry{{"a", 1, []float32{-1}}}),
		"not a number":      legacy([]entry{{"a", 1, []float32{float32(math.NaN())}}}),
		"infinite":          legacy([]entry{{"a", 1, []float32{float32(math.Inf(1))}}}),
		"many matrices":     {0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0},
		"negative matrices": {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
	} {
		if m, err := parseImportance(b); !errors.Is(err, ErrImportance) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

// importanceFile writes a GGUF file of these tensors and returns its path.
func importanceFile(t *testing.T, kind string, tensors map[string][]float32, dims map[string][]int) string {
	t.Helper()
	meta := new(gguf.Metadata)
	meta.Set("general.type", gguf.Scalar(kind))
	meta.Set(datasetsKey, gguf.Array([]string{"wiki", "code"}))
	meta.Set(chunksKey, gguf.Scalar[uint32](9))
	var all []gguf.Output
	for name, values := range tensors {
		data, err := binary.Append(nil, binary.LittleEndian, values)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, gguf.Output{Name: name, Dims: dims[name], Format: format(t, "F32"), Data: gguf.From(bytes.NewReader(data))})
	}
	path := filepath.Join(t.TempDir(), "importance.gguf")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := gguf.Write(file, meta, all); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenImportance(t *testing.T) {
	tensors := map[string][]float32{"a.in_sum2": {2, 4, 6, 5, 5, 5}, "a.counts": {2, 0}, "a.other": {1}}
	dims := map[string][]int{"a.in_sum2": {3, 2}, "a.counts": {1, 2}, "a.other": {1}}
	m, err := OpenImportance(importanceFile(t, "imatrix", tensors, dims))
	if err != nil {
		t.Fatal(err)
	}
	// Nothing was sent to the second expert.
	if m.Len() != 1 || !slices.Equal(m.columns["a"], []float32{1, 2, 3, 1, 1, 1}) {
		t.Errorf("read %+v", m)
	}
	if m.File != "importance.gguf" || m.Dataset != "wiki, code" || m.Chunks != 9 {
		t.Errorf("read %+v", m)
	}
	if _, err := OpenImportance(importanceFile(t, "model", tensors, dims)); !errors.Is(err, ErrImportance) {
		t.Errorf("a model: %v", err)
	}
	dims["a.counts"], tensors["a.counts"] = []int{1}, []float32{2}
	if _, err := OpenImportance(importanceFile(t, "imatrix", tensors, dims)); !errors.Is(err, ErrImportance) {
		t.Errorf("one count for two experts: %v", err)
	}
	delete(tensors, "a.counts")
	if _, err := OpenImportance(importanceFile(t, "imatrix", tensors, dims)); !errors.Is(err, gguf.ErrNotFound) {
		t.Errorf("no counts: %v", err)
	}
	delete(tensors, "a.in_sum2")
	if _, err := OpenImportance(importanceFile(t, "imatrix", tensors, dims)); !errors.Is(err, ErrImportance) {
		t.Errorf("no sums: %v", err)
	}
	if _, err := OpenImportance(filepath.Join(t.TempDir(), "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	path := filepath.Join(t.TempDir(), "x.dat")
	if err := os.WriteFile(path, legacy([]entry{{"a", 1, []float32{1}}}), 0o644); err != nil {
		t.Fatal(err)
	}
	if m, err := OpenImportance(path); err != nil || m.Len() != 1 || m.File != "x.dat" {
		t.Errorf("a legacy file: %+v, %v", m, err)
	}
}

// TestImportance has the columns that matter come out better, in each expert its
// own, whatever chunks the tensor is encoded in.
func TestImportance(t *testing.T) {
	const columns, rows, experts = 512, 700, 2 // two chunks and more, none of whole rows
	f := file(t, new(gguf.Metadata), normal, gguf.Output{Name: "a.weight", Dims: []int{columns, rows, experts}})
	weights := slices.Repeat([]float32{1}, columns*experts)
	for e := range experts {
		for i := range columns {
			if i%2 == e {
				weights[e*columns+i] = 100
			}
		}
	}
	for _, c := range []struct {
		name       string
		importance []float32
		favoured   [experts]int // which of every two columns
	}{
		{"of each expert", weights, [experts]int{0, 1}},
		{"of all experts", weights[:columns], [experts]int{0, 0}},
	} {
		o := Options{Mix: Pure(format(t, "Q4_K")), Importance: &Importance{columns: map[string][]float32{"a.weight": c.importance}}}
		plan, err := Plan(f, o)
		if err != nil {
			t.Fatal(err)
		}
		got := write(t, f, o, plan, nil)
		x, y := values(t, got.Tensors[0]), values(t, f.Tensors[0])
		for e, favoured := range c.favoured {
			var errs [2]float64
			for i := e * rows * columns; i < (e+1)*rows*columns; i++ {
				d := float64(x[i]) - float64(y[i])
				errs[i%2] += d * d
			}
			if ratio := errs[favoured] / errs[1-favoured]; ratio > 0.8 {
				t.Errorf("%s: expert %d: what matters has %.2f of the error of what does not", c.name, e, ratio)
			}
		}
		if n, err := got.Uint("quantize.imatrix.entries_count"); n != 1 || err != nil {
			t.Errorf("quantize.imatrix.entries_count is %d, %v", n, err)
		}
	}
	for _, wrong := range [][]float32{weights[:columns/2], weights[:columns+1], {}} {
		o := Options{Mix: Pure(format(t, "Q4_K")), Importance: &Importance{columns: map[string][]float32{"a.weight": wrong}}}
		if _, err := Plan(f, o); !errors.Is(err, ErrImportance) {
			t.Errorf("%d columns for %d: %v", len(wrong), columns, err)
		}
	}
}

// FuzzParseImportance takes any bytes: it fails with ErrImportance or gives columns
// that can be used.
func FuzzParseImportance(f *testing.F) {
	f.Add(legacy([]entry{{"blk.0.attn_q.weight", 4, []float32{4, 8}}, {"b", 0, nil}}, int32(7), int32(4), "wiki"))
	f.Add(legacy([]entry{{"a", -1, []float32{1}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseImportance(b)
		if err != nil {
			if !errors.Is(err, ErrImportance) {
				t.Fatal(err)
			}
			return
		}
		for name, columns := range m.columns {
			for i, x := range columns {
				if !(x >= 0) || math.IsInf(float64(x), 1) {
					t.Errorf("%q: column %d is %v", name, i, x)
				}
			}
		}
	})
}
