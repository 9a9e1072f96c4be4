package memory64

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/realm-webgpu/realm/guest/build"
	"github.com/realm-webgpu/realm/hostfn/meter"
)

// benchBuilds are the ways to build and rewrite the same C.
var benchBuilds = []struct {
	name          string
	wide, metered bool
}{{"wasm32", false, false}, {"wasm32 metered", false, true}, {"lowered", true, false}, {"lowered metered", true, true}}

// BenchmarkCost runs the functions of testdata/bench.c in turn, built for 32-bit
// memory and for 64-bit memory that is lowered, without fuel and with it. It tells how
// many times longer than wasm32 each takes: the median of the rounds' ratios, as other
// work of the machine disturbs them all.
func BenchmarkCost(b *testing.B) {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features))
	defer func() { _ = r.Close(ctx) }()
	if _, err := r.NewHostModuleBuilder(meter.ImportModule).NewFunctionBuilder().
		WithFunc(func() int64 { return 1 << 20 }).Export(meter.ImportName).Instantiate(ctx); err != nil {
		b.Fatal(err)
	}
	var modules []api.Module
	for _, way := range benchBuilds {
		m, err := r.InstantiateWithConfig(ctx, benchModule(b, way.wide, way.metered), wazero.NewModuleConfig().WithName(""))
		if err != nil {
			b.Fatal(err)
		}
		modules = append(modules, m)
	}
	for _, name := range []string{"matmul", "sort", "list", "text", "calls", "guest_json", "guest_text"} {
		b.Run(name, func(b *testing.B) {
			var functions []api.Function
			for _, m := range modules {
				functions = append(functions, m.ExportedFunction(name))
			}
			ratios := make([][]float64, len(functions))
			for b.Loop() {
				var took [4]time.Duration
				for range 5 { // the shortest of some: what disturbs only adds
					for i, f := range functions {
						start := time.Now()
						if _, err := f.Call(ctx); err != nil {
							b.Fatal(err)
						}
						if d := time.Since(start); took[i] == 0 || d < took[i] {
							took[i] = d
						}
					}
				}
				for i := range functions {
					ratios[i] = append(ratios[i], float64(took[i])/float64(took[0]))
				}
			}
			for i, unit := range []string{"", "metered/wasm32", "lowered/wasm32", "both/wasm32"} {
				if i > 0 {
					slices.Sort(ratios[i])
					b.ReportMetric(ratios[i][len(ratios[i])/2], unit)
				}
			}
		})
	}
}

// benchModule builds testdata/bench.c.
func benchModule(b *testing.B, wide, metered bool) []byte {
	b.Helper()
	out := filepath.Join(b.TempDir(), "bench.wasm")
	sources := []string{"hostfn/memory64/testdata/bench.c"}
	for _, s := range []string{"memory", "json", "number", "utf8", "text"} {
		sources = append(sources, "guest/src/"+s+".c")
	}
	if err := build.C(b.Context(), "../..", out, wide, sources...); err != nil {
		b.Skip("NOT MEASURED: ", err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		b.Fatal(err)
	}
	l, err := Lower(data)
	if err != nil {
		b.Fatal(err)
	}
	if data = l.Bytes; metered {
		if data, err = meter.Meter(data); err != nil {
			b.Fatal(err)
		}
	}
	return data
}

// BenchmarkLower rewrites the default guest.
func BenchmarkLower(b *testing.B) {
	data, err := os.ReadFile("../../guest/guest.wasm")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Lower(data); err != nil {
			b.Fatal(err)
		}
	}
}
