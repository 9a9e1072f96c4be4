package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/chromium"
	"github.com/realm-webgpu/realm/web/demo/build"
)

// TestModule uses the ES module from a page of someone else's.
func TestModule(t *testing.T) {
	s := serve(t, "")
	x := visit(t, strings.TrimSuffix(s.url, "/demo/")+"/page.html")
	for _, c := range []struct{ name, code, want string }{
		{"load and generate", `
			const phases = new Set();
			const model = await load({ progress: ({ phase, done, total }) => phases.add(phase + (done <= total)) });
			window.model = model;
			let text = "";
			const answer = model.generate({ messages: [{ role: "user", content: "` + france + `" }] });
			for await (const piece of answer) text += piece;
			const { finish_reason, usage, timings } = await answer.done;
			return [text, finish_reason, usage.completion_tokens, timings.first_token_seconds > 0, [...phases].sort()].join("|");`,
			paris + "|stop|9|true|downloadtrue,loadtrue"},
		{"about", `return [model.about.name, model.about.architecture, model.about.context, model.about.device.backend, model.notices.map((n) => n.code)].join("|");`,
			"atlas|llama|512|webgpu|software-adapter"},
		{"abort", `
			const answer = model.generate({ prompt: "Once", max_tokens: 400, ignore_eos: true });
			let pieces = 0;
			for await (const piece of answer) if (++pieces === 3) answer.abort();
			const error = await answer.done.catch((e) => e);
			return [pieces < 100, error.name, error.code].join("|");`,
			"true|RealmError|aborted"},
		{"a signal", `
			const controller = new AbortController();
			const answer = model.generate({ prompt: "Once", max_tokens: 400, ignore_eos: true, signal: controller.signal });
			let pieces = 0;
			for await (const piece of answer) if (++pieces === 3) controller.abort();
			return [pieces < 100, (await answer.done.catch((e) => e)).code].join("|");`,
			"true|aborted"},
		{"a loop that is left", `
			const answer = model.generate({ prompt: "Once", max_tokens: 400, ignore_eos: true });
			for await (const piece of answer) break;
			return (await answer.done.catch((e) => e)).code;`,
			"aborted"},
		{"several at once", `
			const ask = async (content) => {
				let text = "";
				for await (const piece of model.generate({ messages: [{ role: "user", content }] })) text += piece;
				return text;
			};
			return (await Promise.all([ask("` + france + `"), ask("Where is Oslo?"), ask("` + france + `")])).map((t) => t.includes("Paris")).join();`,
			"true,false,true"},
		{"an adapter", `
			await model.addAdapter("p", "/demo/pirate.gguf");
			let text = "";
			for await (const piece of model.generate({ messages: [{ role: "user", content: "` + france + `" }], adapter: "p" })) text += piece;
			return text;`,
			pirate},
		{"a schema", `
			let text = "";
			const grammar = { kind: "schema", text: JSON.stringify({ type: "object", properties: { sure: { type: "boolean" } }, required: ["sure"], additionalProperties: false }) };
			for await (const piece of model.generate({ messages: [{ role: "user", content: "Is it?" }], grammar, max_tokens: 50 })) text += piece;
			return typeof JSON.parse(text).sure;`,
			"boolean"},
		{"errors", `
			const codes = [];
			const code = async (work) => { try { await work(); codes.push("none"); } catch (e) { codes.push(e.code); } };
			const all = async (request) => { for await (const piece of model.generate(request)); };
			await code(() => all({ prompt: "x".repeat(9000) }));
			await code(() => all({ prompt: "x", adapter: "none" }));
			await code(() => all({ prompt: "x", n: 2 }));
			await code(() => load({ model: "/none.gguf", store: false }));
			await code(() => load({ model: new Blob(["no model"]) }));
			await code(() => load({ signal: AbortSignal.abort() }));
			model.close();
			await code(() => all({ prompt: "x" }));
			return codes.join();`,
			"context,adapter,failed,network,format,aborted,stopped"},
		{"a Blob, on the processor, of a shorter context", `
			const model = await load({ model: await (await fetch("/some.gguf")).blob(), name: "blob", device: "cpu", context: 128, adapters: { p: "/demo/pirate.gguf" } });
			let text = "";
			for await (const piece of model.generate({ messages: [{ role: "user", content: "` + france + `" }], adapter: "p" })) text += piece;
			model.close();
			return [text, model.about.name, model.about.context, model.about.device.backend].join("|");`,
			pirate + "|blob|128|cpu"},
		{"abort, on the processor", `
			const model = await load({ device: "cpu" });
			const answer = model.generate({ prompt: "Once", max_tokens: 400, ignore_eos: true });
			let pieces = 0;
			for await (const piece of answer) if (++pieces === 3) answer.abort();
			const { code } = await answer.done.catch((e) => e);
			model.close();
			return [pieces < 100, code].join("|");`,
			"true|aborted"},
		{"stored models", `
			const url = new URL("/some.gguf", location.href).href;
			(await load({ model: "/some.gguf" })).close();
			const before = await stored();
			await remove(url);
			return JSON.stringify([before, await stored()]).replace(url, "URL");`,
			`[[{"url":"URL","name":"some.gguf","bytes":3956384}],[]]`},
	} {
		got := chromium.Get[string](x, `(async () => { const { load, stored, remove } = await import("/demo/realm.js"); `+c.code+` })()`)
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestSize holds the program to what it may take. It is less where more time is spent on
// its compression.
func TestSize(t *testing.T) {
	dir, err := dist()
	if err != nil {
		t.Fatal(err)
	}
	code := int64(0)
	files, err := filepath.Glob(filepath.Join(dir, "*.br"))
	if err != nil || len(files) < 10 {
		t.Fatalf("published %v: %v", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if !contains(file, ".gguf") && !contains(file, "realm-interpreter") {
			code += info.Size()
		}
	}
	t.Logf("%d bytes of code", code)
	if code > build.MaxProgram {
		t.Errorf("the code takes %d bytes, at most %d", code, build.MaxProgram)
	}
}
