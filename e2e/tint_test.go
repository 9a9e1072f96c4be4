package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/realm-webgpu/realm/e2e/chromium"
	"github.com/realm-webgpu/realm/shaders"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// variant is a kernel's text with a name. Pipelines take far longer than texts,
// and what limits them does not depend on the format: one is made of each set of
// constants. The conformance suite makes those of all formats.
type variant struct {
	name, text string
	pipeline   bool
}

// variants composes every kernel with constants that devices use.
func variants(t *testing.T) []variant {
	t.Helper()
	var all []variant
	seen := map[string]bool{}
	add := func(kernel string, f *quant.Format, c shaders.Constants) {
		t.Helper()
		text, err := shaders.Compose(kernel, f, c)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint(kernel, " ", c)
		v := variant{name, text, !seen[name]}
		if f != nil {
			v.name += " " + f.Name
		}
		all = append(all, v)
		seen[kernel], seen[name] = true, true
	}
	on := []int{0, 1}
	for _, f := range quant.All() {
		add("embed", f, nil)
		for _, tile := range [][3]int{{4, 1, 1}, {4, 4, 1}, {1, 8, 16}} {
			add("matmul", f, shaders.Constants{"Vectors": tile[0], "Columns": tile[1], "Lanes": 8, "Slices": tile[2], "Bias": tile[1] & 1, "Bounded": tile[1] >> 2 & 1, "Experts": 0, "Adapted": 0})
			add("matmul", f, shaders.Constants{"Vectors": tile[0], "Columns": tile[1], "Lanes": 8, "Slices": tile[2], "Bias": tile[1] & 1, "Bounded": tile[1] >> 2 & 1, "Experts": 0, "Adapted": 1 + tile[1]&1*2})
		}
		add("matmul", f, shaders.Constants{"Vectors": 1, "Columns": 1, "Lanes": 8, "Slices": 8, "Bias": 0, "Bounded": 0, "Experts": 1, "Adapted": 0})
	}
	add("adapter_down", nil, nil)
	for _, a := range on {
		for _, b := range on {
			add("rope", nil, shaders.Constants{"NeoX": a, "CacheF32": b, "Joined": a ^ b})
			add("add", nil, shaders.Constants{"XInOut": a, "YInOut": b})
			add("softmax", nil, shaders.Constants{"InPlace": a, "Causal": b})
			for _, c := range on {
				add("norm", nil, shaders.Constants{"InPlace": a, "Residual": b, "Centered": c, "Bias": c})
			}
		}
		for _, dim := range []int{32, 64, 80, 128, 256} {
			add("attention", nil, shaders.Constants{"HeadDim": dim, "CacheF32": a, "Lanes": 8})
			add("attention_combine", nil, shaders.Constants{"HeadDim": dim})
		}
		for activation := range 3 {
			add("glu", nil, shaders.Constants{"Activation": activation, "Up": a})
		}
	}
	for _, k := range []int{1, 64} {
		add("topk_merge", nil, shaders.Constants{"SliceCount": 512, "K": k, "ResultWords": 4 + 2*k})
		add("topk_rank", nil, shaders.Constants{"K": k, "Room": 512, "ResultWords": 4 + 2*k})
		add("sample", nil, shaders.Constants{"K": k, "ResultWords": 4 + 2*k})
	}
	add("topk_slices", nil, shaders.Constants{"SliceCount": 512})
	add("topk_collect", nil, shaders.Constants{"SliceCount": 512, "Room": 512})
	add("route", nil, shaders.Constants{"Used": 2})
	add("expert_sum", nil, shaders.Constants{"Used": 2})
	add("gather", nil, nil)
	add("soft_cap", nil, nil)
	for _, kernel := range shaders.Kernels() {
		if !seen[kernel] {
			t.Errorf("kernel %s is not tried: add it here", kernel)
		}
	}
	return all
}

// TestTint compiles every kernel with Chromium's compiler, which is stricter
// than wgpu-native's, for a device with WebGPU's default limits.
func TestTint(t *testing.T) {
	page := chromium.Open(t)
	origin := chromium.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<!doctype html><title>kernels</title>")
	}))
	const open = `(async () => {
		const adapter = await navigator.gpu.requestAdapter();
		if (!adapter) return "no adapter";
		window.device = await adapter.requestDevice();
		return "";
	})()`
	if _, err := chromedp.Run(page, chromedp.Navigate(origin)); err != nil {
		t.Fatal(err)
	}
	problem, err := chromedp.Run(page, chromedp.Evaluate[string](open, chromedp.EvalAwaitPromise))
	if err != nil || problem != "" {
		t.Fatalf("open a device in the page: %v %s", err, problem)
	}
	for _, v := range variants(t) {
		compile := fmt.Sprintf(`(async (text, pipeline) => {
			device.pushErrorScope("validation");
			const module = device.createShaderModule({code: text});
			const info = await module.getCompilationInfo();
			const messages = info.messages.filter(m => m.type == "error").map(m => m.lineNum + ": " + m.message);
			if (pipeline && messages.length == 0) device.createComputePipeline({layout: "auto", compute: {module, entryPoint: "main"}});
			const error = await device.popErrorScope();
			if (error) messages.push(error.message);
			return messages.join("\n");
		})(%q, %t)`, v.text, v.pipeline)
		problem, err := chromedp.Run(page, chromedp.Evaluate[string](compile, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		if problem != "" {
			t.Errorf("%s: %s", v.name, problem)
		}
	}
}
