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
		plan, err := model.Plan(f, 100, device.CacheF16)
		if err != nil {
			t.Fatal(err)
		}
		m := load(t, f, d, model.Options{Context: 100})
		if got := d.Memory().Used[device.KindWeights]; got != plan.Weights {
			t.Errorf("weights take %d bytes, the plan says %d", got, plan.Weights)
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
		// At most x, normed, gate_up and hidden: 128 + 256 + 512 elements of a row.
		if plan.Scratch < model.PlanRows*4*(128+512) || plan.Scratch > model.PlanRows*4*(128+128+512+256) {
			t.Errorf("%d bytes of scratch", plan.Scratch)
		}
		if plan.Total() != plan.Weights+plan.Cache+plan.Scratch {
			t.Errorf("total %d", plan.Total())
		}
	})
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
