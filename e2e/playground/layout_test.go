package playground

import (
	"fmt"
	"testing"

	"github.com/realm-webgpu/realm/e2e/chromium"
)

// sizes are those of a phone, a tablet and a laptop.
var sizes = [][2]int64{{360, 740}, {768, 1024}, {1280, 800}}

// overflow lists what sticks out of the page at a side.
const overflow = `[...document.querySelectorAll("body *")].filter((e) => {
	const box = e.getBoundingClientRect();
	return e.checkVisibility() && box.width > 0 && (box.right > innerWidth + 1 || box.left < -1) && !e.closest(".hidden, .skip, pre, svg");
}).map((e) => e.tagName + "#" + e.id + "." + e.className).concat(document.documentElement.scrollWidth > innerWidth ? ["the page"] : [])`

// pale lists texts whose contrast is below 4.5:1 (WCAG 2.2, 1.4.3), by their colours.
const pale = `(() => {
	const numbers = (c) => {
		const n = c.match(/[\d.]+/g).map(Number);
		return c.startsWith("color(srgb") ? [...n.slice(0, 3).map((v) => v * 255), n[3] ?? 1] : [n[0], n[1], n[2], n[3] ?? 1];
	};
	const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3]));
	const ground = (e) => {
		if (!e) return numbers(getComputedStyle(document.documentElement).backgroundColor);
		const own = numbers(getComputedStyle(e).backgroundColor);
		return own[3] === 1 ? own : [...over(own, ground(e.parentElement)), 1];
	};
	const light = (c) => {
		const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	return [...document.querySelectorAll("body *")].flatMap((e) => {
		const written = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
		if (!written || !e.checkVisibility({ opacityProperty: true }) || e.closest(":disabled, [inert], .hidden, noscript, svg")) return [];
		const under = ground(e), a = light(over(numbers(getComputedStyle(e).color), under)), b = light(under);
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		return ratio < 4.5 ? [e.tagName + "." + e.className + " " + e.textContent.slice(0, 20) + " " + ratio.toFixed(2)] : [];
	});
})()`

// nameless lists controls that nobody can tell who does not see them.
const nameless = `[...document.querySelectorAll("button, input, select, textarea, summary, dialog, [role=img], [role=option]")].filter((e) =>
	!(e.ariaLabel || e.labels?.length || e.getAttribute("aria-labelledby") || e.textContent.trim() && !e.matches("select, textarea"))).map((e) => e.outerHTML.slice(0, 80))`

// looks takes the page as it is: nothing sticks out, all can be read and has a name.
func (x *tab) looks(name string) {
	x.Helper()
	for what, expression := range map[string]string{"sticks out": overflow, "cannot be read well": pale, "has no name": nameless} {
		if found := chromium.Get[[]string](x, expression); len(found) > 0 {
			x.Errorf("%s: %s: %q", name, what, found)
		}
	}
	x.Keep(name)
}

// TestLayout goes through the page at three widths, in light and dark.
func TestLayout(t *testing.T) {
	url := serve(t, nil)
	for _, scheme := range []string{"light", "dark"} {
		for _, size := range sizes {
			t.Run(fmt.Sprintf("%s-%d", scheme, size[0]), func(t *testing.T) {
				x := visit(t, url)
				x.Size(size[0], size[1])
				x.Prefer("prefers-color-scheme", scheme)
				x.reload()
				x.Want(`document.querySelectorAll(".example").length == 4`)
				x.looks("empty")
				x.Choose("#adapter", "pirate")
				x.Choose("#beside", "terse")
				x.ask("What is the capital of the Democratic Republic of the Congo?")
				x.Choose("#beside", "")
				x.Choose("#adapter", "none")
				x.ask("A_word_that_is_longer_than_the_page_is_wide_and_has_nowhere_to_be_broken_as_an_address_would_be")
				x.ask("Tell me about Japan.")
				x.looks("chat")
				x.Click("#figures summary")
				x.Want(`document.querySelector("#figure-table").textContent.includes("Server now")`)
				x.looks("figures")
				x.Click("#figures summary")
				x.Click("#open-settings")
				x.Eval(`document.querySelector("#settings details").open = true`)
				x.Write("#top_k", "-3")
				x.Write("#schema", `{"type": `)
				x.looks("settings")
				x.Eval(`document.querySelector("#settings").scrollTop = 1e6`)
				x.looks("more-settings")
				x.ClickText("Back to what is usual")
				x.Click("[name=tokens]")
				x.Click("#settings .close")
				x.ask("Which country has Oslo as its capital?")
				x.Click(".token:nth-child(3)")
				x.Want(`document.querySelector(".candidates tr")`)
				x.looks("tokens")
				x.ClickText("Code")
				x.looks("code")
				x.Click("#code .close")
				if size[0] < 1024 {
					x.Click("#open-chats")
					x.looks("chats")
				}
			})
		}
	}
}

// focus moves by Tab until an expression of the element that has the focus, e, is true.
func (x *tab) focus(expression string) {
	x.Helper()
	for range 60 {
		if chromium.Get[bool](x, "((e) => Boolean("+expression+"))(document.activeElement)") {
			// Where the focus is can be seen.
			if !chromium.Get[bool](x, `((e) => getComputedStyle(e).outlineStyle != "none" || e.id == "message")(document.activeElement)`) {
				x.Errorf("%s: the focus cannot be seen", expression)
			}
			return
		}
		x.Press("\t")
	}
	x.Fatalf("%s: not found in 60 steps", expression)
}

// TestKeyboard does without a mouse what one does: ask, edit, look at tokens, set, choose
// a chat.
func TestKeyboard(t *testing.T) {
	x := visit(t, serve(t, nil))
	x.Size(768, 1024)
	x.connected()
	x.Want(`document.activeElement.id == "message"`)
	x.Press(france)
	x.Press("\r")
	x.Want(exchanges + " == 1")
	x.idle()
	x.wantAnswers(paris)

	x.focus(`e.ariaLabel == "Edit this message"`)
	x.Press("\r")
	x.Want(`document.activeElement.matches(".editor textarea")`)
	x.Press("\u001b") // Escape leaves it as it was
	x.Want(`document.activeElement.ariaLabel == "Edit this message"`)

	x.focus(`e.id == "open-settings"`)
	x.Press("\r")
	x.Want(`document.querySelector("#settings").contains(document.activeElement)`)
	x.focus(`e.name == "tokens"`)
	x.Press(" ")
	x.Press("\u001b")
	x.Want(`document.querySelector("#settings").hidden && document.activeElement.id == "open-settings"`)

	x.focus(`e.ariaLabel == "Ask again"`)
	x.Press("\r")
	x.Want(`document.querySelector(".versions")`)
	x.idle()
	x.focus(`e.ariaLabel == "Earlier answer"`)
	x.Press("\r")
	x.Want(`document.querySelector(".versions").textContent.includes("1 of 2") && document.activeElement.id == "message"`)
	x.focus(`e.ariaLabel == "Later answer"`)
	x.Press("\r")
	x.Want(`document.querySelector(".versions").textContent.includes("2 of 2")`)
	x.focus(`e.matches(".token")`)
	x.Press("\r")
	x.Press("\u0303")
	x.Want(`document.activeElement == document.querySelector(".token:nth-child(2)") && document.querySelector(".candidates tr")`)

	x.focus(`e.id == "open-chats"`)
	x.Press("\r")
	x.focus(`e.id == "new-chat"`)
	x.Press("\r")
	x.Want(exchanges + ` == 0 && document.activeElement.id == "message"`)
	x.Press("Hello!\r")
	x.Want(exchanges + " == 1")
	x.idle()
}

// TestReducedMotion moves nothing for those who do not want it.
func TestReducedMotion(t *testing.T) {
	x := visit(t, serve(t, slow))
	x.Prefer("prefers-reduced-motion", "reduce")
	x.askLong()
	if n := chromium.Get[int](x, `document.getAnimations().length`); n != 0 {
		t.Errorf("%d things move", n)
	}
	x.Click("#stop")
	x.idle()
}
