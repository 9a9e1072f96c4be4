package chromium

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	interval = 20 * time.Millisecond // between two looks at what is waited for
	reminder = 20 * time.Second      // after which it is said that it is waited for still
)

// Want waits until an expression is true. One that throws is not true yet.
func (t *Tab) Want(expression string) {
	t.owner.Helper()
	t.Wait(expression, expression)
}

// Wait is Want for an expression that does not speak for itself.
func (t *Tab) Wait(until, expression string) {
	t.owner.Helper()
	t.until(until, "Boolean(await ("+expression+")) || 'it is not so'")
}

// Says waits until an element has a text.
func (t *Tab) Says(selector, text string) {
	t.owner.Helper()
	t.until(fmt.Sprintf("%s says %q", selector, text), fmt.Sprintf(`((texts) => texts.some((t) => t.includes(%q)) || "it says " + JSON.stringify(texts))
		([...document.querySelectorAll(%q)].map((e) => e.textContent))`, text, selector))
}

// until waits until an expression is true, which may be so of another page than that which
// is there now. Its value is a string where it is not, and says why.
func (t *Tab) until(what, expression string) {
	t.owner.Helper()
	if t.Err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(t.Ctx, t.patience)
	defer cancel()
	look := chromedp.Evaluate[string](`(async () => { try { const so = `+expression+`; return so === true ? "" : String(so); } catch (error) { return String(error); } })()`,
		chromedp.EvalAwaitPromise, gesture)
	start, told, why := time.Now(), time.Now(), "the page did not answer"
	for {
		now, err := chromedp.Run(ctx, look)
		var thrown *chromedp.ExceptionError
		switch {
		case err == nil && now == "":
			return
		case err == nil:
			why = now
		case errors.As(err, &thrown): // what does not parse never gets true
			t.Fail(fmt.Errorf("wait until %s: %w", what, err))
			return
		case ctx.Err() == nil:
			why = err.Error() // such as that the page is being left
		}
		if time.Since(told) > reminder {
			told = time.Now()
			t.owner.Logf("for %v now: wait until %s: %s", time.Since(start).Round(time.Second), what, clip(why, 200))
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			t.Fail(fmt.Errorf("waited for %v in vain until %s: %s: %w", time.Since(start).Round(time.Second), what, clip(why, 1000), context.Cause(ctx)))
			return
		}
	}
}

// view is an expression of what a person sees of a page: where it is, what it says of
// itself and of errors, where the focus is, and its text.
const view = `(() => {
	const lines = ["at " + location.href + ", " + document.readyState];
	const say = (name, text) => { if (text = text?.replace(/\s+/g, " ").trim()) lines.push(name + ": " + text); };
	for (const e of document.querySelectorAll("[role=status], [role=alert], .fault, .notice, dialog[open] h2"))
		if (e.checkVisibility()) say(e.id || e.className || e.role || e.localName, e.textContent);
	say("faults", (window.faults ?? []).join("; "));
	const focus = document.activeElement;
	if (focus) say("focus", focus.localName + (focus.id && "#" + focus.id));
	lines.push("the page says:", document.body?.innerText ?? "");
	return lines.join("\n");
})()`

// shown is what the page shows, and its console has, for errors.
func (t *Tab) shown(ctx context.Context) string {
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](view))
	if err != nil {
		text = fmt.Sprintf("the page does not say what it shows: %v", fault(ctx, err))
	}
	return clip(strings.TrimSpace(text), 4000) + "\n" + t.console.String()
}

// clip shortens a text to so many bytes.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most] + " ..."
}
