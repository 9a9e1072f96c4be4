package engine_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/sample"
)

// tensors returns a Tensors of an engine.
func tensors(t *testing.T, e *engine.Engine, l engine.TensorLimits) *engine.Tensors {
	t.Helper()
	x, err := e.NewTensors(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// buffer returns a buffer of so many elements with values at its beginning.
func buffer(t *testing.T, x *engine.Tensors, elements int, values ...float32) *engine.Buffer {
	t.Helper()
	b, err := x.NewBuffer(int64(4*elements), engine.DtypeF32)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Write(0, encode(values)); err != nil {
		t.Fatal(err)
	}
	return b
}

func encode(values []float32) []byte {
	var p []byte
	for _, v := range values {
		p = binary.LittleEndian.AppendUint32(p, math.Float32bits(v))
	}
	return p
}

// values reads elements of a buffer.
func values(t *testing.T, b *engine.Buffer, from, n int) []float32 {
	t.Helper()
	p := make([]byte, 4*n)
	if err := b.Read(int64(4*from), p); err != nil {
		t.Fatal(err)
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(p[4*i:]))
	}
	return v
}

// perform runs a list.
func perform(t *testing.T, x *engine.Tensors, ops ...engine.TensorOp) {
	t.Helper()
	run, err := x.Start(t.Context(), ops)
	if err == nil {
		err = run.Wait(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// nmse is the normalised mean square error of a against b.
func nmse(a, b []float32) float64 {
	var difference, square float64
	for i := range b {
		d := float64(a[i]) - float64(b[i])
		difference += d * d
		square += float64(b[i]) * float64(b[i])
	}
	return difference / square
}

// transformer is atlas, put together from single operations.
type transformer struct {
	t        *testing.T
	model    *engine.Model
	tensors  *engine.Tensors
	sequence *engine.TensorSequence
	weights  map[string]*engine.Weight

	x, norm, qkv, attended, out, gate, up, hidden, logits *engine.Buffer
}

func newTransformer(t *testing.T, m *engine.Model, x *engine.Tensors, rows int) *transformer {
	s, err := m.NewTensorSequence()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c := m.Config()
	heads, kv := c.HeadCount*c.HeadDim, c.HeadCountKV*c.HeadDim
	f := &transformer{t: t, model: m, tensors: x, sequence: s, weights: map[string]*engine.Weight{}}
	f.x, f.norm, f.out = buffer(t, x, rows*c.EmbeddingLength), buffer(t, x, rows*c.EmbeddingLength), buffer(t, x, rows*c.EmbeddingLength)
	f.qkv, f.attended = buffer(t, x, rows*(heads+2*kv)), buffer(t, x, rows*heads)
	f.gate, f.up, f.hidden = buffer(t, x, rows*c.FeedForwardLength), buffer(t, x, rows*c.FeedForwardLength), buffer(t, x, rows*c.FeedForwardLength)
	f.logits = buffer(t, x, (c.VocabularySize+3)&^3)
	return f
}

func (f *transformer) weight(name string) *engine.Weight {
	w, ok := f.weights[name]
	if !ok {
		var err error
		if w, err = f.model.Weight(name); err != nil {
			f.t.Fatal(err)
		}
		f.weights[name] = w
	}
	return w
}

// forward reads tokens from a position on; the last operation has the three best of
// the logits of the last one, all of which are in f.logits.
func (f *transformer) forward(tokens []int32, position int) []engine.TensorOp {
	c := f.model.Config()
	rows, width := len(tokens), c.EmbeddingLength
	heads, kv := c.HeadCount*c.HeadDim, c.HeadCountKV*c.HeadDim
	view := func(b *engine.Buffer) engine.TensorView { return engine.TensorView{Buffer: b} }
	part := func(offset int) engine.TensorView {
		return engine.TensorView{Buffer: f.qkv, Offset: offset, Stride: heads + 2*kv}
	}
	var ops []engine.TensorOp
	add := func(o engine.TensorOp) {
		if o.Rows == 0 {
			o.Rows = rows
		}
		ops = append(ops, o)
	}
	add(engine.TensorOp{Kind: engine.TensorEmbed, Width: width, Out: view(f.x), Weight: f.weight("token_embd.weight"), IDs: tokens})
	for l := range c.BlockCount {
		name := func(s string) *engine.Weight { return f.weight(fmt.Sprintf("blk.%d.%s.weight", l, s)) }
		norm := engine.TensorOp{Kind: engine.TensorRMSNorm, Width: width, Out: view(f.norm), X: view(f.x), Weight: name("attn_norm"), Epsilon: c.Epsilon}
		if l > 0 {
			norm.Y = view(f.out)
		}
		add(norm)
		for i, w := range []string{"attn_q", "attn_k", "attn_v"} {
			o := engine.TensorOp{Kind: engine.TensorMatMul, Width: kv, Out: part(heads + (i-1)*kv), X: view(f.norm), Weight: name(w)}
			if i == 0 {
				o.Width, o.Out = heads, part(0)
			}
			add(o)
		}
		add(engine.TensorOp{Kind: engine.TensorRope, Width: heads, X: part(0), Y: part(heads), Z: part(heads + kv), Sequence: f.sequence, Layer: l, Position: position})
		add(engine.TensorOp{Kind: engine.TensorAttention, Width: heads, Out: view(f.attended), X: part(0), Sequence: f.sequence, Layer: l, Position: position,
			Scale: float32(1 / math.Sqrt(float64(c.HeadDim)))})
		add(engine.TensorOp{Kind: engine.TensorMatMul, Width: width, Out: view(f.out), X: view(f.attended), Weight: name("attn_output")})
		add(engine.TensorOp{Kind: engine.TensorRMSNorm, Width: width, Out: view(f.norm), X: view(f.x), Y: view(f.out), Weight: name("ffn_norm"), Epsilon: c.Epsilon})
		add(engine.TensorOp{Kind: engine.TensorMatMul, Width: c.FeedForwardLength, Out: view(f.gate), X: view(f.norm), Weight: name("ffn_gate")})
		add(engine.TensorOp{Kind: engine.TensorMatMul, Width: c.FeedForwardLength, Out: view(f.up), X: view(f.norm), Weight: name("ffn_up")})
		add(engine.TensorOp{Kind: engine.TensorGLU, Width: c.FeedForwardLength, Out: view(f.hidden), X: view(f.gate), Y: view(f.up), Activation: device.SiLU})
		add(engine.TensorOp{Kind: engine.TensorMatMul, Width: width, Out: view(f.out), X: view(f.hidden), Weight: name("ffn_down")})
	}
	add(engine.TensorOp{Kind: engine.TensorRMSNorm, Width: width, Out: view(f.norm), X: view(f.x), Y: view(f.out), Weight: f.weight("output_norm.weight"), Epsilon: c.Epsilon})
	last := engine.TensorView{Buffer: f.norm, Offset: (rows - 1) * width}
	output := "output.weight"
	if _, err := f.model.Weight(output); err != nil {
		output = "token_embd.weight" // tied
	}
	add(engine.TensorOp{Kind: engine.TensorMatMul, Rows: 1, Width: c.VocabularySize, Out: view(f.logits), X: last, Weight: f.weight(output)})
	add(engine.TensorOp{Kind: engine.TensorTopK, Rows: 1, Width: c.VocabularySize, X: view(f.logits), K: 3})
	return ops
}

// TestTensorsTransformer writes an answer with a forward pass of single operations.
// Its logits are the engine's, of the prompt and of every token.
func TestTensorsTransformer(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{Context: 256})
		x := tensors(t, e, engine.TensorLimits{})
		tokens := m.Encode(question, true)
		f := newTransformer(t, m, x, len(tokens))
		s := ask(t, m, question)
		vocab := m.Config().VocabularySize
		position, next := 0, tokens
		var ids []int32
		for range 8 {
			ops := f.forward(next, position)
			perform(t, x, ops...)
			want, err := s.Logits(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if d := nmse(values(t, f.logits, 0, vocab), want); !(d < 1e-10) {
				t.Fatalf("logits of position %d differ from the engine's by %g", position, d)
			}
			best := ops[len(ops)-1].Top[0].ID
			ids = append(ids, best)
			position += len(next)
			next = []int32{best}
			if err := s.Append(best); err != nil {
				t.Fatal(err)
			}
		}
		if text := m.Tokenizer().Decode(ids, following); len(text) < 8 || text[:8] != answer[:8] {
			t.Errorf("wrote %q, want the beginning of %q", text, answer)
		}
		// A list of the prompt, which is two steps, and one of a token.
		if stats := x.Stats(); stats.Compiles != 3 || stats.Programs != 3 {
			t.Errorf("%+v, want 3 programs", stats)
		}
		if n := f.sequence.Len(); n != position {
			t.Errorf("the sequence has %d tokens, want %d", n, position)
		}
	})
}

// TestTensorsContinue goes on from what a step has read, and forks.
func TestTensorsContinue(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{Context: 256})
		x := tensors(t, e, engine.TensorLimits{})
		f := newTransformer(t, m, x, 4)
		free := m.CacheUsage().Free
		s := ask(t, m, question)
		want, err := s.Logits(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		tokens := s.Tokens()
		n := len(tokens)
		if f.sequence, err = s.Tensors(); err != nil {
			t.Fatal(err)
		}
		if err := f.sequence.Truncate(n - 1); err != nil {
			t.Fatal(err)
		}
		fork, err := f.sequence.Fork()
		if err != nil {
			t.Fatal(err)
		}
		perform(t, x, f.forward([]int32{7}, n-1)...) // something else
		other := values(t, f.logits, 0, len(want))
		f.sequence.Close()
		f.sequence = fork
		perform(t, x, f.forward(tokens[n-1:], n-1)...)
		if d := nmse(values(t, f.logits, 0, len(want)), want); !(d < 1e-10) {
			t.Errorf("logits behind a prefix of the engine's differ by %g", d)
		}
		if d := nmse(other, want); d < 1e-3 {
			t.Errorf("another token has the same logits")
		}
		// What the engine has is as it was.
		again := ask(t, m, question)
		got, err := again.Logits(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d := nmse(got, want); d != 0 {
			t.Errorf("the engine's logits have changed by %g", d)
		}
		again.Close()
		s.Close()
		fork.Close()
		if now := m.CacheUsage().Free; now != free {
			t.Errorf("%d pages are free, %d were before", now, free)
		}
	})
}

// TestTensorsOps has each of the other operations.
func TestTensorsOps(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		m := load(t, e, engine.LoadOptions{Context: 64})
		x := tensors(t, e, engine.TensorLimits{})
		at := func(b *engine.Buffer) engine.TensorView { return engine.TensorView{Buffer: b} }
		a := buffer(t, x, 8, 1, 2, 3, 4, -1, 0, 1, 2)
		b := buffer(t, x, 8, 10, 20, 30, 40, 50, 60, 70, 80)
		out := buffer(t, x, 8)
		check := func(name string, got []float32, want ...float64) {
			t.Helper()
			for i := range want {
				if math.Abs(float64(got[i])-want[i]) > 1e-5*(1+math.Abs(want[i])) {
					t.Errorf("%s: %v, want %v", name, got, want)
					return
				}
			}
		}
		perform(t, x, engine.TensorOp{Kind: engine.TensorAdd, Rows: 2, Width: 4, Out: at(out), X: at(a), Y: at(b)})
		check("add", values(t, out, 0, 8), 11, 22, 33, 44, 49, 60, 71, 82)
		perform(t, x, engine.TensorOp{Kind: engine.TensorGather, Rows: 3, Width: 4, Out: at(buffer(t, x, 12)), X: at(b), IDs: []int32{1, 0, 1}},
			engine.TensorOp{Kind: engine.TensorGather, Rows: 2, Width: 4, Out: at(out), X: at(b), IDs: []int32{1, 0}})
		check("gather", values(t, out, 0, 8), 50, 60, 70, 80, 10, 20, 30, 40)
		perform(t, x, engine.TensorOp{Kind: engine.TensorSoftmax, Rows: 2, Width: 4, Out: at(out), X: at(a), Causal: true, Position: 1})
		check("causal softmax", values(t, out, 0, 8), 1/(1+math.E), math.E/(1+math.E), 0, 0,
			math.Exp(-2)/(math.Exp(-2)+math.Exp(-1)+1), math.Exp(-1)/(math.Exp(-2)+math.Exp(-1)+1), 1/(math.Exp(-2)+math.Exp(-1)+1), 0)
		perform(t, x, engine.TensorOp{Kind: engine.TensorGLU, Rows: 1, Width: 4, Out: at(out), X: at(a), Activation: device.GELU})
		check("glu", values(t, out, 0, 4), 0.841344746, 1.95449974, 2.99595031, 3.99987332)
		perform(t, x, engine.TensorOp{Kind: engine.TensorSoftCap, Rows: 1, Width: 4, X: at(out), SoftCap: 2})
		check("soft_cap", values(t, out, 0, 1), 2*math.Tanh(0.841344746/2))
		sampler, err := m.NewSampler(sample.Spec{LogitBias: map[int32]float32{2: 1000}})
		if err != nil {
			t.Fatal(err)
		}
		wide := make([]float32, m.Config().VocabularySize)
		wide[5], wide[2] = 3, -2
		logits := buffer(t, x, (len(wide)+3)&^3, wide...)
		ops := []engine.TensorOp{
			{Kind: engine.TensorTopK, Rows: 2, Width: 4, X: at(a), K: 2},
			{Kind: engine.TensorSample, Rows: 1, Width: len(wide), X: at(logits)},
			{Kind: engine.TensorSample, Rows: 1, Width: len(wide), X: at(logits), Sampler: sampler},
		}
		perform(t, x, ops...)
		if top := ops[0].Top; len(top) != 4 || top[0] != (engine.TensorCandidate{ID: 3, Logit: 4}) || top[3] != (engine.TensorCandidate{ID: 2, Logit: 1}) {
			t.Errorf("top_k: %v", top)
		}
		if ops[1].Chosen[0] != 5 || ops[2].Chosen[0] != 2 {
			t.Errorf("sample: %v without a sampler and %v with a bias, want 5 and 2", ops[1].Chosen, ops[2].Chosen)
		}
	})
}

// TestTensorsRefuses has lists that cannot be.
func TestTensorsRefuses(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	m := load(t, e, engine.LoadOptions{Context: 64})
	x := tensors(t, e, engine.TensorLimits{Bytes: 1 << 12, Buffers: 4})
	other := tensors(t, e, engine.TensorLimits{})
	a, b := buffer(t, x, 16), buffer(t, x, 16)
	foreign := buffer(t, other, 16)
	at := func(b *engine.Buffer) engine.TensorView { return engine.TensorView{Buffer: b} }
	s, err := m.NewTensorSequence()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := m.Config()
	heads := c.HeadCount * c.HeadDim
	norm, err := m.Weight("output_norm.weight")
	if err != nil {
		t.Fatal(err)
	}
	wide := buffer(t, x, heads)
	for name, o := range map[string]engine.TensorOp{
		"no kind":             {Rows: 1, Width: 4},
		"no rows":             {Kind: engine.TensorAdd, Width: 4, Out: at(a), X: at(a), Y: at(b)},
		"rows past the end":   {Kind: engine.TensorAdd, Rows: 5, Width: 4, Out: at(a), X: at(a), Y: at(b)},
		"an odd width":        {Kind: engine.TensorAdd, Rows: 1, Width: 5, Out: at(a), X: at(a), Y: at(b)},
		"a huge offset":       {Kind: engine.TensorAdd, Rows: 1, Width: 4, Out: engine.TensorView{Buffer: a, Offset: math.MaxInt32 &^ 3}, X: at(a), Y: at(b)},
		"a negative offset":   {Kind: engine.TensorAdd, Rows: 1, Width: 4, Out: engine.TensorView{Buffer: a, Offset: -4}, X: at(a), Y: at(b)},
		"overlapping":         {Kind: engine.TensorAdd, Rows: 1, Width: 8, Out: engine.TensorView{Buffer: a, Offset: 4}, X: at(a), Y: at(b)},
		"nothing to read":     {Kind: engine.TensorAdd, Rows: 1, Width: 4, Out: at(a), X: at(a)},
		"another's buffer":    {Kind: engine.TensorAdd, Rows: 1, Width: 4, Out: at(a), X: at(a), Y: at(foreign)},
		"ids past the rows":   {Kind: engine.TensorGather, Rows: 1, Width: 4, Out: at(a), X: at(b), IDs: []int32{4}},
		"ids missing":         {Kind: engine.TensorGather, Rows: 2, Width: 4, Out: at(a), X: at(b), IDs: []int32{1}},
		"a vector as matrix":  {Kind: engine.TensorMatMul, Rows: 1, Width: 4, Out: at(a), X: at(b), Weight: norm},
		"no weight":           {Kind: engine.TensorMatMul, Rows: 1, Width: 4, Out: at(a), X: at(b)},
		"no sequence":         {Kind: engine.TensorAttention, Rows: 1, Width: heads, Out: at(a), X: at(wide)},
		"a layer too many":    {Kind: engine.TensorAttention, Rows: 1, Width: heads, Out: at(a), X: at(wide), Sequence: s, Layer: c.BlockCount},
		"past the context":    {Kind: engine.TensorAttention, Rows: 1, Width: heads, Out: at(a), X: at(wide), Sequence: s, Position: 64},
		"k over the width":    {Kind: engine.TensorTopK, Rows: 1, Width: 4, X: at(a), K: 5},
		"a scale that is NaN": {Kind: engine.TensorSoftmax, Rows: 1, Width: 4, Out: at(a), X: at(a), Scale: float32(math.NaN())},
	} {
		if _, err := x.Start(t.Context(), []engine.TensorOp{o}); !errors.Is(err, engine.ErrTensor) {
			t.Errorf("%s: %v, want ErrTensor", name, err)
		}
	}
	if _, err := x.Start(t.Context(), make([]engine.TensorOp, engine.MaxTensorOps+1)); !errors.Is(err, engine.ErrTensorLimit) {
		t.Errorf("too many operations: %v", err)
	}
	if _, err := x.NewBuffer(1<<12, engine.DtypeF32); !errors.Is(err, engine.ErrTensorLimit) {
		t.Errorf("too many bytes: %v", err)
	}
	buffer(t, x, 4)
	if _, err := x.NewBuffer(16, engine.DtypeF32); !errors.Is(err, engine.ErrTensorLimit) {
		t.Errorf("too many buffers: %v", err)
	}
	if err := a.Write(60, make([]byte, 8)); !errors.Is(err, engine.ErrTensor) {
		t.Errorf("a write past the end: %v", err)
	}
	if err := a.Read(-4, make([]byte, 4)); !errors.Is(err, engine.ErrTensor) {
		t.Errorf("a read before the beginning: %v", err)
	}
	if _, err := m.Weight("blk.99.attn_q.weight"); !errors.Is(err, engine.ErrNoWeight) {
		t.Errorf("a weight that is not there: %v", err)
	}
	// What is only known when its turn comes.
	run, err := other.Start(t.Context(), []engine.TensorOp{{Kind: engine.TensorAttention, Rows: 1, Width: heads,
		Out: at(buffer(t, other, heads)), X: at(buffer(t, other, heads)), Sequence: s, Position: 3}})
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(t.Context()); !errors.Is(err, engine.ErrTensor) {
		t.Errorf("attention over what was not written: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if run, err = other.Start(ctx, []engine.TensorOp{{Kind: engine.TensorSoftCap, Rows: 1, Width: 4, X: at(foreign), SoftCap: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("a list that was cancelled: %v", err)
	}
	b.Release()
	if _, err := x.Start(t.Context(), []engine.TensorOp{{Kind: engine.TensorAdd, Rows: 1, Width: 4, Out: at(a), X: at(a), Y: at(b)}}); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("a released buffer: %v", err)
	}
}
