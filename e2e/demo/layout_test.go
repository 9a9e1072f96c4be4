package demo

import (
	"fmt"
	"testing"

	"github.com/realm-webgpu/realm/e2e/chromium"
)

// TestLayout looks at the page at the widths of a phone, a tablet and a screen, in light
// and in the dark: nothing stands out of it, or over something else. Pictures are kept.
func TestLayout(t *testing.T) {
	x := visit(t, serve(t, "").url)
	x.ready("atlas")
	check := func(state string) {
		t.Helper()
		for _, scheme := range []string{"light", "dark"} {
			x.Prefer("prefers-color-scheme", scheme)
			for _, size := range [][2]int64{{360, 740}, {820, 1100}, {1280, 800}} {
				x.Size(size[0], size[1])
				x.Keep(fmt.Sprintf("%s-%d-%s", state, size[0], scheme))
				problems := chromium.Get[[]string](x, `(() => {
					const problems = [];
					if (document.documentElement.scrollWidth > innerWidth) problems.push("it is wider than the screen");
					for (const e of document.querySelectorAll("button, input, select, textarea, label, h1, h2, summary, p, dt, dd")) {
						const r = e.getBoundingClientRect();
						if (r.width === 0 || r.height === 0 || e.closest(".hidden, .skip, .panel, #scroll")) continue;
						if (r.left < -1 || r.right > innerWidth + 1) problems.push(e.outerHTML.slice(0, 60) + " stands out");
					}
					for (const e of document.querySelectorAll("button, select, label.button")) {
						const r = e.getBoundingClientRect();
						if (r.height > 0 && r.height < 24) problems.push(e.outerHTML.slice(0, 60) + " is too small to hit");
					}
					return problems;
				})()`)
				for _, p := range problems {
					t.Errorf("%s, %d wide, %s: %s", state, size[0], scheme, p)
				}
			}
		}
		x.Size(1280, 800)
	}
	check("welcome")
	x.ask(france, paris)
	x.ask("Tell me about Brazil.", brazil)
	x.Click("#notices summary")
	check("chat")
	x.Click("#open-settings")
	check("settings")
	x.Click("#open-settings")
	x.Click("#open-models")
	check("models")
}

// TestAccessible looks for what people need who do not see the page, or have no mouse.
func TestAccessible(t *testing.T) {
	x := visit(t, serve(t, "").url)
	x.ready("atlas")
	x.Prefer("prefers-reduced-motion", "reduce")
	problems := chromium.Get[[]string](x, `(() => {
		const problems = [];
		const named = (e) => (e.labels?.length && [...e.labels].some((l) => l.textContent.trim())) || e.getAttribute("aria-label") || e.textContent.trim();
		for (const e of document.querySelectorAll("button, input, select, textarea")) if (!named(e)) problems.push(e.outerHTML + " has no name");
		if (document.getAnimations().length > 0) problems.push("something moves");
		const luminance = (c) => {
			const [r, g, b] = c.match(/[\d.]+/g).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
			return 0.2126 * r + 0.7152 * g + 0.0722 * b;
		};
		const behind = (e) => {
			for (; e; e = e.parentElement) {
				const c = getComputedStyle(e).backgroundColor;
				if (!/, 0\)$/.test(c) && c !== "transparent") return c;
			}
			return "rgb(255, 255, 255)";
		};
		for (const e of document.querySelectorAll("h1, h2, p, button, summary, label, .where")) {
			if (!e.textContent.trim() || e.disabled || e.getBoundingClientRect().height === 0 || e.closest(".hidden, .skip")) continue;
			const [a, b] = [luminance(getComputedStyle(e).color), luminance(behind(e))].sort((a, b) => b - a);
			if ((a + 0.05) / (b + 0.05) < 4.5) problems.push(e.outerHTML.slice(0, 80) + " has a contrast of " + (a + 0.05) / (b + 0.05));
		}
		return problems;
	})()`)
	for _, p := range problems {
		t.Error(p)
	}
	// By keys alone: settings and models are opened and closed, a question is asked.
	x.Focus("#open-models")
	x.Press("\r")
	x.Want(`document.querySelector("#models").open && document.querySelector("#models").contains(document.activeElement)`)
	x.Press("\x1b")
	x.Want(`!document.querySelector("#models").open && document.activeElement.id === "open-models"`)
	x.Focus("#message")
	x.Press(france + "\r")
	x.Says(".reply .text", paris)
	x.Want(`document.querySelector("#spoken").textContent.includes("Paris")`)
}
