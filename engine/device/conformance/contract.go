package conformance

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders/quant"
)

func contractCases(Size) []Case {
	return []Case{
		{Name: "contract/info", Op: "contract", run: contractInfo},
		{Name: "contract/memory", Op: "contract", run: contractMemory},
		{Name: "contract/budget", Op: "contract", run: contractBudget},
		{Name: "contract/upload", Op: "contract", run: contractUpload},
		{Name: "contract/program", Op: "contract", run: contractProgram},
		{Name: "contract/upload_experts", Op: "contract", run: contractUploadExperts},
		{Name: "contract/program_experts", Op: "contract", run: contractProgramExperts},
		{Name: "contract/step", Op: "contract", run: contractStep},
	}
}

func contractInfo(l *lab) {
	i := l.info
	l.require(i.Backend != "" && i.Name != "" && i.Class != "", "info has no backend, name or class: %+v", i)
	l.require(i.MaxBinding > 0 && i.MaxBuffer >= i.MaxBinding, "a binding of %d bytes in a buffer of %d", i.MaxBinding, i.MaxBuffer)
	l.require(i.MaxRows > 0, "MaxRows is %d", i.MaxRows)
}

// used returns what is taken now. Memory comes back after the steps in flight,
// so a step is run first.
func (l *lab) used(settle *probe) device.Memory {
	settle.step(stepOf(0))
	return l.dev.Memory()
}

// contractMemory takes memory of every kind and gives it back.
func contractMemory(l *lab) {
	settle := l.probe("settle", 1, nil)
	settle.watch("rows", settle.embed(l.inputs(1, 4, normal("settle", 1))), boundExact)
	settle.compile()
	before := l.used(settle)

	for _, s := range stocks() {
		rows, columns := 24, 2*s.unit()
		source := s.part(l, random("memory"), rows, columns, plain)
		for _, kind := range []device.Kind{device.KindWeights, device.KindAdapters} {
			base := l.used(settle).Used[kind]
			if l.err != nil {
				return
			}
			w, err := l.dev.Upload(l.ctx, device.Matrix{
				Name: s.format.Name, Format: s.format, Columns: columns, Kind: kind,
				Sources: []device.Source{{Rows: rows, Reader: bytes.NewReader(source.bytes)}},
			})
			if err != nil {
				l.fail("upload: %w", err)
				return
			}
			got := l.dev.Memory().Used[kind] - base
			l.require(got == w.Bytes() && got >= int64(len(source.bytes))/2,
				"%s takes %d bytes of %v, and says %d", s.format.Name, got, kind, w.Bytes())
			w.Release()
		}
	}
	spec := device.CacheSpec{Layers: 2, HeadCountKV: 2, HeadDim: 16, Pages: 3, Type: device.CacheF16}
	c, err := l.dev.NewCache(spec)
	if err != nil {
		l.fail("cache: %w", err)
		return
	}
	got := l.dev.Memory().Used[device.KindCache] - before.Used[device.KindCache]
	l.require(got >= spec.Bytes(), "a cache of %d bytes takes %d", spec.Bytes(), got)
	c.Release()
	after := l.used(settle)
	l.require(after.Used == before.Used, "memory in use is %v after all was released, and was %v", after.Used, before.Used)
}

// unread is a source that must not be asked.
type unread struct{}

var errUnread = errors.New("read of a matrix that cannot fit")

func (unread) ReadAt([]byte, int64) (int, error) { return 0, errUnread }

// contractBudget uploads a matrix that is over the budget.
func contractBudget(l *lab) {
	before := l.dev.Memory()
	if before.Budget == 0 {
		l.skip("the device has no budget: to see it kept, open it with one")
		return
	}
	f, _ := quant.ByName("F32")
	const columns = 4096
	rows := int(before.Budget/(4*columns)) + 1
	_, err := l.dev.Upload(l.ctx, device.Matrix{
		Name: "over", Format: f, Columns: columns, Sources: []device.Source{{Rows: rows, Reader: unread{}}},
	})
	l.expect("upload over the budget", err, device.ErrMemory)
	var detail *device.MemoryError
	l.require(errors.As(err, &detail) && detail.Budget == before.Budget && detail.Need > 0, "upload over the budget: error has no MemoryError: %v", err)
	l.require(l.dev.Memory().Used == before.Used, "memory in use is %v after a failed upload, and was %v", l.dev.Memory().Used, before.Used)
}

// broken is a source that fails at an offset.
type broken struct{ at int64 }

var errBroken = errors.New("unreadable sector")

func (b broken) ReadAt(p []byte, offset int64) (int, error) {
	n := min(max(b.at-offset, 0), int64(len(p)))
	clear(p[:n])
	if n < int64(len(p)) {
		return int(n), errBroken
	}
	return len(p), nil
}

// contractUpload has sources that fail, end early, or are no longer wanted.
func contractUpload(l *lab) {
	before := l.dev.Memory().Used
	cancelled, cancel := context.WithCancel(l.ctx)
	cancel()
	f, _ := quant.ByName("F32")
	for _, u := range []struct {
		name   string
		ctx    context.Context
		reader io.ReaderAt
		want   error
	}{
		{"a source that fails", l.ctx, broken{100}, errBroken},
		{"a source that fails at once", l.ctx, broken{0}, errBroken},
		{"a source that is too short", l.ctx, bytes.NewReader(make([]byte, 1000)), io.ErrUnexpectedEOF},
		{"a context that is done", cancelled, bytes.NewReader(make([]byte, 4096)), context.Canceled},
	} {
		w, err := l.dev.Upload(u.ctx, device.Matrix{
			Name: u.name, Format: f, Columns: 64, Sources: []device.Source{{Rows: 16, Reader: u.reader}},
		})
		if w != nil && err == nil {
			w.Release()
		}
		if u.want == io.ErrUnexpectedEOF && errors.Is(err, io.EOF) {
			continue // what ReaderAt itself says
		}
		l.expect("upload from "+u.name, err, u.want)
	}
	after := l.dev.Memory().Used
	l.require(after == before, "memory in use is %v after failed uploads, and was %v", after, before)
}

// contractProgram compiles what cannot run.
func contractProgram(l *lab) {
	inputs := l.inputs(4, 16, normal("program", 1))
	if l.err != nil {
		return
	}
	for _, c := range []struct {
		name   string
		change func(*device.Program)
	}{
		{"rows that are no power of two", func(p *device.Program) { p.Rows = 3 }},
		{"no rows", func(p *device.Program) { p.Rows = 0 }},
		{"more rows than the device takes", func(p *device.Program) { p.Rows = 1 << 30 }},
		{"more outputs than rows", func(p *device.Program) { p.Outputs = 5 }},
		{"a view past its buffer", func(p *device.Program) { p.Ops[0].(*device.Embed).Out.Offset = 4 }},
		{"a buffer that is not there", func(p *device.Program) { p.Ops[0].(*device.Embed).Out.Buffer = 7 }},
		{"no table", func(p *device.Program) { p.Ops[0].(*device.Embed).Table = nil }},
		{"a buffer read before it is written", func(p *device.Program) { p.Ops = p.Ops[1:] }},
		{"attention without a cache", func(p *device.Program) {
			v := p.NewBuffer(16)
			p.Add(&device.Attention{Out: v, Query: p.Ops[0].(*device.Embed).Out, HeadCount: 1, HeadCountKV: 1, HeadDim: 16})
		}},
		{"more candidates than there may be", func(p *device.Program) {
			p.Add(&device.TopK{Logits: p.Ops[1].(*device.Gather).Out, K: device.MaxTopK + 1})
		}},
	} {
		p := &device.Program{Name: c.name, Rows: 4, Outputs: 4}
		x, out := p.NewBuffer(16), p.NewOutput(16)
		p.Add(&device.Embed{Out: x, Table: inputs}, &device.Gather{Out: out, X: x})
		c.change(p)
		exec, err := l.dev.Compile(p)
		if err == nil {
			exec.Release()
		}
		l.expect("compile of "+c.name, err, device.ErrProgram)
	}
}

// contractUploadExperts takes memory and gives it back, and has sources of fewer
// experts than they say.
func contractUploadExperts(l *lab) {
	const experts, rows = 3, 10
	settle := l.probe("settle", 1, nil)
	settle.watch("rows", settle.embed(l.inputs(1, 4, normal("settle", 1))), boundExact)
	settle.compile()
	before := l.used(settle).Used
	for _, s := range kinds(stocks()) {
		all := s.part(l, random("upload experts"), experts*rows, s.unit(), plain).bytes
		base := l.used(settle).Used[device.KindWeights]
		if l.err != nil {
			return
		}
		matrix := func(n int) device.Matrix { // from a source of n bytes
			return device.Matrix{
				Name: s.format.Name, Format: s.format, Columns: s.unit(), Experts: experts,
				Sources: []device.Source{{Rows: rows, Reader: bytes.NewReader(all[:n])}},
			}
		}
		w, err := l.dev.Upload(l.ctx, matrix(len(all)))
		if err != nil {
			l.fail("upload of experts: %w", err)
			return
		}
		got := l.dev.Memory().Used[device.KindWeights] - base
		l.require(got == w.Bytes() && got >= int64(len(all))/2, "experts %s take %d bytes, and say %d", s.format.Name, got, w.Bytes())
		w.Release()
		for _, n := range []int{len(all) - 1, len(all) / experts} {
			w, err := l.dev.Upload(l.ctx, matrix(n))
			if err == nil {
				w.Release()
			}
			l.require(errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF),
				"upload of %d bytes of experts from %d: error is %v, want %v", len(all), n, err, io.ErrUnexpectedEOF)
		}
	}
	after := l.used(settle).Used
	l.require(after == before, "memory in use is %v after all was released, and was %v", after, before)
}

// contractProgramExperts compiles what cannot run.
func contractProgramExperts(l *lab) {
	const experts, embd, ff = 4, 16, 8
	r := random("experts program")
	f := stocks()[0]
	matrices := func(n, rows, columns int) device.Weights {
		return l.uploadExperts("experts", f.format, n, f.part(l, r, n*rows, columns, plain))
	}
	m := &mixture{embd: embd, ff: ff, gate: matrices(experts, ff, embd), up: matrices(experts, ff, embd), down: matrices(experts, embd, ff)}
	inputs, routers := l.inputs(4, embd, normal("program", 1)), l.inputs(4, experts, normal("program", 1))
	more, single, wider := matrices(experts+1, ff, embd), matrices(1, ff, embd), matrices(experts, ff+4, embd)
	if l.err != nil {
		return
	}
	for _, c := range []struct {
		name   string
		change func(*device.Program, *device.Experts)
	}{
		{"experts in a product", func(p *device.Program, o *device.Experts) {
			p.Add(&device.MatMul{Out: p.NewBuffer(ff), X: o.X, Weight: m.gate})
		}},
		{"experts as a table", func(p *device.Program, o *device.Experts) {
			p.Add(&device.Embed{Out: p.NewBuffer(embd), Table: m.gate})
		}},
		{"experts as a table of positions", func(p *device.Program, o *device.Experts) {
			p.Add(&device.EmbedPosition{Out: p.NewBuffer(embd), Table: m.gate})
		}},
		{"more experts than logits", func(_ *device.Program, o *device.Experts) { o.Gate = more }},
		{"one matrix as experts", func(_ *device.Program, o *device.Experts) { o.Up = single }},
		{"gate and up of different shapes", func(_ *device.Program, o *device.Experts) { o.Up = wider }},
		{"gate and down the wrong way", func(_ *device.Program, o *device.Experts) { o.Gate, o.Down = o.Down, o.Gate }},
		{"no experts used", func(_ *device.Program, o *device.Experts) { o.Used = 0 }},
		{"more experts used than there are", func(_ *device.Program, o *device.Experts) { o.Used = experts + 1 }},
		{"an output over the input", func(_ *device.Program, o *device.Experts) { o.Out = o.X }},
		{"no down", func(_ *device.Program, o *device.Experts) { o.Down = nil }},
	} {
		p := &device.Program{Name: c.name, Rows: 4, Outputs: 4}
		x, router, out := p.NewBuffer(embd), p.NewBuffer(experts), p.NewBuffer(embd)
		o := m.mix(out, x, router, 2, device.SiLU)
		p.Add(&device.Embed{Out: x, Table: inputs}, &device.Embed{Out: router, Table: routers}, o)
		c.change(p, o)
		exec, err := l.dev.Compile(p)
		if err == nil {
			exec.Release()
		}
		l.expect("compile of "+c.name, err, device.ErrProgram)
	}
}

// contractStep submits what does not fit, and sees that steps that do still run.
func contractStep(l *lab) {
	h := heads{count: 1, kv: 1, dim: 16, cache: device.CacheF32}
	cache := l.cache(device.CacheSpec{Layers: 1, HeadCountKV: 1, HeadDim: h.dim, Pages: 4, Type: h.cache})
	p := l.probe("step", 4, cache)
	p.Sequences, p.Pages, p.Outputs = 2, 2, 2
	rope := p.layer(h, 0, l.inputs(8, h.width(), normal("step", 1)), l.angles(h, 40))
	p.Add(&rope)
	a := p.attend(rope)
	p.Add(a)
	p.watch("attention", a.Out, h.bound())
	p.compile()
	good := func() *device.Step {
		s := newBook(4, 2, 2).step(run{0, []int32{1, 2}}, run{1, []int32{3}})
		s.Outputs = []int32{1, 2}
		return s
	}
	for _, c := range []struct {
		name   string
		change func(*device.Step)
	}{
		{"no rows", func(s *device.Step) { s.Tokens, s.Positions, s.Sequences, s.Outputs = nil, nil, nil, nil }},
		{"too many rows", func(s *device.Step) {
			s.Tokens, s.Positions, s.Sequences = make([]int32, 5), make([]int32, 5), make([]int32, 5)
		}},
		{"positions missing", func(s *device.Step) { s.Positions = s.Positions[:2] }},
		{"a token past the table", func(s *device.Step) { s.Tokens[1] = 8 }},
		{"a token that no step chose", func(s *device.Step) { s.Tokens[1] = device.Chosen(2) }},
		{"a negative position", func(s *device.Step) { s.Positions[0] = -1 }},
		{"a position past the rope table", func(s *device.Step) { s.Positions[0], s.Lengths[0] = 40, 41 }},
		{"a position past the length", func(s *device.Step) { s.Positions[1] = 2 }},
		{"a sequence that is not there", func(s *device.Step) { s.Sequences[0] = 2 }},
		{"a page that is not there", func(s *device.Step) { s.BlockTables[1][0] = 4 }},
		{"a negative page", func(s *device.Step) { s.BlockTables[1][0] = -1 }},
		{"too many pages", func(s *device.Step) { s.BlockTables[0] = []int32{0, 1, 2} }},
		{"too many sequences", func(s *device.Step) {
			s.BlockTables, s.Lengths = append(s.BlockTables, []int32{0}), append(s.Lengths, 1)
		}},
		{"a length past the pages", func(s *device.Step) { s.Lengths[1] = 65 }},
		{"an output of no row", func(s *device.Step) { s.Outputs[0] = 3 }},
		{"too many outputs", func(s *device.Step) { s.Outputs = []int32{0, 1, 2} }},
	} {
		if l.err != nil {
			return
		}
		s := good()
		c.change(s)
		l.expect("submit of "+c.name, p.exec.Submit(s), device.ErrStep)
	}
	p.step(good())
}
