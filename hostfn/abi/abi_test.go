package abi

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/abi.txt")

// TestFrozen holds every number, name, layout and signature to what was published.
func TestFrozen(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "version %d.%d\n", Major, Minor)
	for _, e := range Errnos() {
		fmt.Fprintf(&b, "errno %s = %d\n", e.String(), int32(e))
	}
	for _, g := range Groups() {
		for _, c := range g.Constants {
			fmt.Fprintf(&b, "constant %s = %d\n", c.Name, c.Value)
		}
	}
	for _, s := range Structs() {
		fmt.Fprintf(&b, "struct %s: %d bytes\n", s.Name, s.Size())
		for _, f := range s.Fields {
			fmt.Fprintf(&b, "  %d %s %s[%d]\n", f.Offset(), f.Name, f.Type.C(), max(1, f.Len))
		}
	}
	for _, f := range Functions() {
		fmt.Fprintf(&b, "function %s.%s(", f.Module, f.Name)
		for i, p := range f.Parameters {
			if i > 0 {
				b.WriteString(", ")
			}
			kind := "i32"
			if p.Type.Wide() {
				kind = "i64"
			}
			b.WriteString(p.Name + " " + kind)
		}
		fmt.Fprintf(&b, ") blocks=%t capability=%d\n", f.Blocks, f.Capability)
	}
	const path = "testdata/abi.txt"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the interface is not what %s says: a published one only grows, with a new minor version (-update)", path)
	}
}

// layouts are structs as wire.go writes and reads them.
var layouts = map[string]struct {
	size   int
	append func([]byte) []byte
}{
	"abi_info":   {AbiInfoSize, (&AbiInfo{}).Append},
	"budget":     {BudgetSize, (&Budget{}).Append},
	"model_info": {ModelInfoSize, (&ModelInfo{}).Append},
	"seq_stat":   {SeqStatSize, (&SeqStat{}).Append},
	"row":        {RowSize, nil},
	"result":     {ResultSize, func(b []byte) []byte { return (&Result{}).Append(b, math.MaxUint64) }},
	"event":      {EventSize, (&Event{}).Append},
	"draft":      {DraftSize, (&Draft{}).Append},
	"sampler":    {SamplerSize, nil},
	"op":         {OpSize, nil},
}

func TestSizes(t *testing.T) {
	for _, s := range Structs() {
		l, ok := layouts[s.Name]
		if !ok {
			t.Errorf("struct %s is not in wire.go", s.Name)
			continue
		}
		if l.size != s.Size() {
			t.Errorf("struct %s: %d bytes in wire.go, %d in the table", s.Name, l.size, s.Size())
		}
		if l.append != nil {
			if n := len(l.append(nil)); n != s.Size() {
				t.Errorf("struct %s: %d bytes are written, the table says %d", s.Name, n, s.Size())
			}
		}
	}
}

// sample fills a struct with values that tell its fields apart: field i is i+1, or
// as a float (i+1)/2.
func sample(t *testing.T, name string) []byte {
	t.Helper()
	for _, s := range Structs() {
		if s.Name != name {
			continue
		}
		b := make([]byte, s.Size())
		for i, f := range s.Fields {
			switch f.Type {
			case F32:
				binary.LittleEndian.PutUint32(b[f.Offset():], math.Float32bits(float32(i+1)/2))
			case U64, Pointer:
				binary.LittleEndian.PutUint64(b[f.Offset():], uint64(i+1))
			default:
				binary.LittleEndian.PutUint32(b[f.Offset():], uint32(i+1))
			}
		}
		return b
	}
	t.Fatalf("no struct %s", name)
	return nil
}

func TestDecode(t *testing.T) {
	var row Row
	row.Decode(sample(t, "row"))
	if want := (Row{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17}); row != want {
		t.Errorf("row %+v, want %+v", row, want)
	}
	row.Decode(sample(t, "row")[:48])
	if want := (Row{Sequence: 2, Tokens: 3, N: 4, Sampler: 5, Grammar: 6, Adapter: 7, Flags: 8, Mask: 9}); row != want {
		t.Errorf("short row %+v, want %+v", row, want)
	}
	var s Sampler
	s.Decode(sample(t, "sampler"))
	if want := (Sampler{1, 3, 2, 2.5, 3, 3.5, 4, 4.5, 10, 11, 12, 13, 14, 15}); s != want {
		t.Errorf("sampler %+v, want %+v", s, want)
	}
	var o Op
	o.Decode(sample(t, "op"))
	want := Op{
		2, 3, 4, View{5, 6, 7}, View{8, 9, 10}, View{11, 12, 13}, View{14, 15, 16},
		17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 13.5, 14, 14.5, 31, 32, 33,
	}
	if o != want {
		t.Errorf("op %+v, want %+v", o, want)
	}
}

// TestAppend compares what is written with the table, field by field.
func TestAppend(t *testing.T) {
	for name, got := range map[string][]byte{
		"abi_info":   (&AbiInfo{4, 5, 6, 7, 8, 9, 10}).Append(nil),
		"budget":     (&Budget{3, 4, 5, 6, 7}).Append(nil),
		"seq_stat":   (&SeqStat{2, 3, 4, 5, true}).Append(nil),
		"model_info": (&ModelInfo{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 6.5, 7, 15, 16, nil, "", ""}).Append(nil),
	} {
		want := sample(t, name)
		for _, s := range Structs() {
			if s.Name != name {
				continue
			}
			for i, f := range s.Fields {
				if i == 0 || f.Name == "reserved" || f.Name == "major" || f.Name == "minor" || f.Name == "busy" || f.Len > 0 || f.Name == "stop_count" {
					continue
				}
				a, b := got[f.Offset():f.Offset()+f.Bytes()], want[f.Offset():f.Offset()+f.Bytes()]
				if !bytes.Equal(a, b) {
					t.Errorf("%s.%s is %v, want %v", name, f.Name, a, b)
				}
			}
		}
	}
}

func TestResultThatDoesNotFit(t *testing.T) {
	r := Result{Tokens: []int32{7, 8}, Hidden: []float32{1, 2, 3}}
	whole := r.Append(nil, math.MaxUint64)
	if len(whole) != r.Bytes() || len(whole) != ResultSize+20 {
		t.Errorf("%d bytes, Bytes says %d", len(whole), r.Bytes())
	}
	short := r.Append(nil, ResultSize)
	if len(short) != ResultSize || Errno(binary.LittleEndian.Uint32(short[4:])) != Toobig ||
		binary.LittleEndian.Uint64(short[8:]) != uint64(len(whole)) {
		t.Errorf("a short one is %v", short)
	}
}

func TestCapabilityNames(t *testing.T) {
	all := uint64(0)
	for _, c := range Groups()[0].Constants {
		bit, ok := Capability(strings.TrimPrefix(c.Name, "CAP_"))
		if !ok || bit != c.Value {
			t.Errorf("%s: %d, %t", c.Name, bit, ok)
		}
		all |= bit
	}
	if all != CapAll {
		t.Errorf("all capabilities are %#x, CapAll is %#x", all, CapAll)
	}
	if _, ok := Capability("topk"); ok {
		t.Error("topk is a capability")
	}
}
