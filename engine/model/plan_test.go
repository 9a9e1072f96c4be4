package model_test

import (
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/model"
)

// TestPlan compares the plan with what loading takes. The rows of float32
// matrices fill their planes, so their bytes are those of the file everywhere.
func TestPlan(t *testing.T) {
	onDevices(t, func(t *testing.T, d bench) {
		f := open(t, llamaFile)
		exact, err := model.PlanOn(d, f, 100, device.CacheF16)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := model.Plan(f, 100, device.CacheF16)
		if err != nil {
			t.Fatal(err)
		}
		m := load(t, f, d, model.Options{Context: 100})
		if got := d.Memory().Used[device.KindWeights]; got != plan.Weights {
			t.Errorf("weights take %d bytes, the plan says %d", got, plan.Weights)
		}
		if got := d.Memory().Used[device.KindWeights]; got != exact.Weights || got != m.Bytes() {
			t.Errorf("weights take %d bytes, the plan on the device says %d and the model %d", got, exact.Weights, m.Bytes())
		}
		if got := plan.Weights - 100*32*4; got != plan.File {
			t.Errorf("%d bytes of float32 without the rope table, the file has %d", got, plan.File)
		}
		if plan.Context != 100 || plan.CachePerToken != 2*2*2*32*2 || plan.Cache != 128*plan.CachePerToken {
			t.Errorf("%+v: want 512 bytes for each of 128 tokens", plan)
		}
		if got := m.CacheSpec(4, device.CacheF16).Bytes(); got != plan.Cache {
			t.Errorf("the cache has %d bytes, the plan says %d", got, plan.Cache)
		}
		// At most x, normed, gate_up and hidden: 128 + 256 + 512 elements of a row, and
		// no step has more rows than fit the context.
		if rows := int64(128); plan.Scratch < rows*4*(128+512) || plan.Scratch > rows*4*(128+128+512+256) {
			t.Errorf("%d bytes of scratch", plan.Scratch)
		}
		if plan.Total() != plan.Weights+plan.Cache+plan.Scratch {
			t.Errorf("total %d", plan.Total())
		}
	})
}

// TestPlanExperts: the matrices of all experts are counted, and the activations of
// those that are used.
func TestPlanExperts(t *testing.T) {
	m := mixture{layers: 1, embedding: 64, heads: 4, headsKV: 2, dim: 16, feedForward: 128, experts: 8, used: 4, vocabulary: 64}
	f, d := m.file(t).file(), openCPU(t, 0)
	plan, err := model.Plan(f, 0, device.CacheF32)
	if err != nil {
		t.Fatal(err)
	}
	load(t, f, d, model.Options{})
	if got := d.Memory().Used[device.KindWeights]; got != plan.Weights {
		t.Errorf("weights take %d bytes, the plan says %d", got, plan.Weights)
	}
	if n := int64(3 * 8 * 128 * 64 * 4); plan.File < n || plan.Weights < n {
		t.Errorf("%+v: experts alone have %d bytes", plan, n)
	}

	// Two layers, so that experts see all the rows of a step.
	m.layers = 2
	if plan, err = model.Plan(m.file(t).file(), 0, device.CacheF32); err != nil {
		t.Fatal(err)
	}
	if least := int64(min(model.PlanRows, plan.Context) * 4 * 4 * (3*128 + 64)); plan.Scratch < least || plan.Scratch > 2*least {
		t.Errorf("%d bytes of scratch, experts alone have %d", plan.Scratch, least)
	}
}

// TestPlanFormats: weights in planes are near the size of the file's.
func TestPlanFormats(t *testing.T) {
	for _, name := range []string{"Q8_0", "F16", "BF16", "Q4_0"} {
		file := newDraft(t, llamaFile)
		for _, tensor := range []string{"blk.0.ffn_up.weight", "token_embd.weight"} {
			file.convert(tensor, name)
		}
		plan, err := model.Plan(file.file(), 100, device.CacheF32)
		if err != nil {
			t.Fatal(err)
		}
		table := int64(100 * 32 * 4)
		if plan.Weights != plan.File+table {
			t.Errorf("%s: %d bytes of weights, the file has %d and the rope table %d", name, plan.Weights, plan.File, table)
		}
	}
}
