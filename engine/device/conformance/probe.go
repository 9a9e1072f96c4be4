package conformance

import (
	"fmt"
	"math"
	"slices"

	"github.com/realm-webgpu/realm/engine/device"
)

// probe is a program whose results can be seen. Views are watched under a name
// and a bound; every step is computed on both sides, and compared.
type probe struct {
	*lab
	*device.Program
	exec    device.Executable
	watched []watch
	out     device.View // the outputs that watched rows are gathered to

	// label names a row of a step, for results that must not depend on what it
	// is computed with; nil: nothing of the kind is asked.
	label func(s *device.Step, row int) string

	// blind is a probe on a device that others submit to: its rows cannot be
	// read, only its Result is checked.
	blind bool

	pending []*trial // submitted and not yet waited for
	result  device.Result
	read    map[output][]float32 // of the last step
}

// output is a row of an output buffer.
type output struct {
	buffer device.BufferID
	row    int
}

// watch is a part of an output buffer that is compared.
type watch struct {
	name  string
	view  device.View
	bound float64
	group int // index of the first watch of this name
}

// trial is a step in flight.
type trial struct {
	step *device.Step
	want *outcome
}

// probe begins a program over rows of at most that many.
func (l *lab) probe(name string, rows int, cache device.Cache) *probe {
	if rows > l.info.MaxRows {
		l.skip("%d rows, but the device takes %d", rows, l.info.MaxRows)
	}
	p := &probe{lab: l, Program: &device.Program{Name: name, Rows: rows, Outputs: rows, Cache: cache}}
	if cache != nil {
		p.Sequences, p.Pages = 1, 1
	}
	return p
}

// embed adds an Embed of a table to a buffer of its own.
func (p *probe) embed(table device.Weights) device.View {
	if p.err != nil {
		return device.View{}
	}
	_, columns := table.Shape()
	out := p.NewBuffer(columns)
	p.Add(&device.Embed{Out: out, Table: table})
	return out
}

// matmul adds a MatMul to a buffer of its own.
func (p *probe) matmul(x device.View, weight, bias device.Weights) device.View {
	if p.err != nil {
		return device.View{}
	}
	rows, _ := weight.Shape()
	out := p.NewBuffer(rows)
	if p.Buffers[x.Buffer].Outputs {
		p.Buffers[out.Buffer].Outputs = true
	}
	p.Add(&device.MatMul{Out: out, X: x, Weight: weight, Bias: bias})
	return out
}

// watch compares a view: as it is at this point of the program if it is of rows,
// at the end if it is of outputs.
func (p *probe) watch(name string, v device.View, bound float64) {
	p.see(name, p.gathered(v), bound)
}

// see compares columns of an output buffer, from any of them to any. All that
// goes by one name is measured as one result: a single sum may be next to
// nothing by cancellation, and a small error then looks large.
func (p *probe) see(name string, v device.View, bound float64) {
	group := slices.IndexFunc(p.watched, func(w watch) bool { return w.name == name })
	if group < 0 {
		group = len(p.watched)
	}
	p.watched = append(p.watched, watch{name, v, bound, group})
}

// gathered returns the outputs that are those of v, which a Gather copies to one
// buffer with all others if v is of rows.
func (p *probe) gathered(v device.View) device.View {
	if p.err != nil || p.Buffers[v.Buffer].Outputs {
		return v
	}
	if p.out.Width == 0 {
		p.out = p.NewOutput(0)
	}
	width := (v.Width + 3) &^ 3 // a ragged view ends its buffer
	to := device.View{Buffer: p.out.Buffer, Offset: p.out.Width, Width: width}
	p.out.Width += width
	p.Buffers[p.out.Buffer].Width = p.out.Width
	p.Add(&device.Gather{Out: to, X: device.View{Buffer: v.Buffer, Offset: v.Offset, Width: width}})
	return to.Slice(0, v.Width)
}

// compile makes the program ready for steps.
func (p *probe) compile() {
	if p.err != nil {
		return
	}
	exec, err := p.dev.Compile(p.Program)
	if err != nil {
		p.fail("compile: %w", err)
		return
	}
	p.exec = exec
	p.made = append(p.made, exec)
}

// submit starts a step on the device, and computes it on the reference.
func (p *probe) submit(s *device.Step) {
	if p.err != nil {
		return
	}
	if err := p.ctx.Err(); err != nil {
		p.fail("%w", err)
		return
	}
	if err := p.exec.Submit(s); err != nil {
		p.fail("%s: submit: %w", p.where(s), err)
		return
	}
	want, err := p.ref.run(p.Program, s)
	if err != nil {
		p.fail("%w", err)
		return
	}
	p.pending = append(p.pending, &trial{s, want})
}

// wait finishes the oldest step in flight and checks its Result; where it is the
// last, its buffers too.
func (p *probe) wait() {
	if p.err != nil {
		return
	}
	t := p.pending[0]
	p.pending = p.pending[1:]
	if err := p.exec.Wait(&p.result); err != nil {
		p.fail("%s: wait: %w", p.where(t.step), err)
		return
	}
	readable := len(p.pending) == 0 && !p.blind
	p.read = map[output][]float32{}
	if readable {
		p.compare(t)
	}
	p.checkResult(t, readable)
}

// step runs one step from start to end.
func (p *probe) step(s *device.Step) {
	p.submit(s)
	p.wait()
}

func (p *probe) where(s *device.Step) string {
	return fmt.Sprintf("%s rows=%d step of %d", p.Name, p.Rows, len(s.Tokens))
}

// compare reads every row that a watch is on.
func (p *probe) compare(t *trial) {
	totals := make([]deviation, len(p.watched))
	for i, row := range t.step.Outputs {
		for j, w := range p.watched {
			got, want := p.row(w.view, i), t.want.row(w.view, i)
			if p.err != nil {
				return
			}
			if k := slices.IndexFunc(want, math.IsNaN); k >= 0 {
				p.fail("%s: %s: the reference does not define element %d of output %d", p.where(t.step), w.name, k, i)
				return
			}
			for k, v := range want {
				if w.bound == boundExact && float64(got[k]) != v {
					p.fail("%s: %s: element %d of output %d is %v, want %v", p.where(t.step), w.name, k, i, got[k], v)
					return
				}
				if !math.IsInf(v, 0) {
					totals[w.group].add(got[k], v)
				}
			}
			if p.label != nil {
				p.same(fmt.Sprintf("%s (%d) of %s", w.name, j, p.label(t.step, int(row))), p.where(t.step), got)
			}
		}
	}
	for j, w := range p.watched {
		if w.group == j {
			p.measure(p.where(t.step)+": "+w.name, totals[j].nmse(), w.bound)
		}
	}
}

// row returns columns of a row of outputs, whose buffer is read once a step.
func (p *probe) row(v device.View, i int) []float32 {
	at := output{v.Buffer, i}
	if p.read[at] == nil {
		p.read[at] = p.readRow(device.View{Buffer: v.Buffer, Width: p.Buffers[v.Buffer].Width}, i)
	}
	return p.read[at][v.Offset:][:v.Width]
}

// readRow reads a row from the device.
func (p *probe) readRow(v device.View, i int) []float32 {
	dst := make([]float32, v.Width)
	if p.err != nil {
		return dst
	}
	if err := p.exec.Read(v, i, dst); err != nil {
		p.fail("read of row %d of %+v: %w", i, v, err)
	}
	return dst
}

// checkResult holds the Result against the device's own logits where they can be
// read, so that it is exact whatever rounding they went through, and otherwise
// against those of the reference.
func (p *probe) checkResult(t *trial, readable bool) {
	if p.err != nil || t.want.logits == nil {
		return
	}
	m, k := len(t.step.Outputs), len(t.want.result.IDs)/max(1, len(t.step.Outputs))
	if len(p.result.Chosen) != m || len(p.result.IDs) != m*k || len(p.result.Logits) != m*k || len(p.result.LogSumExp) != m {
		p.fail("%s: result has %d chosen, %d ids, %d logits, %d logsumexp, want %d outputs of %d candidates", p.where(t.step),
			len(p.result.Chosen), len(p.result.IDs), len(p.result.Logits), len(p.result.LogSumExp), m, k)
		return
	}
	var lse deviation
	for i := range m {
		logits := float32s(t.want.row(*t.want.logits, i))
		if readable {
			logits = p.row(*t.want.logits, i)
		}
		var sampler *device.Sampler
		if len(t.step.Samplers) > 0 {
			sampler = &t.step.Samplers[i]
		}
		if p.err != nil {
			return
		}
		if err := checkChoice(logits, k, &p.result, i, sampler, &lse); err != nil {
			p.fail("%s: %w", p.where(t.step), err)
			return
		}
	}
	p.measure(p.where(t.step)+": LogSumExp", lse.nmse(), boundLogSum)
	if readable {
		p.ref.caches[p.Cache].choose(p.result.Chosen)
	}
}

// stepOf returns a step of tokens for a program without attention: each a row of
// its own that wants output.
func stepOf(tokens ...int32) *device.Step {
	s := &device.Step{
		Tokens:      tokens,
		Positions:   make([]int32, len(tokens)),
		Sequences:   make([]int32, len(tokens)),
		BlockTables: [][]int32{{0}},
		Lengths:     []int32{1},
	}
	for i := range tokens {
		s.Outputs = append(s.Outputs, int32(i))
	}
	return s
}

// count returns the tokens first, first+1, ... of a step of n rows.
func count(first, n int) []int32 {
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32(first + i)
	}
	return tokens
}
