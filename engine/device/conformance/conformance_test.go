package conformance_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/conformance"
	"github.com/realm-webgpu/realm/engine/device/cpu"
	"github.com/realm-webgpu/realm/shaders/quant"
)

func openCPU(t *testing.T) device.Device {
	t.Helper()
	d, err := cpu.New(cpu.Options{Exact: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func find(t *testing.T, name string) conformance.Case {
	t.Helper()
	cases := conformance.Cases(conformance.Small)
	i := slices.IndexFunc(cases, func(c conformance.Case) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("there is no case %s", name)
	}
	return cases[i]
}

// TestFaults breaks a device that passes, in one way after the other, and wants
// the case that is there for it to fail.
func TestFaults(t *testing.T) {
	good := openCPU(t)
	for _, f := range []struct {
		name, caught string // by this case
		fault        fault
	}{
		{"one element of a product is off by 1e-3", "matmul/Q4_K", fault{read: func(p *device.Program, row int, dst []float32) {
			if p.Rows == 16 && row == 8 {
				dst[9] += 1e-3 * (1 + dst[9])
			}
		}}},
		{"the last bit of an element depends on the bucket", "matmul/Q8_0", fault{read: func(p *device.Program, row int, dst []float32) {
			if p.Rows > 1 && row == 0 {
				dst[0] = nudge(dst[0], 1)
			}
		}}},
		{"the last bit of a logit depends on the rows of a step", "invariance/Q6_K", fault{read: func(p *device.Program, row int, dst []float32) {
			if row == 5 {
				dst[2] = nudge(dst[2], 1)
			}
		}}},
		{"subnormal scales are flushed", "matmul/Q4_0", fault{source: flushScales}},
		{"subnormal scales are flushed in a table", "embed/Q4_0", fault{source: flushScales}},
		{"a bias is forgotten", "matmul/F16", changing(func(o *device.MatMul) { o.Bias = nil })},
		{"the scale of a table is forgotten", "embed/Q5_1", changing(func(o *device.Embed) { o.Scale = 0 })},
		{"chosen tokens are taken in order", "embed/chosen", fault{step: func(_ *device.Program, s device.Step) device.Step {
			s.Tokens = slices.Clone(s.Tokens)
			for i, token := range s.Tokens {
				if token < 0 {
					s.Tokens[i] = device.Chosen(min(i, int(-1-token)))
				}
			}
			return s
		}}},
		{"a residual is forgotten", "rms_norm/width", changing(func(o *device.RMSNorm) { o.Residual = nil })},
		{"epsilon is forgotten", "rms_norm/width", changing(func(o *device.RMSNorm) { o.Epsilon = 0 })},
		{"the positions of a table are those of the rows", "embed_position/Q4_0", fault{step: func(_ *device.Program, s device.Step) device.Step {
			s.Positions = slices.Clone(s.Positions)
			for i := range s.Positions {
				s.Positions[i] = min(s.Positions[i], int32(i))
			}
			return s
		}}},
		{"positions past their table are taken", "embed_position/Q4_0", fault{lenient: true}},
		{"a shift is forgotten", "layer_norm/width", changing(func(o *device.LayerNorm) { o.Bias = nil })},
		{"a residual is forgotten by LayerNorm", "layer_norm/width", changing(func(o *device.LayerNorm) { o.Residual = nil })},
		{"a mean is off by 1e-6 of itself", "layer_norm/off_centre", fault{read: func(_ *device.Program, _ int, dst []float32) {
			for i := range dst {
				dst[i] += 1e-4
			}
		}}},
		{"a cap is a little less", "soft_cap", changing(func(o *device.SoftCap) { o.Cap *= 0.9999 })},
		{"the end of a row is not capped", "soft_cap", changing(func(o *device.SoftCap) { o.X.Width = max(4, o.X.Width&^3-4) })},
		{"gate and up are mixed up", "experts/Q4_0", changing(func(o *device.Experts) { o.Gate, o.Up = o.Up, o.Gate })},
		{"the activation of experts is another", "experts/Q2_K", changing(func(o *device.Experts) {
			if o.Activation == device.GELUTanh {
				o.Activation = device.GELU
			}
		})},
		{"an expert is left out", "experts/F32_Q4_0_Q2_K", changing(func(o *device.Experts) { o.Used = max(1, o.Used-1) })},
		{"an expert has the weights of the first", "experts/F32", fault{source: func(m device.Matrix, b []byte) {
			if n := len(b) / max(1, m.Experts); m.Experts > 1 {
				copy(b[3*n:4*n], b)
			}
		}}},
		{"subnormal scales of experts are flushed", "experts/Q4_0", fault{source: flushScales}},
		{"the higher expert comes first among equals", "experts/2_of_8", fault{source: func(m device.Matrix, b []byte) {
			if m.Columns == 8 { // logits, of eight experts
				for at := 0; at < len(b); at += 4 {
					v := math.Float32frombits(binary.LittleEndian.Uint32(b[at:]))
					v += 1e-6 * float32(at/4%8) // within the bound, but for ties
					binary.LittleEndian.PutUint32(b[at:], math.Float32bits(v))
				}
			}
		}}},
		{"logits behind the end of a row are searched", "experts/2_of_5", fault{source: func(m device.Matrix, b []byte) {
			if m.Columns == 8 && m.Experts < 2 {
				for at := 0; at < len(b); at += 32 {
					copy(b[at+16:at+20], b[at+28:])
				}
			}
		}}},
		{"the last bit of an element depends on the others that go to its experts", "experts/alone/Q2_K", fault{read: func(p *device.Program, row int, dst []float32) {
			if row == 32 {
				dst[3] = nudge(dst[3], 1)
			}
		}}},
		{"a pair is rotated the other way", "rope/normal/16_of_16/f32", changing(func(o *device.Rope) { o.Mode = device.RopeNeoX })},
		{"keys go to another layer", "rope/neox/16_of_16/f16", changing(func(o *device.Rope) { o.Layer = 0 })},
		{"a rotation is of the row before", "rope/neox/32_of_80/f32", fault{step: func(_ *device.Program, s device.Step) device.Step {
			s.Positions = slices.Clone(s.Positions)
			if n := len(s.Positions); n > 2 {
				s.Positions[n-1] = s.Positions[n-2]
			}
			return s
		}}},
		{"a window is forgotten", "attention/4_of_4/dim_16/f16", changing(func(o *device.Attention) { o.Window = 0 })},
		{"a window is too long by one", "attention/4_of_4/dim_16/f16", changing(func(o *device.Attention) { o.Window += min(o.Window, 1) })},
		{"a soft cap is forgotten", "attention/8_of_2/dim_32/f32", changing(func(o *device.Attention) { o.SoftCap = 0 })},
		{"bidirectional attention is causal", "attention/7_of_1/dim_64/f16", changing(func(o *device.Attention) { o.Bidirectional = false })},
		{"causal attention is bidirectional", "attention/7_of_1/dim_64/f16", changing(func(o *device.Attention) { o.Bidirectional = true })},
		{"scores are scaled a little less", "attention/8_of_1/dim_128/f32", changing(func(o *device.Attention) { o.Scale *= 0.9999 })},
		{"two block tables are mixed up", "attention/6_of_2/dim_96/f16", fault{step: func(_ *device.Program, s device.Step) device.Step {
			s.BlockTables = slices.Clone(s.BlockTables)
			if n := len(s.BlockTables); len(s.Tokens) == 1 && n > 2 {
				s.BlockTables[3], s.BlockTables[2] = s.BlockTables[2], s.BlockTables[3]
			}
			return s
		}}},
		{"pages are not copied", "cache/copy_page/f32", fault{uncopied: true}},
		{"an activation is another", "glu", changing(func(o *device.GLU) {
			if o.Activation == device.GELUTanh {
				o.Activation = device.GELU
			}
		})},
		{"a gate has no up", "glu", changing(func(o *device.GLU) { o.Up = nil })},
		{"a sum is of twice the same", "add", changing(func(o *device.Add) { o.Y = o.X })},
		{"outputs are the first rows", "gather", fault{step: func(_ *device.Program, s device.Step) device.Step {
			s.Outputs = slices.Clone(s.Outputs)
			for i := range s.Outputs {
				s.Outputs[i] = int32(i)
			}
			return s
		}}},
		{"the higher id comes first among equals", "topk/1000", fault{result: func(_ *device.Program, r *device.Result) {
			for i := 1; i < len(r.IDs); i++ {
				if r.Logits[i] == r.Logits[i-1] && r.IDs[i] > r.IDs[i-1] {
					r.IDs[i], r.IDs[i-1] = r.IDs[i-1], r.IDs[i]
				}
			}
		}}},
		{"a logsumexp is off by 1e-5", "topk/64", fault{result: func(_ *device.Program, r *device.Result) {
			for i := range r.LogSumExp {
				r.LogSumExp[i] += 1e-5 * (1 + r.LogSumExp[i])
			}
		}}},
		{"padding is searched", "topk/7", changing(func(o *device.TopK) { o.Logits.Width = 8 })},
		{"draws ignore the seed", "sample/top_k", fault{step: func(_ *device.Program, s device.Step) device.Step {
			s.Samplers = slices.Clone(s.Samplers)
			for i := range s.Samplers {
				s.Samplers[i].Seed = 0
			}
			return s
		}}},
		{"the nucleus is too large", "sample/top_p_hot", fault{step: func(_ *device.Program, s device.Step) device.Step {
			s.Samplers = slices.Clone(s.Samplers)
			for i := range s.Samplers {
				s.Samplers[i].TopP = 0.8
			}
			return s
		}}},
		{"a draw past the candidates takes the last", "sample/past_the_candidates", fault{result: func(_ *device.Program, r *device.Result) {
			k := len(r.IDs) / max(1, len(r.Chosen))
			for i, id := range r.Chosen {
				if id == device.NoChoice {
					r.Chosen[i] = r.IDs[(i+1)*k-1]
				}
			}
		}}},
		{"all draws pass", "sample/mixed", fault{result: func(_ *device.Program, r *device.Result) {
			for i := range r.Chosen {
				r.Chosen[i] = device.NoChoice
			}
		}}},
		{"a part of a row is not that of the whole", "step/read", fault{read: func(p *device.Program, row int, dst []float32) {
			if len(dst) == 8 {
				dst[0]++
			}
		}}},
		{"the second step sees the choices of neither", "step/two_in_flight", fault{step: func(_ *device.Program, s device.Step) device.Step {
			s.Tokens = slices.Clone(s.Tokens)
			for i, token := range s.Tokens {
				if token < 0 {
					s.Tokens[i] = 0
				}
			}
			return s
		}}},
		{"results of goroutines are mixed up", "step/many_goroutines", fault{result: func(p *device.Program, r *device.Result) {
			if p.Name == "goroutine 2" {
				r.LogSumExp[0] = r.LogSumExp[1]
			}
		}}},
		{"weights are never released", "contract/memory", fault{leaks: true}},
		{"steps that do not fit are taken", "contract/step", fault{lenient: true}},
		{"values are not clamped", "attention/clamp", fault{unclamped: true}},
	} {
		t.Run(f.name, func(t *testing.T) {
			c := find(t, f.caught)
			if _, err := c.Run(t.Context(), good); err != nil {
				t.Fatalf("fails without the fault: %v", err)
			}
			outcome, err := c.Run(t.Context(), &wrongDevice{good, f.fault})
			if err == nil {
				t.Fatalf("%s does not see it: %+v", f.caught, outcome)
			}
			if errors.Is(err, conformance.ErrSkip) || errors.Is(err, device.ErrProgram) {
				t.Fatalf("%s fails for another reason: %v", f.caught, err)
			}
			t.Log(err)
		})
	}
}

// flushScales zeroes the subnormal scales of Q4_0: blocks of 18 bytes that begin
// with a float16.
func flushScales(m device.Matrix, b []byte) {
	if m.Format.Name != "Q4_0" {
		return
	}
	for at := 0; at < len(b); at += m.Format.BlockBytes {
		if binary.LittleEndian.Uint16(b[at:])&0x7c00 == 0 {
			b[at], b[at+1] = 0, 0
		}
	}
}

// TestCases holds that names are unique, and that operations that depend on
// weights are there for each format: in both sizes, or in Full.
func TestCases(t *testing.T) {
	for _, size := range []conformance.Size{conformance.Small, conformance.Full} {
		ops := []string{"embed", "matmul", "block"}
		if size == conformance.Full {
			ops = append(ops, "embed_position", "experts")
		}
		seen := map[string]bool{}
		formats := map[string]int{}
		for _, c := range conformance.Cases(size) {
			if seen[c.Name] {
				t.Errorf("size %d has two cases %s", size, c.Name)
			}
			seen[c.Name] = true
			formats[c.Op+" "+c.Format]++
		}
		for _, f := range quant.All() {
			for _, op := range ops {
				if formats[op+" "+f.Name] == 0 {
					t.Errorf("size %d has no case of %s on %s", size, op, f.Name)
				}
			}
		}
	}
}

// TestSmallDevice runs what depends on the limits that a device states.
func TestSmallDevice(t *testing.T) {
	d := &smallDevice{openCPU(t), 1 << 16, 8}
	for _, name := range []string{"matmul/split", "experts/split"} {
		if _, err := find(t, name).Run(t.Context(), d); err != nil {
			t.Error(err)
		}
	}
	// Its smaller buckets are tried, and the case says that it was not all.
	if _, err := find(t, "matmul/Q5_K").Run(t.Context(), d); !errors.Is(err, conformance.ErrSkip) {
		t.Errorf("error is %v, want ErrSkip", err)
	}
}

// TestLostDevice loses the device at every call of a case in turn, and early in
// all cases: the suite reports it, and gives back what it took.
func TestLostDevice(t *testing.T) {
	good := openCPU(t)
	lose := func(c conformance.Case, calls int64) error {
		d := &lostDevice{Device: good}
		d.calls.Store(calls)
		_, err := c.Run(t.Context(), d)
		return err
	}
	for _, c := range conformance.Cases(conformance.Small) {
		for calls := range int64(4) {
			switch err := lose(c, calls); {
			case err == nil && (calls > 0 || c.Name != "contract/info"):
				if calls == 0 {
					t.Errorf("%s passes on a lost device", c.Name)
				}
			case err != nil && !errors.Is(err, device.ErrLost) && !errors.Is(err, conformance.ErrSkip) && c.Op != "contract":
				t.Errorf("%s on a device lost after %d calls: %v", c.Name, calls, err)
			}
		}
	}
	c := find(t, "cache/copy_page/f16")
	for calls := int64(0); ; calls++ {
		err := lose(c, calls)
		if err == nil {
			break
		}
		if !errors.Is(err, device.ErrLost) {
			t.Errorf("lost after %d calls: %v", calls, err)
		}
	}
}

// TestVerify reads the reports of a right and of a wrong device.
func TestVerify(t *testing.T) {
	good := openCPU(t)
	bad := &wrongDevice{good, fault{read: func(_ *device.Program, _ int, dst []float32) { dst[0]++ }}}
	n := 0
	for r := range conformance.Verify(t.Context(), good, conformance.Small) {
		if !r.Passed && r.Skipped == "" || r.Error != "" {
			t.Errorf("%+v", r)
		}
		if n++; n == 20 {
			break
		}
	}
	for r := range conformance.Verify(t.Context(), bad, conformance.Small) {
		if r.Passed || r.Error == "" {
			t.Errorf("a wrong device passes: %+v", r)
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back conformance.Report
		if err := json.Unmarshal(b, &back); err != nil || back != r {
			t.Errorf("%s comes back as %+v: %v", b, back, err)
		}
		break
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for r := range conformance.Verify(done, good, conformance.Small) {
		t.Errorf("a report after the context is done: %+v", r)
	}
}
