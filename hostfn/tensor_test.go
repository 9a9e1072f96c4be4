package hostfn_test

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

// buffer makes a buffer of float32s with values at its beginning.
func (r *rig) buffer(elements int, values ...float32) uint64 {
	r.t.Helper()
	b := r.handle("buf_new", uint64(4*elements), abi.DtypeF32)
	if len(values) > 0 {
		r.must("buf_write", b, 0, r.floats(values...), uint64(4*len(values)))
	}
	return b
}

// values reads elements of a buffer.
func (r *rig) values(b uint64, from, n int) []float32 {
	r.t.Helper()
	at := r.alloc(4 * n)
	r.must("buf_read", b, uint64(4*from), at, uint64(4*n))
	r.only(span{at, uint64(4 * n)})
	return r.reals(at, n)
}

// ops runs operations, and returns where wait wrote to.
func (r *rig) ops(all ...fields) []span {
	r.t.Helper()
	which := r.alloc(8)
	ticket := r.ticket("ops", r.put(encode("op", all...)), uint64(len(all)))
	r.must("wait", r.numbers(ticket), 1, forever, which)
	return r.writes[1:]
}

// weight opens a weight.
func (r *rig) weight(m uint64, name string) uint64 {
	r.t.Helper()
	at, n := r.text(name)
	return r.handle("weight_open", m, at, n)
}

func near(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) <= 1e-5*(1+math.Abs(float64(y))) })
}

func TestOps(t *testing.T) {
	r := begin(t)
	a := r.buffer(8, 1, 2, 3, 4, -1, 0, 1, 2)
	b := r.buffer(8, 10, 20, 30, 40, 50, 60, 70, 80)
	out := r.buffer(8)
	ids, _ := r.ids([]int32{1, 0})
	for name, c := range map[string]struct {
		op   fields
		want []float32
	}{
		"add":     {fields{"op": abi.OpAdd, "rows": 2, "width": 4, "out": out, "x": a, "y": b}, []float32{11, 22, 33, 44, 49, 60, 71, 82}},
		"gather":  {fields{"op": abi.OpGather, "rows": 2, "width": 4, "out": out, "x": b, "ids": ids}, []float32{50, 60, 70, 80, 10, 20, 30, 40}},
		"softmax": {fields{"op": abi.OpSoftmax, "rows": 1, "width": 4, "out": out, "x": a}, []float32{0.0320586, 0.08714432, 0.23688282, 0.64391426}},
		"glu":     {fields{"op": abi.OpGLU, "rows": 1, "width": 4, "out": out, "x": a, "activation": 2}, []float32{0.8413447, 1.9544997, 2.9959502, 3.9998732}},
	} {
		if r.ops(c.op); !near(r.values(out, 0, len(c.want)), c.want) {
			t.Errorf("%s is %v, want %v", name, r.values(out, 0, len(c.want)), c.want)
		}
	}
	// A buffer is of zeros, and of integers too.
	whole := r.handle("buf_new", 16, abi.DtypeI32)
	if v := r.values(whole, 0, 4); !slices.Equal(v, make([]float32, 4)) {
		t.Errorf("a new buffer has %v", v)
	}
}

// TestOpsWeight compares columns of a weight with its rows.
func TestOpsWeight(t *testing.T) {
	r := begin(t)
	m := r.open()
	w := r.weight(m, "token_embd.weight")
	config := r.house.model.Config()
	width, vocabulary := config.EmbeddingLength, config.VocabularySize
	const column, row = 17, 99
	hot := make([]float32, width)
	hot[column] = 1
	x, rows, columns := r.buffer(width, hot...), r.buffer(width), r.buffer(vocabulary)
	ids, _ := r.ids([]int32{row})
	r.ops(fields{"op": abi.OpEmbed, "rows": 1, "width": width, "out": rows, "weight": w, "ids": ids},
		fields{"op": abi.OpMatMul, "rows": 1, "width": vocabulary, "out": columns, "x": x, "weight": w})
	a, b := r.values(rows, column, 1), r.values(columns, row, 1)
	if !near(a, b) || a[0] == 0 {
		t.Errorf("element %d of row %d is %v, and in the column %v", column, row, a, b)
	}
}

// TestOpsResults has the operations that tell something.
func TestOpsResults(t *testing.T) {
	r := begin(t)
	m := r.open()
	vocabulary := r.house.model.Config().VocabularySize
	values := make([]float32, vocabulary)
	values[5], values[2], values[9] = 3, -2, 7
	logits := r.buffer(vocabulary, values...)
	top, greedy, biased := r.alloc(2*abi.CandidateSize), r.alloc(4), r.alloc(4)
	s := r.sampler(m, fields{"bias": r.biases(abi.Candidate{Token: 2, Value: 1000}), "bias_count": 1})
	writes := r.ops(
		fields{"op": abi.OpTopK, "rows": 1, "width": vocabulary, "x": logits, "k": 2, "result": top, "cap": 2 * abi.CandidateSize},
		fields{"op": abi.OpSample, "rows": 1, "width": vocabulary, "x": logits, "result": greedy, "cap": 4},
		fields{"op": abi.OpSample, "rows": 1, "width": vocabulary, "x": logits, "sampler": s, "result": biased, "cap": 4},
	)
	if want := []span{{top, 16}, {greedy, 4}, {biased, 4}}; !slices.Equal(writes, want) {
		t.Errorf("results were written to %v, want %v", writes, want)
	}
	if r.i32(top) != 9 || r.f32(top+4) != 7 || r.i32(top+8) != 5 || r.f32(top+12) != 3 {
		t.Errorf("top_k: %d %g, %d %g", r.i32(top), r.f32(top+4), r.i32(top+8), r.f32(top+12))
	}
	if r.i32(greedy) != 9 || r.i32(biased) != 2 {
		t.Errorf("sampled %d and with a bias %d, want 9 and 2", r.i32(greedy), r.i32(biased))
	}
	small := r.put(encode("op", fields{"op": abi.OpTopK, "rows": 1, "width": vocabulary, "x": logits, "k": 2, "result": top, "cap": 15}))
	which := r.alloc(8)
	r.want(abi.Toobig, "wait", r.numbers(r.ticket("ops", small, 1)), 1, forever, which)
	r.only(span{which, 8})
}

// TestOpsAttention writes two tokens' keys and values, and looks at both.
func TestOpsAttention(t *testing.T) {
	r := begin(t)
	m := r.open()
	s := r.sequence(m)
	c := r.house.model.Config()
	heads, kv := c.HeadCount*c.HeadDim, c.HeadCountKV*c.HeadDim
	first, second := make([]float32, kv), make([]float32, kv)
	for i := range kv {
		first[i], second[i] = float32(i%16), float32(i%16)+2
	}
	q, k, out := r.buffer(heads), r.buffer(2*kv), r.buffer(heads) // no query likes one key more than another
	attend := func(position int, v []float32) []float32 {
		r.must("buf_write", k, uint64(4*kv), r.floats(v...), uint64(4*kv))
		r.ops(fields{"op": abi.OpRope, "rows": 1, "width": heads, "x": q, "y": k, "z": k, "z_offset": kv, "sequence": s, "position": position},
			fields{"op": abi.OpAttention, "rows": 1, "width": heads, "out": out, "x": q, "sequence": s, "position": position})
		return r.values(out, 0, c.HeadDim)
	}
	middle := make([]float32, c.HeadDim)
	for i := range middle {
		middle[i] = first[i] + 1
	}
	if got := attend(0, first); !near(got, first[:c.HeadDim]) {
		t.Errorf("over one token: %v, want %v", got, first[:c.HeadDim])
	}
	// What not every layer has does not count.
	if n := r.length(s); n != 0 {
		t.Errorf("the sequence has %d tokens", n)
	}
	if got := attend(1, second); !near(got, middle) {
		t.Errorf("over two tokens: %v, want %v", got, middle)
	}
	attention := func(position int, sequence uint64) []byte {
		return encode("op", fields{"op": abi.OpAttention, "rows": 1, "width": heads, "out": out, "x": q, "sequence": sequence, "position": position})
	}
	which := r.alloc(8)
	r.want(abi.Inval, "wait", r.numbers(r.ticket("ops", r.put(attention(2, s)), 1)), 1, forever, which)
	r.want(abi.Inval, "ops", r.put(attention(c.ContextLength, s)), 1, r.alloc(8))
	// It is for operations alone from here on.
	at, n := r.ids(r.tokens(question))
	r.want(abi.Inval, "step", r.put(encode("row", fields{"sequence": s, "tokens": at, "n": n})), 1, r.alloc(8))
	r.want(abi.Inval, "draft", r.put([]byte{byte(s), 0, 0, 0}), 1, 4, 0, r.put(encode("draft", fields{})), r.alloc(8))
	r.want(abi.Inval, "seq_truncate", s, 1)
	fork := r.handle("seq_fork", s, 1)
	r.must("seq_truncate", fork, 0)
	r.must("close", s)
	r.want(abi.Badf, "ops", r.put(attention(0, s)), 1, r.alloc(8))
	r.want(abi.Badf, "ops", r.put(attention(0, m)), 1, r.alloc(8))
}

// TestOpsContinue goes on from what a step has read.
func TestOpsContinue(t *testing.T) {
	r := begin(t, limits(hostfn.Limits{Pages: 3}))
	m := r.open()
	s := r.sequence(m)
	r.read(s, make([]int32, 40))
	c := r.house.model.Config()
	heads, kv := c.HeadCount*c.HeadDim, c.HeadCountKV*c.HeadDim
	q, k := r.buffer(heads), r.buffer(2*kv)
	rope := func(position int) uint64 {
		return r.put(encode("op", fields{"op": abi.OpRope, "rows": 1, "width": heads, "x": q, "y": k, "z": k, "z_offset": kv, "sequence": s, "position": position}))
	}
	r.wait(r.ticket("ops", rope(40), 1))
	if n := r.length(s); n != 40 {
		t.Errorf("%d tokens are there, want 40", n)
	}
	// The pages that operations under way may take count at once.
	r.want(abi.Quota, "ops", rope(96), 1, r.alloc(8))
	held := r.ticket("ops", rope(41), 1)
	other := r.sequence(m)
	at, n := r.ids(make([]int32, 64))
	r.want(abi.Quota, "step", r.put(encode("row", fields{"sequence": other, "tokens": at, "n": n, "flags": abi.RowNoSample})), 1, r.alloc(8))
	r.wait(held)
	r.must("seq_truncate", s, 0)
	r.step(fields{"sequence": other, "tokens": at, "n": n, "flags": abi.RowNoSample})
}

func TestOpsRefused(t *testing.T) {
	r := begin(t)
	m := r.open()
	vector, matrix := r.weight(m, "output_norm.weight"), r.weight(m, "blk.0.attn_q.weight")
	width := r.house.model.Config().EmbeddingLength
	a, b := r.buffer(width), r.buffer(width)
	integers := r.handle("buf_new", 64, abi.DtypeI32)
	ids, _ := r.ids([]int32{9})
	for name, c := range map[string]struct {
		op   fields
		want abi.Errno
	}{
		"none":                {fields{"rows": 1, "width": 4}, abi.Inval},
		"another":             {fields{"op": 12, "rows": 1, "width": 4}, abi.Inval},
		"no rows":             {fields{"op": abi.OpAdd, "width": 4, "out": a, "x": a, "y": b}, abi.Inval},
		"endless rows":        {fields{"op": abi.OpGather, "rows": uint32(math.MaxUint32), "width": 4, "out": a, "x": b, "ids": ids}, abi.Inval},
		"endless width":       {fields{"op": abi.OpAdd, "rows": 1, "width": uint32(math.MaxUint32), "out": a, "x": a, "y": b}, abi.Inval},
		"an odd width":        {fields{"op": abi.OpAdd, "rows": 1, "width": 5, "out": a, "x": a, "y": b}, abi.Inval},
		"an endless offset":   {fields{"op": abi.OpAdd, "rows": 1, "width": 4, "out": a, "out_offset": uint32(math.MaxUint32 &^ 3), "x": a, "y": b}, abi.Inval},
		"an endless stride":   {fields{"op": abi.OpAdd, "rows": 2, "width": 4, "out": a, "out_stride": uint32(math.MaxUint32 &^ 3), "x": a, "y": b}, abi.Inval},
		"past the end":        {fields{"op": abi.OpAdd, "rows": 2, "width": 4, "out": a, "x": a, "y": b, "y_offset": width - 4}, abi.Inval},
		"no operand":          {fields{"op": abi.OpAdd, "rows": 1, "width": 4, "out": a, "x": a}, abi.Inval},
		"of integers":         {fields{"op": abi.OpAdd, "rows": 1, "width": 4, "out": a, "x": a, "y": integers}, abi.Inval},
		"no buffer":           {fields{"op": abi.OpAdd, "rows": 1, "width": 4, "out": a, "x": a, "y": 999}, abi.Badf},
		"a weight for one":    {fields{"op": abi.OpAdd, "rows": 1, "width": 4, "out": a, "x": a, "y": matrix}, abi.Badf},
		"a buffer for weight": {fields{"op": abi.OpMatMul, "rows": 1, "width": width, "out": a, "x": b, "weight": a}, abi.Badf},
		"a vector for matrix": {fields{"op": abi.OpMatMul, "rows": 1, "width": width, "out": a, "x": b, "weight": vector}, abi.Inval},
		"an id too large":     {fields{"op": abi.OpGather, "rows": 1, "width": width, "out": a, "x": b, "ids": ids}, abi.Inval},
		"no ids":              {fields{"op": abi.OpGather, "rows": 1, "width": width, "out": a, "x": b}, abi.Inval},
		"ids outside":         {fields{"op": abi.OpGather, "rows": 1, "width": width, "out": a, "x": b, "ids": r.Size() - 3}, abi.Fault},
		"a result outside":    {fields{"op": abi.OpTopK, "rows": 1, "width": 4, "x": a, "k": 1, "result": r.Size() - 4, "cap": 8}, abi.Fault},
		"k of nothing":        {fields{"op": abi.OpTopK, "rows": 1, "width": 4, "x": a}, abi.Inval},
		"k over the width":    {fields{"op": abi.OpTopK, "rows": 1, "width": 4, "x": a, "k": 5}, abi.Inval},
		"a scale that is NaN": {fields{"op": abi.OpSoftmax, "rows": 1, "width": 4, "out": a, "x": a, "scale": float32(math.NaN())}, abi.Inval},
		"a far activation":    {fields{"op": abi.OpGLU, "rows": 1, "width": 4, "out": a, "x": b, "activation": 99}, abi.Inval},
		"a model for sampler": {fields{"op": abi.OpSample, "rows": 1, "width": 4, "x": a, "sampler": m}, abi.Badf},
	} {
		fine := fields{"op": abi.OpAdd, "rows": 1, "width": 4, "out": a, "x": a, "y": b}
		if e := r.call("ops", r.put(encode("op", fine, c.op)), 2, r.alloc(8)); e != c.want {
			t.Errorf("%s: %v, want %v", name, e, c.want)
		}
		r.only()
	}
	fine := r.put(encode("op", fields{"op": abi.OpAdd, "rows": 1, "width": 4, "out": a, "x": a, "y": b}))
	r.want(abi.Inval, "ops", fine, 0, r.alloc(8))
	r.want(abi.Inval, "ops", fine, 4097, r.alloc(8))
	r.want(abi.Inval, "ops", r.put(encode("op", fields{"size": 4})), 1, r.alloc(8))
	missing, n := r.text("blk.9.attn_q.weight")
	r.want(abi.Noent, "weight_open", m, missing, n, r.alloc(4))
}

func TestBuffers(t *testing.T) {
	r := begin(t, limits(hostfn.Limits{BufferBytes: 4096, Handles: 3}))
	out := r.alloc(4)
	for _, c := range []struct {
		bytes uint64
		dtype uint64
		want  abi.Errno
	}{
		{0, 0, abi.Inval}, {15, 0, abi.Inval}, {24, 0, abi.Inval}, {16, 2, abi.Inval}, {16, 1<<32 - 1, abi.Inval},
		{4096 + 16, 0, abi.Quota}, {forever, 0, abi.Quota}, {forever &^ 15, 0, abi.Quota},
	} {
		r.want(c.want, "buf_new", c.bytes, c.dtype, out)
		r.only()
	}
	b := r.buffer(1024)
	r.want(abi.Quota, "buf_new", 16, 0, out)
	r.must("close", b)
	b = r.buffer(16, 1, 2, 3)
	p := r.alloc(64)
	for _, c := range []struct{ off, n uint64 }{
		{2, 4}, {0, 3}, {64, 4}, {60, 8}, {forever - 3, 8}, {4, forever - 3}, {0, 68}, {1 << 63, 0},
	} {
		r.want(abi.Inval, "buf_write", b, c.off, p, c.n)
		r.want(abi.Inval, "buf_read", b, c.off, p, c.n)
		r.only()
	}
	r.must("buf_write", b, 64, p, 0)
	r.must("buf_read", b, 64, r.Size(), 0)
	if v := r.values(b, 1, 2); !slices.Equal(v, []float32{2, 3}) {
		t.Errorf("the buffer has %v", v)
	}
	r.buffer(4)
	r.buffer(4)
	r.want(abi.Quota, "buf_new", 16, 0, out)
	r.must("close", b)
	r.want(abi.Badf, "buf_read", b, 0, p, 4)
}

// TestOpsOrder has writes and reads take their places among operations.
func TestOpsOrder(t *testing.T) {
	r := begin(t)
	a, b := r.buffer(4, 1, 1, 1, 1), r.buffer(4)
	add := r.put(encode("op", fields{"op": abi.OpAdd, "rows": 1, "width": 4, "out": b, "x": b, "y": a}))
	var tickets []uint64
	for i := range 8 {
		tickets = append(tickets, r.ticket("ops", add, 1))
		r.must("buf_write", a, 0, r.floats(float32(i)), 4)
	}
	if v := r.values(b, 0, 2); v[0] != 1+0+1+2+3+4+5+6 || v[1] != 8 {
		t.Errorf("the sums are %v", v)
	}
	for _, x := range tickets {
		r.must("cancel", x)
		r.wait(x) // all of them are done
	}
}

// TestOpsHeld has a guest that never waits.
func TestOpsHeld(t *testing.T) {
	r := begin(t, limits(hostfn.Limits{WallTime: time.Minute}))
	a, b := r.buffer(4), r.buffer(4)
	var many []fields
	for range 1024 {
		many = append(many, fields{"op": abi.OpAdd, "rows": 1, "width": 4, "out": a, "x": a, "y": b})
	}
	at, out := r.put(encode("op", many...)), r.alloc(8)
	n := 0
	for ; n < 100; n++ {
		if e := r.call("ops", at, 1024, out); e == abi.Quota {
			break
		} else if e != abi.OK {
			t.Fatal(e)
		}
	}
	if n != 16 {
		t.Errorf("%d lists of 1024 operations are held, want 16", n)
	}
	r.wait(r.u64(out))
	r.must("ops", at, 1024, out)
	start := time.Now()
	r.guest.Close()
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("closing took %v", d)
	}
	if err := r.guest.Finish(0, nil); err != nil && !errors.Is(err, hostfn.ErrLimit) {
		t.Error(err)
	}
}
