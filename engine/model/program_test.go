package model_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/model"
)

var update = flag.Bool("update", false, "write testdata/*.txt anew")

// TestProgram compares the operations of a program, written out, with
// testdata/program.txt.
func TestProgram(t *testing.T) {
	d := openCPU(t, 0)
	m := load(t, open(t, llamaFile), d, model.Options{Context: 64})
	cache, err := d.NewCache(m.CacheSpec(2, device.CacheF16))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, s := range []model.Shape{
		{Rows: 8, Outputs: 2, Sequences: 1, Pages: 2, TopK: 4, Sample: true},
		{Rows: 8, Outputs: 0, Sequences: 1, Pages: 2, TopK: 4, Sample: true},
	} {
		p, logits := m.Program(cache, s)
		if e, err := d.Compile(p); err != nil {
			t.Error(err)
		} else {
			e.Release()
		}
		fmt.Fprintf(&text, "%s\n", p.Name)
		for _, op := range p.Ops {
			fmt.Fprintf(&text, "  %s\n", describe(op))
		}
		if s.Outputs > 0 {
			fmt.Fprintf(&text, "  logits %s\n", view(logits))
		} else if logits != (device.View{}) {
			t.Errorf("logits %v of a program without outputs", logits)
		}
	}
	const path = "testdata/program.txt"
	if *update {
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(want) {
		t.Errorf("the program is not that of %s (go test -update writes it):\n%s", path, text.String())
	}
}

// view is "buffer[from:to]".
func view(v device.View) string {
	return fmt.Sprintf("%d[%d:%d]", v.Buffer, v.Offset, v.Offset+v.Width)
}

// describe is "writes <- operation reads", and the fields that vary.
func describe(op device.Op) string {
	reads, writes := op.Views()
	list := func(views []device.View) string {
		var s []string
		for _, v := range views {
			s = append(s, view(v))
		}
		return strings.Join(s, " ")
	}
	name := strings.TrimPrefix(fmt.Sprintf("%T", op), "*device.")
	line := strings.TrimSpace(fmt.Sprintf("%s <- %s %s", list(writes), name, list(reads)))
	switch o := op.(type) {
	case *device.MatMul:
		rows, columns := o.Weight.Shape()
		line += fmt.Sprintf(" by [%d, %d]", rows, columns)
	case *device.Rope:
		line += fmt.Sprintf(" in layer %d", o.Layer)
	case *device.Attention:
		line += fmt.Sprintf(" in layer %d", o.Layer)
	case *device.TopK:
		line += fmt.Sprintf(" K %d", o.K)
	}
	return line
}

// TestUnsupportedShapes: what cannot be is an error of Compile, not of Program.
func TestUnsupportedShapes(t *testing.T) {
	d := openCPU(t, 0)
	m := load(t, open(t, llamaFile), d, model.Options{Context: 64})
	cache, err := d.NewCache(m.CacheSpec(2, device.CacheF16))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []model.Shape{
		{},
		{Rows: 3, Outputs: 1, Sequences: 1, Pages: 2},
		{Rows: 2, Outputs: 4, Sequences: 1, Pages: 2},
		{Rows: 2, Outputs: 1},
		{Rows: 2, Outputs: 1, Sequences: 1, Pages: 2, TopK: 1000},
		{Rows: 2, Outputs: 1, Sequences: 1, Pages: 2, Sample: true},
	} {
		p, _ := m.Program(cache, s)
		if _, err := d.Compile(p); err == nil {
			t.Errorf("%+v was compiled", s)
		}
	}
}
