package device_test

import (
	"math"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
)

// mixture is a good program, without a cache, of the operations that layer does
// not have: 5 experts of 16 to 8 to 16 elements, and a vocabulary of 10.
type mixture struct {
	*device.Program
	tokens    *device.Embed         // op 0
	positions *device.EmbedPosition // op 1
	norm      *device.LayerNorm     // op 2
	router    *device.MatMul        // op 3
	experts   *device.Experts       // op 4
	gather    *device.Gather        // op 5
	head      *device.MatMul        // op 6
	cap       *device.SoftCap       // op 7
}

func (p *parts) mixture() *mixture {
	m := &mixture{Program: &device.Program{Name: "mixture", Rows: 8, Outputs: 4}}
	x, y, normed, router, mixed := m.NewBuffer(16), m.NewBuffer(16), m.NewBuffer(16), m.NewBuffer(5), m.NewBuffer(16)
	m.tokens = &device.Embed{Out: x, Table: p.matrix(10, 16)}
	m.positions = &device.EmbedPosition{Out: y, Table: p.matrix(40, 16)}
	m.norm = &device.LayerNorm{Out: normed, X: x, Residual: &y, Weight: p.vector(16), Bias: p.vector(16), Epsilon: 1e-5}
	m.router = &device.MatMul{Out: router, X: normed, Weight: p.matrix(5, 16)}
	m.experts = &device.Experts{
		Out: mixed, X: normed, Router: router,
		Gate: p.matrices(5, 8, 16), Up: p.matrices(5, 8, 16), Down: p.matrices(5, 16, 8), Used: 2,
	}
	m.gather = &device.Gather{Out: m.NewOutput(16), X: mixed}
	m.head = &device.MatMul{Out: m.NewOutput(10), X: m.gather.Out, Weight: p.matrix(10, 16)}
	m.cap = &device.SoftCap{X: m.head.Out, Cap: 30}
	m.Add(m.tokens, m.positions, m.norm, m.router, m.experts, m.gather, m.head, m.cap)
	return m
}

func TestCheckMixture(t *testing.T) {
	p := newParts(t)
	nan := float32(math.NaN())
	for _, test := range []struct {
		want   string // in the error; "" for none
		change func(m *mixture)
	}{
		{"", func(m *mixture) {}},
		{"", func(m *mixture) {
			m.norm.Out, m.norm.Residual, m.norm.Bias = m.norm.X, nil, nil
			m.router.X = m.norm.X
			m.experts.X = m.norm.X
		}},
		{"", func(m *mixture) { m.experts.Used, m.experts.Activation = 5, device.GELU }},
		{"", func(m *mixture) { m.cap.X = m.router.Out }},
		{"", func(m *mixture) { m.cap.X = m.head.Out.Slice(4, 4) }},
		{"", func(m *mixture) { // one expert is a matrix
			m.experts.Router.Width, m.router.Out.Width, m.router.Weight = 1, 1, p.matrix(1, 16)
			m.Buffers[m.experts.Router.Buffer].Width = 4
			m.experts.Gate, m.experts.Up, m.experts.Down, m.experts.Used = p.matrix(8, 16), p.matrix(8, 16), p.matrix(16, 8), 1
		}},
		{"", func(m *mixture) { // experts of outputs
			m.gather.X, m.experts.X, m.experts.Out = m.norm.Out, m.gather.Out, m.NewOutput(16)
			m.router.X, m.Buffers[m.router.Out.Buffer].Outputs = m.gather.Out, true
			m.Ops = []device.Op{m.tokens, m.positions, m.norm, m.gather, m.router, m.experts, m.head, m.cap}
		}},

		{"op 1 EmbedPosition: Out: is of outputs", func(m *mixture) { m.positions.Out = m.gather.Out }},
		{"op 1 EmbedPosition: Out.Width: 14", func(m *mixture) { m.positions.Out.Width = 14 }},
		{"op 1 EmbedPosition: Table: is nil", func(m *mixture) { m.positions.Table = nil }},
		{"op 1 EmbedPosition: the columns of Table: 12", func(m *mixture) { m.positions.Table = p.matrix(40, 12) }},
		{"op 1 EmbedPosition: the matrices of Table: 2", func(m *mixture) { m.positions.Table = p.matrices(2, 40, 16) }},
		{"op 2 LayerNorm: X.Width: 12", func(m *mixture) { m.norm.X.Width = 12 }},
		{"op 2 LayerNorm: X: one of X and Out", func(m *mixture) { m.norm.X = m.gather.Out }},
		{"op 2 LayerNorm: Out: overlaps Residual", func(m *mixture) { m.norm.Out = *m.norm.Residual }},
		{"op 2 LayerNorm: X: overlaps Residual", func(m *mixture) { m.norm.Residual = &m.norm.X }},
		{"op 2 LayerNorm: Weight: is nil", func(m *mixture) { m.norm.Weight = nil }},
		{"op 2 LayerNorm: the columns of Weight: 8", func(m *mixture) { m.norm.Weight = p.vector(8) }},
		{"op 2 LayerNorm: the columns of Bias: 20", func(m *mixture) { m.norm.Bias = p.vector(20) }},
		{"op 2 LayerNorm: the rows of Bias: 2", func(m *mixture) { m.norm.Bias = p.matrix(2, 16) }},
		{"op 2 LayerNorm: Epsilon: NaN", func(m *mixture) { m.norm.Epsilon = nan }},
		{"op 2 LayerNorm: Ops: reads buffer 1", func(m *mixture) { m.Ops[1] = m.tokens }},
		{"op 4 Experts: Out.Width: 14", func(m *mixture) { m.experts.Out.Width = 14 }},
		{"op 4 Experts: X.Width: 12", func(m *mixture) { m.experts.X.Width = 12 }},
		{"op 4 Experts: X: one of X and Out", func(m *mixture) { m.experts.X = m.gather.Out }},
		{"op 4 Experts: Out: overlaps X", func(m *mixture) { m.experts.Out = m.experts.X }},
		{"op 4 Experts: Router.Width: 3 is not a multiple of 4 and does not end", func(m *mixture) { m.experts.Router.Width = 3 }},
		{"op 4 Experts: Router: one of Router and Out", func(m *mixture) { m.experts.Router = m.gather.Out }},
		{"op 4 Experts: Out: overlaps Router", func(m *mixture) { m.experts.Router = m.experts.Out }},
		{"op 4 Experts: Used: 0", func(m *mixture) { m.experts.Used = 0 }},
		{"op 4 Experts: Used: 6 is not in 1 to 5", func(m *mixture) { m.experts.Used = 6 }},
		{"op 4 Experts: Used: 17 is not in 1 to 16", func(m *mixture) {
			m.Buffers[m.experts.Router.Buffer].Width = 20
			m.router.Out.Width, m.router.Weight = 20, p.matrix(20, 16)
			m.experts.Router.Width, m.experts.Used = 20, 17
		}},
		{"op 4 Experts: Activation: -1", func(m *mixture) { m.experts.Activation = -1 }},
		{"op 4 Experts: Gate: is nil", func(m *mixture) { m.experts.Gate = nil }},
		{"op 4 Experts: the matrices of Gate: 4, but Router.Width is 5", func(m *mixture) { m.experts.Gate = p.matrices(4, 8, 16) }},
		{"op 4 Experts: the matrices of Up: 1", func(m *mixture) { m.experts.Up = p.matrix(8, 16) }},
		{"op 4 Experts: the matrices of Down: 6", func(m *mixture) { m.experts.Down = p.matrices(6, 16, 8) }},
		{"op 4 Experts: the columns of Gate: 12, but X.Width is 16", func(m *mixture) { m.experts.Gate = p.matrices(5, 8, 12) }},
		{"op 4 Experts: the rows of Up: 12, but the rows of Gate is 8", func(m *mixture) { m.experts.Up = p.matrices(5, 12, 16) }},
		{"op 4 Experts: the columns of Up: 20", func(m *mixture) { m.experts.Up = p.matrices(5, 8, 20) }},
		{"op 4 Experts: the rows of Down: 12, but Out.Width is 16", func(m *mixture) { m.experts.Down = p.matrices(5, 12, 8) }},
		{"op 4 Experts: the columns of Down: 12, but the rows of Gate is 8", func(m *mixture) { m.experts.Down = p.matrices(5, 16, 12) }},
		{"op 7 SoftCap: X.Width: 6 is not a multiple of 4 and does not end", func(m *mixture) { m.cap.X.Width = 6 }},
		{"op 7 SoftCap: Cap: 0 is not over 0", func(m *mixture) { m.cap.Cap = 0 }},
		{"op 7 SoftCap: Cap: -30", func(m *mixture) { m.cap.Cap = -30 }},
		{"op 7 SoftCap: Cap: NaN", func(m *mixture) { m.cap.Cap = nan }},
		{"op 6 SoftCap: Ops: reads buffer 6", func(m *mixture) { m.Ops = append(m.Ops[:6], m.cap) }},
	} {
		m := p.mixture()
		test.change(m)
		expect(t, m.Program, m.Check(16), device.ErrProgram, test.want)
	}
}

// TestCheckStepOfPositions asks for positions in and past an EmbedPosition's
// table, which counts also where a rope table is longer.
func TestCheckStepOfPositions(t *testing.T) {
	p := newParts(t)
	m := p.mixture()
	if err := m.Check(16); err != nil {
		t.Fatal(err)
	}
	s := &device.Step{Tokens: []int32{1, 2}, Positions: []int32{39, 0}, Sequences: make([]int32, 2), Outputs: []int32{0}}
	expect(t, m.Program, m.CheckStep(s), device.ErrStep, "")
	s.Positions[1] = 40
	expect(t, m.Program, m.CheckStep(s), device.ErrStep, "Positions[1]: 40, but the shortest table of positions has 40")

	l := p.layer() // whose rope table has 50 positions
	l.Ops = append(l.Ops, &device.EmbedPosition{Out: l.NewBuffer(16), Table: p.matrix(49, 16)})
	if err := l.Check(16); err != nil {
		t.Fatal(err)
	}
	long := goodStep()
	long.Positions[1], long.Lengths[0] = 49, 50
	expect(t, l.Program, l.CheckStep(long), device.ErrStep, "Positions[1]: 49, but the shortest table of positions has 49")
}
