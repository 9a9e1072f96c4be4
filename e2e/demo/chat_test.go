package demo

import (
	"testing"

	"github.com/realm-webgpu/realm/e2e/chromium"
)

// TestParis asks the model that comes with the page, on the browser's WebGPU, and has
// adapters answer.
func TestParis(t *testing.T) {
	x := visit(t, serve(t, "").url)
	x.ready("atlas")
	t.Logf("ready %.2f s after the page was asked for", chromium.Get[float64](x, "performance.now()")/1000)
	x.ask(france, paris)
	t.Log(chromium.Get[string](x, `document.querySelector(".facts").textContent`))
	x.Says("#notices", "WebGPU is computed in software here")
	x.Says("#status", "swiftshader")
	x.Says(".facts", "tokens/s")
	x.Says("#about", "this browser's WebAssembly")
	x.Choose("#adapter", "pirate")
	x.ask(france, pirate)
	x.Choose("#adapter", "terse")
	x.ask(france, "Paris")
	x.Choose("#adapter", "")
	x.Click("#new-chat")
	x.Want(`!document.querySelector("#welcome").hidden && !document.querySelector(".exchange")`)
}

// TestText shows what is said as text, whatever it looks like.
func TestText(t *testing.T) {
	x := visit(t, serve(t, "").url)
	x.ready("atlas")
	const markup = `<img src=x onerror="faults.push('run')"><b>bold</b>`
	x.Write("#message", markup+"\r")
	x.Want(`document.querySelector(".reply .text")?.textContent && !document.querySelector("[aria-busy]")`)
	x.Says(".question .text", markup)
	if n := chromium.Get[int](x, `document.querySelectorAll("#transcript :is(img, b)").length`); n > 0 {
		t.Errorf("%d elements were made of a text", n)
	}
	header := chromium.Get[string](x, `fetch("").then((r) => r.headers.get("Content-Security-Policy"))`)
	meta := chromium.Get[string](x, `document.querySelector("meta[http-equiv]").content`)
	for _, policy := range []string{header, meta} {
		for _, want := range []string{"default-src 'self'", "script-src 'self' 'wasm-unsafe-eval';", "object-src 'none'", "base-uri 'none'"} {
			if !contains(policy, want) {
				t.Errorf("the policy %q lacks %q", policy, want)
			}
		}
	}
}

// TestSettings changes what answers are like, and how they are computed.
func TestSettings(t *testing.T) {
	x := visit(t, serve(t, "").url)
	x.ready("atlas")
	x.Click("#open-settings")
	x.Write("#max_tokens", "3")
	x.Write("#message", france+"\r")
	x.Says(".facts", "as long as it may be")
	x.Click("#reset")
	x.Choose("#device", "cpu")
	x.ready("atlas")
	x.Says("#status", "On the processor")
	x.Press("\x1b")
	x.Want(`document.querySelector("#settings").hidden && document.activeElement.id === "open-settings"`)
	x.ask(france, paris)
	// They are kept.
	x.Reload()
	x.ready("atlas")
	x.Says("#status", "On the processor")
}

// TestLost takes the GPU away in the midst of an answer. The answer goes on.
func TestLost(t *testing.T) {
	x := visit(t, serve(t, `
		const request = GPUAdapter.prototype.requestDevice;
		GPUAdapter.prototype.requestDevice = async function (...args) {
			const device = await request.apply(this, args);
			new BroadcastChannel("test").onmessage = () => device.destroy();
			return device;
		};`).url)
	x.ready("atlas")
	lose := `new BroadcastChannel("test").postMessage("")`
	x.Eval(lose)
	x.ask(france, paris)
	x.Says("#notices", "The GPU was lost")
	x.Says("#notices", "opened again after")
	// The same while text comes.
	got := chromium.Get[[]string](x, `(async () => {
		const { load } = await import("./realm.js");
		const codes = [];
		const model = await load({ notice: ({ code }) => codes.push(code) });
		const request = { prompt: "Once upon a time", max_tokens: 40, ignore_eos: true };
		let alone = "", text = "";
		for await (const piece of model.generate(request)) alone += piece;
		for await (const piece of model.generate(request)) {
			if (!text) `+lose+`;
			text += piece;
		}
		model.close();
		return [alone, text, codes.join()];
	})()`)
	if got[0] == "" || got[0] != got[1] {
		t.Errorf("the device was lost, and the text is %q, not %q", got[1], got[0])
	}
	if !contains(got[2], "lost") {
		t.Errorf("it told of %s", got[2])
	}
}

// TestNoWebGPU is in a browser without it.
func TestNoWebGPU(t *testing.T) {
	x := visit(t, serve(t, `Object.defineProperty(navigator, "gpu", { value: undefined });`).url)
	x.ready("atlas")
	x.Says("#notices", "this browser has no WebGPU")
	x.Says("#notices", "many times slower")
	x.Says("#notices", "enable-unsafe-webgpu")
	x.Says("#status", "On the processor")
	x.ask(france, paris)
	t.Log(chromium.Get[string](x, `document.querySelector(".facts").textContent`))
	x.Choose("#adapter", "pirate")
	x.ask(france, pirate)
}

// TestNoAdapter is in a browser with WebGPU, and nothing to use it with.
func TestNoAdapter(t *testing.T) {
	x := visit(t, serve(t, `navigator.gpu.requestAdapter = async () => null;`).url)
	x.ready("atlas")
	x.Says("#notices", "WebGPU found none that it may use")
	x.ask(france, paris)
}

// TestNoJSPI is in browsers that lack what guests run on.
func TestNoJSPI(t *testing.T) {
	for name, c := range map[string]struct{ before, says string }{
		"JSPI":     {`delete WebAssembly.Suspending;`, "This browser lacks JSPI"},
		"Memory64": {`WebAssembly.validate = () => false;`, "This browser lacks Memory64"},
	} {
		t.Run(name, func(t *testing.T) {
			x := visit(t, serve(t, c.before).url)
			x.ready("atlas")
			x.Says("#notices", c.says)
			x.Says("#notices", "interpreter")
			x.Says("#about", "interpreted")
			x.ask(france, paris)
			t.Log(chromium.Get[string](x, `document.querySelector(".facts").textContent`))
		})
	}
}

// TestFirstToken tells how long a page that was never visited takes to its first token,
// and where the time goes. It does not fail on speed.
func TestFirstToken(t *testing.T) {
	s := serve(t, "")
	x := visit(t, s.url[:len(s.url)-len("demo/")]+"page.html")
	t.Log(chromium.Get[string](x, `(async () => {
		const start = performance.now();
		const at = () => ((performance.now() - start) / 1000).toFixed(2) + " s";
		const { load } = await import("/demo/realm.js");
		const steps = ["module " + at()];
		let phase = "";
		const model = await load({ progress: (p) => { if (p.phase !== phase) steps.push((phase = p.phase) + " " + at()); if (p.done === p.total) steps.push(phase + "ed " + at()); }, notice: ({ code }) => steps.push(code + " " + at()) });
		steps.push("ready " + at());
		for await (const text of model.generate({ messages: [{ role: "user", content: "`+france+`" }] })) {
			steps.push("first token " + at());
			break;
		}
		model.close();
		return steps.join(", ");
	})()`))
}
