package chromium

import (
	"fmt"

	"github.com/chromedp/chromedp"
)

// reach is a function of an element that tells whether a person could click on it: true,
// or why not. What is scrolled out of sight is brought there.
const reach = `(e) => {
	if (!e) return "it is not there";
	if (!e.checkVisibility()) return "it is not shown";
	if (e.matches(":disabled") || e.closest("[inert]")) return "it cannot be used now";
	e.scrollIntoViewIfNeeded();
	const { left, top, width, height } = e.getClientRects()[0];
	const there = document.elementFromPoint(left + width / 2, top + height / 2);
	return e.contains(there) || "something is over it: " + there?.outerHTML.slice(0, 80);
}`

// Click clicks on what a selector finds, as soon as it is there to be clicked on. It is
// found, looked at and clicked on in one go, so that it may move, or be made anew,
// meanwhile.
func (t *Tab) Click(selector string) {
	t.owner.Helper()
	t.click(selector, fmt.Sprintf("document.querySelector(%q)", selector))
}

// ClickText clicks on the last button that has a text and can be clicked on.
func (t *Tab) ClickText(text string) {
	t.owner.Helper()
	t.click(fmt.Sprintf("the button %q", text), fmt.Sprintf(`[...document.querySelectorAll("button")].filter((b) => b.textContent === %q && b.checkVisibility() && !b.disabled).at(-1)`, text))
}

// click clicks on an element that an expression finds. It has the focus first, as it has
// where a mouse goes down on it; what hears of that may take it away.
func (t *Tab) click(what, element string) {
	t.owner.Helper()
	t.until(what+" is clicked on", `((e) => {
		const reached = (`+reach+`)(e);
		if (reached !== true) return reached;
		e.focus({ preventScroll: true });
		if (!e.isConnected) return "it was taken away";
		e.click();
		return true;
	})(`+element+`)`)
}

// Focus has what a selector finds have the focus, as soon as it can.
func (t *Tab) Focus(selector string) {
	t.owner.Helper()
	t.until(selector+" has the focus", fmt.Sprintf(`((e) => {
		if (!e?.checkVisibility() || e.matches(":disabled")) return "it cannot be used now";
		e.focus();
		return document.activeElement === e || "it does not take it";
	})(document.querySelector(%q))`, selector))
}

// Write replaces the value of a control, by keys.
func (t *Tab) Write(selector, text string) {
	t.owner.Helper()
	t.Focus(selector)
	t.Eval("document.activeElement.select()")
	t.Press("\b" + text)
}

// Press presses keys, where the focus is.
func (t *Tab) Press(keys string) {
	t.owner.Helper()
	t.Do("press keys", chromedp.KeyEvent(keys))
}

// Choose chooses the option of a select that has a value, as soon as it is there.
func (t *Tab) Choose(selector, value string) {
	t.owner.Helper()
	t.until(fmt.Sprintf("%s has %q chosen", selector, value), fmt.Sprintf(`((e, value) => {
		if (!e?.checkVisibility() || e.matches(":disabled")) return "it cannot be used now";
		if (![...e.options].some((o) => o.value === value && !o.disabled)) return "it has no such option";
		e.value = value;
		for (const name of ["input", "change"]) e.dispatchEvent(new Event(name, { bubbles: true }));
		return true;
	})(document.querySelector(%q), %q)`, selector, value))
}

// Text is that of the first element that a selector finds, "" where there is none.
func (t *Tab) Text(selector string) string {
	t.owner.Helper()
	return Get[string](t, fmt.Sprintf(`document.querySelector(%q)?.textContent ?? ""`, selector))
}
