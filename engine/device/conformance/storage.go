package conformance

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/realm-webgpu/realm/engine/device"
)

func storageCases(size Size) []Case {
	cases := []Case{
		{Name: "storage/copy", Op: "storage", run: storageCopy},
		{Name: "storage/operations", Op: "storage", run: storageOperations},
		{Name: "storage/gather", Op: "storage", run: storageGather},
		{Name: "storage/contract", Op: "storage", run: storageContract},
		{Name: "storage/aside", Op: "storage", run: storageAside},
	}
	for _, s := range stocks() {
		cases = append(cases, Case{
			Name: "storage/matmul/" + s.format.Name, Op: "storage", Format: s.format.Name,
			run: func(l *lab) { storageProduct(l, s) },
		})
	}
	return cases
}

// tensors returns the device's other face, or ends the case.
func (l *lab) tensors() device.Tensors {
	t, ok := l.dev.(device.Tensors)
	if !ok {
		l.skip("the device has no storages")
	}
	return t
}

// storage makes memory of rows*columns elements on both sides.
func (l *lab) storage(rows, columns int, value func(row, column int) float64) device.Storage {
	t := l.tensors()
	if l.err != nil {
		return nil
	}
	s, err := t.NewStorage(device.KindScratch, 4*int64(rows*columns))
	if err != nil {
		l.fail("storage of %d elements: %w", rows*columns, err)
		return nil
	}
	l.made = append(l.made, s)
	l.ref.storages[s] = make([]float64, rows*columns)
	l.overwrite(s, func(i int) float64 { return value(i/columns, i%columns) })
	return s
}

// overwrite sets all elements of a storage, on both sides.
func (l *lab) overwrite(s device.Storage, value func(i int) float64) {
	values := l.ref.storages[s]
	data := make([]byte, 0, 4*len(values))
	for i := range values {
		v := float32(value(i))
		values[i] = float64(v)
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	l.write(s, 0, data)
}

func (l *lab) write(s device.Storage, offset int64, data []byte) {
	if l.err != nil {
		return
	}
	if err := s.Write(offset, data); err != nil {
		l.fail("write of %d bytes: %w", len(data), err)
	}
}

// contents reads all of a storage.
func (l *lab) contents(s device.Storage) []float32 {
	if l.err != nil {
		return nil
	}
	data := make([]byte, s.Bytes())
	if err := s.Read(0, data); err != nil {
		l.fail("read of %d bytes: %w", len(data), err)
		return nil
	}
	values := make([]float32, len(data)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return values
}

// guard is what stands where nothing may be written.
const guard = -7777

// expectStorage compares a storage with what it should be, guards exactly.
func (l *lab) expectStorage(name string, s device.Storage, bound float64) {
	var total deviation
	for i, got := range l.contents(s) {
		want := l.ref.storages[s][i]
		if want == guard && got != guard {
			l.fail("%s: element %d is %v, where nothing was to be written", name, i, got)
			return
		}
		if want != guard {
			total.add(got, want)
		}
	}
	if l.err == nil {
		l.measure(name, total.nmse(), bound)
	}
}

// storageCopy writes and reads parts of a storage, more of it than is staged at
// a time, with a new one's zeros between.
func storageCopy(l *lab) {
	const size = 3 << 20
	t := l.tensors()
	if l.err != nil {
		return
	}
	s, err := t.NewStorage(device.KindScratch, size)
	if err != nil {
		l.fail("new storage: %w", err)
		return
	}
	defer s.Release()
	l.require(s.Bytes() == size, "a storage of %d bytes has %d", size, s.Bytes())
	want := make([]byte, size)
	r := random("copy")
	for _, part := range [][2]int{{0, 4}, {size - 8, 8}, {100, 400_000}, {1 << 20, 0}, {2<<20 - 4, 8}, {200, 12}} {
		p := want[part[0] : part[0]+part[1]]
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		l.write(s, int64(part[0]), p)
	}
	for _, part := range [][2]int{{0, size}, {96, 16}, {size - 4, 4}, {500_000, 0}, {1<<20 - 4, 1<<20 + 8}} {
		got := make([]byte, part[1])
		if err := s.Read(int64(part[0]), got); err != nil {
			l.fail("read of %d bytes from %d on: %w", part[1], part[0], err)
			return
		}
		l.require(string(got) == string(want[part[0]:part[0]+part[1]]), "%d bytes from %d on are not those that were written", part[1], part[0])
	}
}

// storageOperations runs one operation after the other over parts of three
// storages, for fewer rows than the program has, with guards around what is
// written; then for one row, with what the step before left.
func storageOperations(l *lab) {
	const width = 64
	h := heads{count: 4, kv: 2, dim: 8, cache: device.CacheF32}
	guards := func(_, _ int) float64 { return guard }
	in := l.storage(8, 2*width, normal("storage", 1))
	out := l.storage(10, 3*width, guards)
	queries := normal("query", 1)
	query := l.storage(8, h.width(), queries)
	result := l.storage(8, 40, guards)
	table := l.inputs(16, width, normal("table", 1))
	cache := l.cache(device.CacheSpec{Layers: 1, HeadCountKV: h.kv, HeadDim: h.dim, Pages: 2, Type: h.cache})
	weight := l.noise(random("weight"), width)
	angles := l.angles(h, 2*device.PageTokens)
	if l.err != nil {
		return
	}
	p := l.probe("operations", 8, cache)
	p.Outputs, p.Pages, p.Aside = 2, 2, true
	x := p.NewBound(in, 0, 2*width, false)
	a, b := x.Slice(0, width), x.Slice(width, width)
	y := p.NewBound(out, 3*width, 3*width, false) // from the second row on
	first, second, third := y.Slice(0, width), y.Slice(width, width), y.Slice(2*width, width-4)
	p.Add(
		&device.RMSNorm{Out: a, X: a, Residual: &second, Weight: weight, Epsilon: 1e-5},
		&device.Softmax{Out: third, X: a.Slice(0, third.Width), Scale: 0.5, Causal: true},
		&device.GLU{Out: first, Gate: a, Up: &b},
		&device.Add{Out: second, X: first, Y: second},
		&device.Embed{Out: b, Table: table, Scale: 2},
	)
	q := p.NewBound(query, 0, h.width(), false)
	rope := device.Rope{
		Query: q.Slice(0, h.count*h.dim), Key: q.Slice(h.count*h.dim, h.kv*h.dim), Value: q.Slice((h.count+h.kv)*h.dim, h.kv*h.dim),
		HeadCount: h.count, HeadCountKV: h.kv, HeadDim: h.dim, Dimensions: h.dim, Table: angles,
	}
	attended := p.NewBound(result, 0, 40, false)
	p.Add(&rope, &device.Attention{
		Out: attended.Slice(4, h.count*h.dim), Query: rope.Query, HeadCount: h.count, HeadCountKV: h.kv, HeadDim: h.dim, Scale: 0.3,
	})
	p.compile()
	book := newBook(2, 2)
	// A residual must be a number before it is added to one.
	l.overwrite(out, func(int) float64 { return 0 })
	for _, tokens := range [][]int32{{3, 0, 15, 7, 1}, {2}, {9, 9, 4}} {
		s := book.step(run{0, tokens})
		s.Outputs = nil
		p.step(s)
		l.overwrite(query, func(int) float64 { return queries(0, 0) }) // keys are not defined any more
	}
	l.expectStorage("in", in, boundFunction)
	l.expectStorage("out", out, boundFunction)
	l.expectStorage("attention", result, boundFunction)
}

// storageGather takes rows of a storage that has more of them than the step, and
// chooses from them.
func storageGather(l *lab) {
	const width = 100
	in := l.storage(40, width, normal("gather", 1))
	out := l.storage(4, width, func(_, _ int) float64 { return guard })
	if l.err != nil {
		return
	}
	p := l.probe("gather", 4, l.choices())
	x, y := p.NewBound(in, 0, width, false), p.NewBound(out, 0, width, true)
	p.Add(&device.Gather{Out: y, X: x}, &device.TopK{Logits: y.Slice(0, width-4), K: 5})
	p.blind = true // of what Executable.Read shows: the buffers are in storages
	p.compile()
	s := stepOf(0, 0, 0)
	s.Outputs = []int32{39, 0, 17}
	p.step(s)
	l.expectStorage("rows", out, boundExact)
	s = stepOf(0)
	s.Outputs = []int32{40}
	if l.err == nil {
		l.expect("a gather of row 40 of 40", p.exec.Submit(s), device.ErrStep)
	}
}

// storageProduct multiplies with a matrix and with slices of it, a step of five
// rows in a bucket of eight: a slice has the numbers of the whole, and nothing
// is written past the rows of the step.
func storageProduct(l *lab, stock *stock) {
	const rows, columns, n = 8, 2 * segment, 5
	r := random("product " + stock.format.Name)
	whole := l.upload("stack", stock.format, stock.part(l, r, 64, columns, plain), stock.part(l, r, 36, columns, plain), stock.part(l, r, 50, columns, plain))
	t := l.tensors()
	in := l.storage(rows, columns, normal("product", 1))
	out := l.storage(rows, 160, func(_, _ int) float64 { return guard })
	if l.err != nil {
		return
	}
	biases := l.noise(r, 100)
	if l.err != nil {
		return
	}
	bias, err := t.Slice(biases, 64, 36)
	if err != nil {
		l.fail("slice of a vector: %w", err)
		return
	}
	l.keep(bias, &tensor{1, 1, 36, l.ref.weights[biases].values[64:]})
	p := l.probe("product", rows, nil)
	x, y := p.NewBound(in, 0, columns, false), p.NewBound(out, 0, 160, false)
	p.Add(&device.MatMul{Out: y.Slice(0, 152).Slice(0, 150), X: x, Weight: whole})
	p.Buffers[y.Buffer].Width = 152 // 150 end in its last four elements
	p.compile()
	if l.err != nil {
		return
	}
	s := stepOf(make([]int32, n)...)
	s.Outputs = nil
	p.step(s)
	all := l.contents(out)
	for _, part := range []struct {
		first, rows int
		bias        device.Weights
	}{{0, 64, nil}, {64, 36, nil}, {64, 36, bias}, {100, 48, nil}, {4, 8, nil}, {28, 72, nil}, {148, 2, nil}} {
		slice, err := t.Slice(whole, part.first, part.rows)
		if err != nil {
			l.fail("slice of %d rows from %d on: %w", part.rows, part.first, err)
			return
		}
		l.require(slice.Bytes() == 0, "a slice takes %d bytes", slice.Bytes())
		l.keep(slice, &tensor{1, part.rows, columns, l.ref.weights[whole].values[part.first*columns:][:part.rows*columns]})
		to := l.storage(rows, (part.rows+3)&^3, func(_, _ int) float64 { return guard })
		if l.err != nil {
			return
		}
		width := (part.rows + 3) &^ 3
		q := l.probe("slice", rows, nil)
		q.Add(&device.MatMul{Out: q.NewBound(to, 0, width, false).Slice(0, part.rows), X: q.NewBound(in, 0, columns, false), Weight: slice, Bias: part.bias})
		q.compile()
		q.step(s)
		got := l.contents(to)
		if l.err != nil {
			return
		}
		for i := range rows {
			for j := range part.rows {
				v := got[i*width+j]
				switch {
				case i >= n && v != guard:
					l.fail("rows %d to %d: row %d of the product is written, of %d", part.first, part.first+part.rows, i, n)
					return
				case i < n && part.bias == nil && v != all[i*152+part.first+j]:
					l.fail("rows %d to %d: element %d of row %d is %v, but %v in the whole", part.first, part.first+part.rows, j, i, v, all[i*152+part.first+j])
					return
				}
			}
		}
		var total deviation
		for i := range n {
			for j := range part.rows {
				total.add(got[i*width+j], l.ref.storages[to][i*width+j])
			}
		}
		l.measure(fmt.Sprintf("rows %d to %d", part.first, part.first+part.rows), total.nmse(), l.rounded(boundSum, boundInt8, stock))
	}
}

// storageAside chooses beside a text, whose next step takes what its own last
// one chose.
func storageAside(l *lab) {
	const vocabulary = 16
	cache := l.choices()
	inputs := l.inputs(vocabulary, vocabulary, normal("aside", 1))
	text := l.probe("text", 1, cache)
	logits := text.NewOutput(vocabulary)
	text.Add(&device.Gather{Out: logits, X: text.embed(inputs)}, &device.TopK{Logits: logits, K: 1})
	text.watch("logits", logits, boundExact)
	text.compile()
	in := l.storage(1, vocabulary, func(_, column int) float64 { return float64(column) })
	if l.err != nil {
		return
	}
	aside := &device.Program{Name: "aside", Rows: 1, Outputs: 1, Sequences: 1, Pages: 1, Cache: cache, Aside: true}
	aside.Add(&device.TopK{Logits: aside.NewBound(in, 0, vocabulary, true), K: 3})
	exec, err := l.dev.Compile(aside)
	if err != nil {
		l.fail("compile: %w", err)
		return
	}
	l.made = append(l.made, exec)
	token := int32(3)
	for range 3 {
		text.step(stepOf(token))
		token = device.Chosen(0)
		if l.err != nil {
			return
		}
		s := stepOf(0)
		if err := exec.Submit(s); err != nil {
			l.fail("submit: %w", err)
			return
		}
		var r device.Result
		if err := exec.Wait(&r); err != nil || len(r.Chosen) != 1 || r.Chosen[0] != vocabulary-1 {
			l.fail("aside: chosen is %v, want %d: %w", r.Chosen, vocabulary-1, err)
			return
		}
		s.Tokens = []int32{token}
		l.expect("a Chosen token beside a text", exec.Submit(s), device.ErrStep)
	}
}

// storageContract makes storages that cannot be, uses them where they are not,
// and gives them back.
func storageContract(l *lab) {
	t := l.tensors()
	inputs := l.inputs(2, 16, normal("contract", 1))
	vector := l.vector(make([]float32, 16))
	settle := l.probe("settle", 1, nil)
	settle.watch("rows", settle.embed(inputs), boundExact)
	settle.compile()
	before := l.used(settle).Used
	if l.err != nil {
		return
	}
	for _, bytes := range []int64{-16, 0, 4, 24, math.MaxInt64 &^ 15} {
		s, err := t.NewStorage(device.KindScratch, bytes)
		if err == nil {
			s.Release()
		}
		l.expect(fmt.Sprintf("a storage of %d bytes", bytes), err, device.ErrUnsupported)
	}
	s, err := t.NewStorage(device.KindScratch, 256)
	if err != nil {
		l.fail("new storage: %w", err)
		return
	}
	got := l.dev.Memory().Used[device.KindScratch] - before[device.KindScratch]
	l.require(got == 256, "a storage of 256 bytes takes %d", got)
	p := make([]byte, 8)
	for _, offset := range []int64{-4, 2, 252, 256, math.MaxInt64 - 3} {
		l.expect(fmt.Sprintf("a write at %d of 256", offset), s.Write(offset, p), device.ErrStep)
		l.expect(fmt.Sprintf("a read at %d of 256", offset), s.Read(offset, p), device.ErrStep)
	}
	l.expect("a write of 3 bytes", s.Write(0, p[:3]), device.ErrStep)
	for _, slice := range [][2]int{{-4, 2}, {1, 1}, {0, 0}, {0, 3}, {4, 1}, {0, math.MaxInt}} {
		_, err := t.Slice(inputs, slice[0], slice[1])
		l.expect(fmt.Sprintf("a slice of %d rows from %d of 2", slice[1], slice[0]), err, device.ErrUnsupported)
	}
	_, err = t.Slice(vector, 12, 5)
	l.expect("a slice past the end of a vector", err, device.ErrUnsupported)

	// 64 elements are four rows of 16.
	program := func(offset, stride int) *device.Program {
		q := &device.Program{Name: "contract", Rows: 8}
		q.Add(&device.Embed{Out: q.NewBound(s, offset, stride, false).Slice(0, 16), Table: inputs})
		return q
	}
	for _, c := range [][2]int{{2, 16}, {-4, 16}, {52, 16}, {math.MaxInt &^ 3, 16}, {0, 68}} {
		e, err := l.dev.Compile(program(c[0], c[1]))
		if err == nil {
			e.Release()
		}
		l.expect(fmt.Sprintf("rows of %d from %d on", c[1], c[0]), err, device.ErrProgram)
	}
	e, err := l.dev.Compile(program(16, 16))
	if err != nil {
		l.fail("compile: %w", err)
		s.Release()
		return
	}
	five := stepOf(0, 1, 0, 1)
	five.Outputs = nil
	l.expect("four rows where three have room", e.Submit(five), device.ErrStep)
	s.Release()
	l.expect("a write after Release", s.Write(0, p), device.ErrClosed)
	l.expect("a read after Release", s.Read(0, p), device.ErrClosed)
	_, err = l.dev.Compile(program(0, 16))
	l.expect("a program on what was released", err, device.ErrClosed)
	// The executable keeps what it is bound to.
	three := stepOf(0, 1, 0)
	three.Outputs = nil
	if err := e.Submit(three); err != nil {
		l.fail("submit after the storage's Release: %w", err)
	}
	var r device.Result
	if err := e.Wait(&r); err != nil {
		l.fail("wait: %w", err)
	}
	e.Release()
	after := l.used(settle).Used
	l.require(after == before, "memory in use is %v after all was released, and was %v", after, before)
}
