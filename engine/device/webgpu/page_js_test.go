package webgpu

import (
	"errors"
	"strings"
	"syscall/js"
	"testing"

	"github.com/realm-webgpu/realm/engine/device"
)

// step compiles a program of one row, and returns it with a step that fits.
func step(t *testing.T, d *Device) (device.Executable, *device.Step) {
	t.Helper()
	values := make([]float32, 64)
	weight, err := d.UploadVector(values)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.NewStorage(device.KindScratch, 64*4)
	if err != nil {
		t.Fatal(err)
	}
	p := &device.Program{Name: "one row", Rows: 1, Outputs: 1}
	x := p.NewBound(s, 0, 64, true)
	p.Add(&device.RMSNorm{Out: x, X: x, Weight: weight, Epsilon: 1e-5}, &device.TopK{Logits: x, K: 1})
	e, err := d.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Release()
		s.Release()
		weight.Release()
	})
	return e, &device.Step{Tokens: []int32{0}, Positions: []int32{0}, Sequences: []int32{0}, Outputs: []int32{0}}
}

// TestLost loses the device while steps are in flight: they end, and all that is
// asked for from then on is refused with what the browser said.
func TestLost(t *testing.T) {
	d := openTest(t, Options{})
	e, s := step(t, d)
	for range device.InFlight {
		if err := e.Submit(s); err != nil {
			t.Fatal(err)
		}
	}
	d.gpu.device.Call("destroy")
	if _, err := await(d.gpu.device.Get("lost")); err != nil {
		t.Fatal(err)
	}
	var r device.Result
	for range device.InFlight {
		// It may have been done before the loss.
		if err := e.Wait(&r); err != nil && !errors.Is(err, device.ErrLost) {
			t.Errorf("wait: %v, want ErrLost", err)
		}
	}
	if err := e.Submit(s); !errors.Is(err, device.ErrLost) || !strings.Contains(err.Error(), "destroyed") {
		t.Errorf("submit: %v, want ErrLost with the browser's reason", err)
	}
	if _, err := d.UploadVector(make([]float32, 4)); !errors.Is(err, device.ErrLost) {
		t.Errorf("upload: %v, want ErrLost", err)
	}
	if _, err := d.NewStorage(device.KindScratch, 16); !errors.Is(err, device.ErrLost) {
		t.Errorf("new storage: %v, want ErrLost", err)
	}
}

// TestUncaptured has the browser find a mistake that no call is answerable for.
func TestUncaptured(t *testing.T) {
	d := openTest(t, Options{})
	d.gpu.copy(d.idle.raw, 0, d.idle.raw, 1<<20, 16)
	d.gpu.flush()
	if err := d.check(); !errors.Is(err, device.ErrLost) || !strings.Contains(err.Error(), "GPUValidationError") {
		t.Errorf("after a copy past the end: %v, want ErrLost and GPUValidationError", err)
	}
}

// TestRefusedKernel compiles what is no WGSL, and what only a lenient compiler
// takes: a typed error that says where.
func TestRefusedKernel(t *testing.T) {
	d := openTest(t, Options{})
	for _, c := range []struct{ text, want string }{
		{"@compute @workgroup_size(1)\nfn main() { nonsense(); }", "nonsense"},
		{"@group(0) @binding(0) var<storage, read_write> x: array<u32>;\n@compute @workgroup_size(64)\nfn main(@builtin(local_invocation_index) i: u32) {\n\tif i == 0 { workgroupBarrier(); }\n\tx[0] = 1;\n}", "uniform control flow"},
	} {
		p, err := d.gpu.newPipeline("test", c.text)
		if err != nil {
			t.Fatal(err)
		}
		k := &kernel{name: "test", pipeline: p}
		if err := k.ready(); !errors.Is(err, device.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want ErrUnsupported and %q", c.text, err, c.want)
		}
	}
	if err := d.check(); err != nil {
		t.Errorf("the device goes on, but: %v", err)
	}
}

// TestStepAllocations counts what a step allocates in Go: what waits for the
// browser, and no more for more dispatches.
func TestStepAllocations(t *testing.T) {
	d := openTest(t, Options{})
	e, s := step(t, d)
	var r device.Result
	n := testing.AllocsPerRun(50, func() {
		if err := e.Submit(s); err != nil {
			t.Fatal(err)
		}
		if err := e.Wait(&r); err != nil {
			t.Fatal(err)
		}
	})
	const most = 8 // a callback from the page: its event, its arguments
	if n > most {
		t.Errorf("a step allocates %v times, want at most %d", n, most)
	}
	t.Logf("%v allocations a step", n)
}

// TestNoShim opens a device in a page that has not loaded the script.
func TestNoShim(t *testing.T) {
	kept := js.Global().Get("realmWebGPU")
	js.Global().Delete("realmWebGPU")
	defer js.Global().Set("realmWebGPU", kept)
	if _, err := Open(Options{}); !errors.Is(err, device.ErrNotFound) || !strings.Contains(err.Error(), "shim.js") {
		t.Errorf("%v, want ErrNotFound that names the script", err)
	}
	if list := Adapters(); len(list) != 0 {
		t.Errorf("adapters: %+v", list)
	}
}

// TestIdentity classifies adapters by what browsers say of them.
func TestIdentity(t *testing.T) {
	for _, c := range []struct {
		identity
		name, class string
	}{
		{identity{vendor: "google", architecture: "swiftshader"}, "google swiftshader", ClassSoftware},
		{identity{vendor: "mesa", description: "llvmpipe (LLVM 15.0.6, 256 bits)"}, "llvmpipe (LLVM 15.0.6, 256 bits)", ClassSoftware},
		{identity{vendor: "microsoft", description: "Microsoft Basic Render Driver"}, "Microsoft Basic Render Driver", ClassSoftware},
		{identity{vendor: "nvidia", architecture: "ada", fallback: true}, "nvidia ada", ClassSoftware},
		{identity{vendor: "apple", architecture: "metal-3"}, "apple metal-3", ClassIntegrated},
		{identity{vendor: "intel", architecture: "gen-12lp"}, "intel gen-12lp", ClassIntegrated},
		{identity{vendor: "arm", architecture: "valhall"}, "arm valhall", ClassIntegrated},
		{identity{vendor: "qualcomm", architecture: "adreno-7xx"}, "qualcomm adreno-7xx", ClassIntegrated},
		{identity{vendor: "nvidia", architecture: "ampere"}, "nvidia ampere", ClassDiscrete},
		{identity{vendor: "amd", architecture: "rdna-3"}, "amd rdna-3", ClassDiscrete},
		{identity{}, "unnamed adapter", ClassDiscrete},
	} {
		if c.identity.name() != c.name || c.identity.class() != c.class {
			t.Errorf("%+v: %q of class %q, want %q of %q", c.identity, c.identity.name(), c.identity.class(), c.name, c.class)
		}
	}
}
