package device_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// parts is what the programs of these tests are made of: a layer of one key
// head and two query heads of 8 elements, and a vocabulary of 10.
type parts struct {
	testing.TB
	device *cpu.Device
	cache  device.Cache
}

func newParts(t testing.TB) *parts {
	d, err := cpu.New(cpu.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	cache, err := d.NewCache(device.CacheSpec{Layers: 2, HeadCountKV: 1, HeadDim: 8, Pages: 6})
	if err != nil {
		t.Fatal(err)
	}
	return &parts{t, d, cache}
}

func (p *parts) matrix(rows, columns int) device.Weights {
	p.Helper()
	return p.matrices(1, rows, columns)
}

func (p *parts) matrices(experts, rows, columns int) device.Weights {
	p.Helper()
	f32, ok := quant.ByName("F32")
	if !ok {
		p.Fatal("no F32")
	}
	w, err := p.device.Upload(context.Background(), device.Matrix{
		Name: "matrix", Format: f32, Columns: columns, Experts: experts,
		Sources: []device.Source{{Rows: rows, Reader: bytes.NewReader(make([]byte, 4*experts*rows*columns))}},
	})
	if err != nil {
		p.Fatal(err)
	}
	return w
}

func (p *parts) vector(n int) device.Weights {
	p.Helper()
	w, err := p.device.UploadVector(make([]float32, n))
	if err != nil {
		p.Fatal(err)
	}
	return w
}

// layer is a good program with a name for each of its operations.
type layer struct {
	*device.Program
	embed     *device.Embed     // op 0
	norm      *device.RMSNorm   // op 1
	qkv       *device.MatMul    // op 2
	rope      *device.Rope      // op 3
	attention *device.Attention // op 4
	out       *device.MatMul    // op 5
	glu       *device.GLU       // op 6
	add       *device.Add       // op 7
	gather    *device.Gather    // op 8
	head      *device.MatMul    // op 9
	topK      *device.TopK      // op 10
	sample    *device.Sample    // op 11
}

func (p *parts) layer() *layer {
	l := &layer{Program: &device.Program{Name: "layer", Rows: 8, Outputs: 4, Sequences: 2, Pages: 3, Cache: p.cache}}
	x, normed, qkv, mixed := l.NewBuffer(16), l.NewBuffer(16), l.NewBuffer(32), l.NewBuffer(16)
	out, gated, logits := l.NewBuffer(32), l.NewBuffer(16), l.NewOutput(10)
	up := out.Slice(16, 16)
	l.embed = &device.Embed{Out: x, Table: p.matrix(10, 16)}
	l.norm = &device.RMSNorm{Out: normed, X: x, Weight: p.vector(16), Epsilon: 1e-5}
	l.qkv = &device.MatMul{Out: qkv, X: normed, Weight: p.matrix(32, 16), Bias: p.vector(32)}
	l.rope = &device.Rope{
		Query: qkv.Slice(0, 16), Key: qkv.Slice(16, 8), Value: qkv.Slice(24, 8),
		Layer: 1, HeadCount: 2, HeadCountKV: 1, HeadDim: 8, Dimensions: 8, Table: p.vector(50 * 8),
	}
	l.attention = &device.Attention{Out: mixed, Query: l.rope.Query, Layer: 1, HeadCount: 2, HeadCountKV: 1, HeadDim: 8, Scale: 1}
	l.out = &device.MatMul{Out: out, X: mixed, Weight: p.matrix(32, 16)}
	l.glu = &device.GLU{Out: gated, Gate: out.Slice(0, 16), Up: &up}
	l.add = &device.Add{Out: x, X: x, Y: gated}
	l.gather = &device.Gather{Out: l.NewOutput(16), X: x}
	l.head = &device.MatMul{Out: logits, X: l.gather.Out, Weight: p.matrix(10, 16)}
	l.topK = &device.TopK{Logits: logits, K: 4}
	l.sample = &device.Sample{}
	l.Add(l.embed, l.norm, l.qkv, l.rope, l.attention, l.out, l.glu, l.add, l.gather, l.head, l.topK, l.sample)
	return l
}

func TestCheck(t *testing.T) {
	p := newParts(t)
	nan := float32(math.NaN())
	rows := device.View{Buffer: 0, Width: 16}
	for _, test := range []struct {
		want   string // in the error; "" for none
		change func(l *layer)
	}{
		{"", func(l *layer) {}},
		{"", func(l *layer) { l.Ops = nil }},
		{"", func(l *layer) { l.norm.Out = l.norm.X; l.qkv.X = l.norm.X }},
		{"", func(l *layer) { l.norm.Groups = 2; l.norm.Weight = p.vector(8) }},
		{"", func(l *layer) { l.glu.Up = nil }},
		{"", func(l *layer) { l.rope.Dimensions, l.rope.Table = 0, nil }},
		{"", func(l *layer) { l.attention.Window, l.attention.SoftCap = 5, 30 }},

		// The program.
		{"Rows: 0", func(l *layer) { l.Rows = 0 }},
		{"Rows: 6", func(l *layer) { l.Rows = 6 }},
		{"Rows: 32 is not in 1 to 16", func(l *layer) { l.Rows = 32 }},
		{"Outputs: -1", func(l *layer) { l.Outputs = -1 }},
		{"Outputs: 9 is not in 0 to 8", func(l *layer) { l.Outputs = 9 }},
		{"Buffers[6]", func(l *layer) { l.Outputs = 0 }},
		{"Sequences: 0", func(l *layer) { l.Sequences = 0 }},
		{"Pages: 0", func(l *layer) { l.Pages = 0 }},
		{"Pages: ", func(l *layer) { l.Sequences, l.Pages = 1<<20, 1<<20 }},
		{"Buffers[1].Width: 6", func(l *layer) { l.Buffers[1].Width = 6 }},
		{"Buffers[1].Width: 0", func(l *layer) { l.Buffers[1].Width = 0 }},
		{"Buffers[1].Width: 4611686018427387904", func(l *layer) { l.Buffers[1].Width = 1 << 62 }},
		{"op 11 Sample: Ops: Sample comes before TopK", func(l *layer) {
			l.Ops[10] = l.Ops[11]
			l.Ops[11], l.Ops = l.Ops[9], append(l.Ops[:9:9], l.gather, l.gather, l.sample)
		}},
		{"op 12 TopK: Ops: a program has at most one", func(l *layer) { l.Ops = append(l.Ops, l.topK) }},
		{"op 12 Sample: Ops: a program has at most one", func(l *layer) { l.Ops = append(l.Ops, l.sample) }},
		{"op 0 nil: Ops", func(l *layer) { l.Ops[0] = nil }},
		{"op 0 RMSNorm: Ops: reads buffer 0", func(l *layer) { l.Ops = l.Ops[1:] }},

		// Views.
		{"op 0 Embed: Out.Buffer: -1", func(l *layer) { l.embed.Out.Buffer = -1 }},
		{"op 0 Embed: Out.Buffer: 8 is not in 0 to 7", func(l *layer) { l.embed.Out.Buffer = 8 }},
		{"op 0 Embed: Out.Offset: -4", func(l *layer) { l.embed.Out.Offset = -4 }},
		{"op 0 Embed: Out.Offset: 2 is not a multiple", func(l *layer) { l.embed.Out.Offset, l.embed.Out.Width = 2, 8 }},
		{"op 0 Embed: Out.Width: 20 is not in 1 to 16", func(l *layer) { l.embed.Out.Width = 20 }},
		{"op 0 Embed: Out.Width: 9223372036854775807", func(l *layer) { l.embed.Out.Width = math.MaxInt }},
		{"op 0 Embed: Out.Width: 14 is not a multiple", func(l *layer) { l.embed.Out.Width = 14 }},
		{"op 2 MatMul: Out.Width: 22 is not a multiple of 4 and does not end", func(l *layer) { l.qkv.Out.Width = 22 }},
		{"op 0 Embed: Out: is of outputs", func(l *layer) { l.embed.Out = l.gather.Out }},

		// Operations.
		{"op 0 Embed: Table: is nil", func(l *layer) { l.embed.Table = nil }},
		{"op 0 Embed: the columns of Table: 12", func(l *layer) { l.embed.Table = p.matrix(10, 12) }},
		{"op 0 Embed: the matrices of Table: 2", func(l *layer) { l.embed.Table = p.matrices(2, 10, 16) }},
		{"op 0 Embed: Scale: NaN", func(l *layer) { l.embed.Scale = nan }},
		{"op 1 RMSNorm: the columns of Weight: 8", func(l *layer) { l.norm.Weight = p.vector(8) }},
		{"op 1 RMSNorm: the rows of Weight: 2", func(l *layer) { l.norm.Weight = p.matrix(2, 16) }},
		{"op 1 RMSNorm: X.Width: 12", func(l *layer) { l.norm.X.Width = 12 }},
		{"op 1 RMSNorm: X: one of X and Out", func(l *layer) { l.norm.X = l.gather.Out }},
		{"op 1 RMSNorm: Out: overlaps Residual", func(l *layer) { l.norm.Residual = &l.norm.Out }},
		{"op 1 RMSNorm: X: overlaps Residual", func(l *layer) { l.norm.Residual = &l.norm.X }},
		{"op 1 RMSNorm: Groups: 3", func(l *layer) { l.norm.Groups = 3 }},
		{"op 1 RMSNorm: Groups: -1", func(l *layer) { l.norm.Groups = -1 }},
		{"op 1 RMSNorm: Groups: 4611686018427387904", func(l *layer) { l.norm.Groups = 1 << 62 }},
		{"op 1 RMSNorm: Epsilon: -1", func(l *layer) { l.norm.Epsilon = -1 }},
		{"op 2 MatMul: the columns of Weight: 12", func(l *layer) { l.qkv.Weight = p.matrix(32, 12) }},
		{"op 2 MatMul: Out.Width: 32, but the rows of Weight is 28", func(l *layer) { l.qkv.Weight = p.matrix(28, 16) }},
		{"op 2 MatMul: the matrices of Weight: 3, but what the operation takes is 1", func(l *layer) { l.qkv.Weight = p.matrices(3, 32, 16) }},
		{"op 2 MatMul: the columns of Bias: 4", func(l *layer) { l.qkv.Bias = p.vector(4) }},
		{"op 5 MatMul: Out: overlaps X", func(l *layer) { l.out.Out, l.out.Weight = l.out.X, p.matrix(16, 16) }},
		{"op 9 MatMul: X: one of X and Out", func(l *layer) { l.head.X = rows }},
		{"op 3 Rope: Cache: the program has none", func(l *layer) { l.Cache = nil }},
		{"op 3 Rope: Layer: 2 is not in 0 to 1", func(l *layer) { l.rope.Layer = 2 }},
		{"op 3 Rope: HeadDim: 4", func(l *layer) { l.rope.HeadDim = 4 }},
		{"op 3 Rope: HeadCountKV: 2", func(l *layer) { l.rope.HeadCountKV = 2 }},
		{"op 3 Rope: HeadCount: 0", func(l *layer) { l.rope.HeadCount = 0 }},
		{"op 3 Rope: Query.Width: 16, but heads * HeadDim is 24", func(l *layer) { l.rope.HeadCount = 3 }},
		{"op 3 Rope: Query: overlaps Key", func(l *layer) { l.rope.Key.Offset = 8 }},
		{"op 3 Rope: Key: overlaps Value", func(l *layer) { l.rope.Value = l.rope.Key }},
		{"op 3 Rope: Dimensions: 10", func(l *layer) { l.rope.Dimensions = 10 }},
		{"op 3 Rope: Dimensions: 7 is odd", func(l *layer) { l.rope.Dimensions = 7 }},
		{"op 3 Rope: Table: is nil", func(l *layer) { l.rope.Table = nil }},
		{"op 3 Rope: the matrices of Table: 2", func(l *layer) { l.rope.Table = p.matrices(2, 1, 400) }},
		{"op 3 Rope: Table: is given", func(l *layer) { l.rope.Dimensions = 0 }},
		{"op 3 Rope: Table: 399 elements", func(l *layer) { l.rope.Table = p.vector(399) }},
		{"op 3 Rope: Mode: 2", func(l *layer) { l.rope.Mode = 2 }},
		{"op 4 Attention: Layer: -1", func(l *layer) { l.attention.Layer = -1 }},
		{"op 4 Attention: Out: overlaps Query", func(l *layer) { l.attention.Out = l.attention.Query }},
		{"op 4 Attention: Window: -1", func(l *layer) { l.attention.Window = -1 }},
		{"op 4 Attention: SoftCap: -1", func(l *layer) { l.attention.SoftCap = -1 }},
		{"op 4 Attention: Scale: NaN", func(l *layer) { l.attention.Scale = nan }},
		{"op 6 GLU: Activation: 3", func(l *layer) { l.glu.Activation = 3 }},
		{"op 6 GLU: Out: overlaps Gate", func(l *layer) { l.glu.Out = l.glu.Gate }},
		{"op 6 GLU: Up.Width: 8", func(l *layer) { l.glu.Up.Width = 8 }},
		{"op 7 Add: Out: overlaps X", func(l *layer) {
			l.add.Out, l.add.X, l.add.Y = l.out.Out.Slice(4, 16), l.out.Out.Slice(0, 16), rows
		}},
		{"op 8 Gather: X: is of outputs", func(l *layer) { l.gather.X = l.gather.Out }},
		{"op 8 Gather: Out: is of rows", func(l *layer) { l.gather.Out = rows }},
		{"op 8 Gather: X.Width: 12", func(l *layer) { l.gather.X.Width = 12 }},
		{"op 10 TopK: Logits: is of rows", func(l *layer) { l.topK.Logits = rows }},
		{"op 10 TopK: K: 0", func(l *layer) { l.topK.K = 0 }},
		{"op 10 TopK: K: 11 is not in 1 to 10", func(l *layer) { l.topK.K = 11 }},
	} {
		l := p.layer()
		test.change(l)
		expect(t, l.Program, l.Check(16), device.ErrProgram, test.want)
	}
}

// expect holds the error of a check against what it has to say; "" is none.
func expect(t *testing.T, p *device.Program, err, sentinel error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("what is good fails: %v", err)
	case want != "" && (!errors.Is(err, sentinel) ||
		!strings.HasPrefix(err.Error(), fmt.Sprintf("device: program %q: ", p.Name)) || !strings.Contains(err.Error(), want)):
		t.Errorf("got %v, want %q", err, want)
	}
}

func goodStep() *device.Step {
	return &device.Step{
		Tokens:      []int32{9, 3, 0},
		Positions:   []int32{32, 33, 0},
		Sequences:   []int32{0, 0, 1},
		BlockTables: [][]int32{{5, 0}, {2}},
		Lengths:     []int32{34, 1},
		Outputs:     []int32{1, 2},
		Samplers:    make([]device.Sampler, 2),
	}
}

func TestCheckStep(t *testing.T) {
	p := newParts(t)
	l := p.layer()
	if err := l.Check(16); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		want   string // in the error; "" for none
		change func(s *device.Step)
	}{
		{"", func(s *device.Step) {}},
		{"", func(s *device.Step) { s.Outputs, s.Samplers = nil, nil }},
		{"", func(s *device.Step) { s.Outputs[0] = 2 }},
		{"", func(s *device.Step) { s.Positions[1], s.Lengths[0] = 49, 50 }},
		{"Tokens: 0 rows", func(s *device.Step) { *s = device.Step{} }},
		{"Tokens: 9 rows are not in 1 to 8", func(s *device.Step) { s.Tokens = make([]int32, 9) }},
		{"Positions: 2 of them for 3", func(s *device.Step) { s.Positions = s.Positions[:2] }},
		{"Sequences: 4 of them for 3", func(s *device.Step) { s.Sequences = make([]int32, 4) }},
		{"Tokens[1]: 10, but the embedding table has 10 rows", func(s *device.Step) { s.Tokens[1] = 10 }},
		{"Tokens[2]: Chosen(0), but the step before chose 0", func(s *device.Step) { s.Tokens[2] = device.Chosen(0) }},
		{"Tokens[2]: Chosen(2147483647)", func(s *device.Step) { s.Tokens[2] = math.MinInt32 }},
		{"Positions[0]: -1 is negative", func(s *device.Step) { s.Positions[0] = -1 }},
		{"Positions[1]: 50, but the shortest table of positions has 50", func(s *device.Step) { s.Positions[1], s.Lengths[0] = 50, 51 }},
		{"Positions[1]: 33, but Lengths[0] is 33", func(s *device.Step) { s.Lengths[0] = 33 }},
		{"Sequences[2]: 2 of 2", func(s *device.Step) { s.Sequences[2] = 2 }},
		{"Sequences[0]: -1 of 2", func(s *device.Step) { s.Sequences[0] = -1 }},
		{"BlockTables: 3 sequences, at most 2", func(s *device.Step) { s.BlockTables = append(s.BlockTables, nil) }},
		{"BlockTables[1]: 4 pages, at most 3", func(s *device.Step) { s.BlockTables[1] = make([]int32, 4) }},
		{"BlockTables[0][1]: page 6 of 6", func(s *device.Step) { s.BlockTables[0][1] = 6 }},
		{"BlockTables[0][0]: page -1 of 6", func(s *device.Step) { s.BlockTables[0][0] = -1 }},
		{"Lengths: 1 of them for 2", func(s *device.Step) { s.Lengths = s.Lengths[:1] }},
		{"Lengths[1]: 33 tokens in 1 pages", func(s *device.Step) { s.Lengths[1] = 33 }},
		{"Lengths[1]: -1 tokens", func(s *device.Step) { s.Lengths[1] = -1 }},
		{"Outputs: 5 of them, at most 4", func(s *device.Step) { s.Outputs = make([]int32, 5) }},
		{"Outputs[1]: row 3 of 3", func(s *device.Step) { s.Outputs[1] = 3 }},
		{"Outputs[0]: row -1 of 3", func(s *device.Step) { s.Outputs[0] = -1 }},
		{"Samplers: 1 of them for 2", func(s *device.Step) { s.Samplers = s.Samplers[:1] }},
		{"Samplers: 0 of them for 2", func(s *device.Step) { s.Samplers = nil }},
	} {
		s := goodStep()
		test.change(s)
		expect(t, l.Program, l.CheckStep(s), device.ErrStep, test.want)
	}
}

// TestCheckStepChosen takes as many Chosen tokens as the step before had
// outputs: four, then two.
func TestCheckStepChosen(t *testing.T) {
	p := newParts(t)
	l := p.layer()
	e, err := p.device.Compile(l.Program)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []int{4, 2} {
		before := goodStep()
		before.Outputs, before.Samplers = make([]int32, m), make([]device.Sampler, m)
		if err := e.Submit(before); err != nil {
			t.Fatal(err)
		}
		after := goodStep()
		after.Tokens[0] = device.Chosen(m - 1)
		if err := l.CheckStep(after); err != nil {
			t.Errorf("Chosen(%d) of %d: %v", m-1, m, err)
		}
		after.Tokens[0] = device.Chosen(m)
		if err := l.CheckStep(after); !errors.Is(err, device.ErrStep) {
			t.Errorf("Chosen(%d) of %d: %v", m, m, err)
		}
	}
}

// TestCheckStepWithoutCache leaves sequences out.
func TestCheckStepWithoutCache(t *testing.T) {
	p := newParts(t)
	program := &device.Program{Rows: 2, Outputs: 2}
	program.Add(&device.Embed{Out: program.NewBuffer(16), Table: p.matrix(10, 16)})
	if err := program.Check(2); err != nil {
		t.Fatal(err)
	}
	s := &device.Step{Tokens: []int32{1, 2}, Positions: make([]int32, 2), Sequences: make([]int32, 2), Outputs: []int32{0}}
	if err := program.CheckStep(s); err != nil {
		t.Error(err)
	}
	s.Tokens[0] = device.Chosen(0)
	if err := program.CheckStep(s); !errors.Is(err, device.ErrStep) {
		t.Errorf("a Chosen token without a cache: %v", err)
	}
}

func TestCheckStepAllocatesNothing(t *testing.T) {
	l, s := newParts(t).layer(), goodStep()
	if n := testing.AllocsPerRun(100, func() {
		if err := l.CheckStep(s); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
