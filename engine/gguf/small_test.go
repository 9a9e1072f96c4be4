package gguf

import (
	"bytes"
	"encoding/hex"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/shaders/quant"
)

// small is testdata/small.hex without its comments.
func small(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/small.hex")
	if err != nil {
		t.Fatal(err)
	}
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		code, _, _ := strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(code), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func smallMetadata() *Metadata {
	m := new(Metadata)
	m.Set("general.architecture", Scalar("llama"))
	m.Set("general.alignment", Scalar[uint32](16))
	m.Set("t", Array([]string{"<s>", "é"}))
	m.Set("n", Nested(Array([]int16{-1, 2}), Array([]bool{true})))
	return m
}

func smallTensors(t testing.TB) []Output {
	return []Output{
		{Name: "a", Dims: []int{3}, Format: format(t, "F32"), Data: From(bytes.NewReader(sequence(1, 12)))},
		{Name: "b", Dims: []int{32, 2}, Format: format(t, "Q8_0"), Data: From(bytes.NewReader(sequence(0x10, 68)))},
	}
}

func sequence(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func format(t testing.TB, name string) *quant.Format {
	t.Helper()
	f, ok := quant.ByName(name)
	if !ok {
		t.Fatalf("shaders/quant has no %s", name)
	}
	return f
}

func TestReadSmall(t *testing.T) {
	for _, version := range []byte{2, 3} {
		b := small(t)
		b[4] = version
		f, err := Read(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if f.Version != uint32(version) || f.Alignment != 16 {
			t.Errorf("version %d, alignment %d; want %d, 16", f.Version, f.Alignment, version)
		}
		if !reflect.DeepEqual(f.Metadata, smallMetadata()) {
			t.Errorf("metadata %v, want %v", f.Metadata, smallMetadata())
		}
		want := []Tensor{
			{Name: "a", Dims: []int{3}, TypeID: 0, Offset: 288, Size: 12},
			{Name: "b", Dims: []int{32, 2}, TypeID: 8, Offset: 304, Size: 68},
		}
		if len(f.Tensors) != len(want) {
			t.Fatalf("%d tensors, want %d", len(f.Tensors), len(want))
		}
		data := [][]byte{sequence(1, 12), sequence(0x10, 68)}
		for i, w := range want {
			got, err := f.Tensor(w.Name)
			if err != nil {
				t.Fatal(err)
			}
			if got != f.Tensors[i] {
				t.Errorf("Tensor(%q) is not Tensors[%d]", w.Name, i)
			}
			fields := *got
			fields.src, fields.Format = nil, nil
			if !reflect.DeepEqual(fields, w) {
				t.Errorf("tensor %+v, want %+v", fields, w)
			}
			if got.Format == nil || got.Format.ID != w.TypeID {
				t.Errorf("tensor %q: format %v, want that of type %d", w.Name, got.Format, w.TypeID)
			}
			if b, err := got.Bytes(); err != nil || !bytes.Equal(b, data[i]) {
				t.Errorf("tensor %q: bytes %x, %v; want %x", w.Name, b, err, data[i])
			}
			var copied bytes.Buffer
			if err := got.CopyTo(&copied); err != nil || !bytes.Equal(copied.Bytes(), data[i]) {
				t.Errorf("tensor %q: copied %x, %v; want %x", w.Name, copied.Bytes(), err, data[i])
			}
		}
	}
}

func TestWriteSmall(t *testing.T) {
	var got bytes.Buffer
	if err := Write(&got, smallMetadata(), smallTensors(t)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), small(t)) {
		t.Errorf("wrote\n%swant testdata/small.hex:\n%s", hex.Dump(got.Bytes()), hex.Dump(small(t)))
	}
}
