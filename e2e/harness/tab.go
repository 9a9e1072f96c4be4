package harness

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/realm-webgpu/realm/e2e/chromium"
	"github.com/realm-webgpu/realm/e2e/realm"
)

// tab is a tab of a browser and the person before it. The first thing that goes wrong is
// kept in err, and what comes after it does nothing, so that what a person does can be
// written down as a list.
type tab struct {
	ctx context.Context
	rig *Rig
	err error
	// broken is what was found in how the page is laid out.
	broken []string
}

// watch notes what goes wrong in a page: errors that nobody takes, and what its policy
// stops.
const watch = `window.harnessFaults = [];
addEventListener("error", (event) => harnessFaults.push(event.message || "a file was not loaded"));
addEventListener("unhandledrejection", (event) => harnessFaults.push("unhandled: " + event.reason));
addEventListener("securitypolicyviolation", (event) => harnessFaults.push("stopped by the policy: " + event.violatedDirective + " " + event.blockedURI));`

// visit opens a page in a browser of its own, which ends with the check. Errors: a
// *Missing.
func (r *Rig) visit(ctx context.Context, url string) (*tab, error) {
	opened, stop, err := chromium.Start(ctx, chromium.Options{})
	if errors.Is(err, chromium.ErrMissing) {
		return nil, &Missing{What: "browser", Require: "REALM_REQUIRE_BROWSER", Err: err}
	}
	if err != nil {
		return nil, err
	}
	r.ends = append(r.ends, stop)
	t := &tab{ctx: opened, rig: r}
	if _, err := chromedp.Call(opened, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch}); err != nil {
		return nil, err
	}
	t.do("open "+url, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(url))
	return t, t.err
}

// do does actions.
func (t *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	if t.err != nil {
		return
	}
	bounded, cancel := context.WithTimeout(t.ctx, realm.Patience)
	defer cancel()
	if err := chromedp.Do(bounded, actions...); err != nil {
		t.fail(fmt.Errorf("%s: %w", what, err))
	}
}

// fail keeps an error, with what the page says, and a picture of it.
func (t *tab) fail(err error) {
	bounded, cancel := context.WithTimeout(t.ctx, time.Minute)
	defer cancel()
	if text, e := chromedp.Run(bounded, chromedp.Evaluate[string]("document.body.innerText")); e == nil {
		err = fmt.Errorf("%w\nthe page says:\n%s", err, clip(strings.TrimSpace(text), 2000))
	}
	if picture, e := chromedp.Run(bounded, chromedp.CaptureScreenshot()); e == nil {
		t.rig.Keep("failed.png", picture)
	}
	t.err = err
}

// clip shortens a text to so many bytes.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most] + " ..."
}

// get evaluates an expression, and waits for it where it is a promise.
func get[T any](t *tab, expression string) T {
	var zero T
	if t.err != nil {
		return zero
	}
	bounded, cancel := context.WithTimeout(t.ctx, realm.Patience)
	defer cancel()
	v, err := chromedp.Run(bounded, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.fail(fmt.Errorf("%s: %w", clip(expression, 200), err))
	}
	return v
}

// wait waits until an expression is true.
func (t *tab) wait(what, expression string) {
	if t.err != nil {
		return
	}
	_, err := chromedp.Run(t.ctx, chromedp.Poll[bool]("Boolean("+expression+")", chromedp.WithPollingTimeout(realm.Patience), chromedp.WithPollingInterval(20*time.Millisecond)))
	if err != nil {
		t.fail(fmt.Errorf("waited in vain until %s: %w", what, err))
	}
}

// click clicks on what a selector finds.
func (t *tab) click(selector string) {
	t.do("click "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// strike clicks where a selector finds something, if that is there to be clicked on.
func (t *tab) strike(selector string) {
	at := get[[]float64](t, fmt.Sprintf(`((e) => {
		const { left, top, width, height } = e.getBoundingClientRect();
		return e.checkVisibility() ? [left + width / 2, top + height / 2] : [];
	})(document.querySelector(%q))`, selector))
	if len(at) == 2 {
		t.do("strike "+selector, chromedp.MouseClickXY(at[0], at[1]))
	}
}

// write writes into what a selector finds.
func (t *tab) write(selector, text string) {
	t.do("write into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

// press presses keys, where the focus is.
func (t *tab) press(keys string) { t.do("press keys", chromedp.KeyEvent(keys)) }

// enter presses Enter, where the focus is, as a keyboard does: what a page does not want
// of it is not written.
func (t *tab) enter() {
	key := input.DispatchKeyEventParams{Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13, NativeVirtualKeyCode: 13}
	down, up := key, key
	down.Type, down.Text, up.Type = input.DispatchKeyEventTypeKeyDown, "\r", input.DispatchKeyEventTypeKeyUp
	t.do("press Enter", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		for _, event := range []input.DispatchKeyEventParams{down, up} {
			if _, err := cdp.Call(ctx, target, input.DispatchKeyEvent, event); err != nil {
				return err
			}
		}
		return nil
	}))
}

// pick chooses an option of a select by the letters that its name begins with.
func (t *tab) pick(selector, name string) {
	t.wait(selector+" can be used", fmt.Sprintf("!document.querySelector(%q).disabled", selector))
	t.do("focus "+selector, chromedp.Focus(chromedp.CSS(selector)))
	t.press(name)
	t.want(selector, fmt.Sprintf("document.querySelector(%q).selectedOptions[0].textContent", selector), name)
}

// want wants the value of an expression that is a text.
func (t *tab) want(what, expression, text string) {
	got := get[string](t, expression)
	if t.err == nil && got != text {
		t.fail(fmt.Errorf("%s: got %q, want %q", what, got, text))
	}
}

// size makes the page so many CSS pixels large, and waits until it has seen to that.
func (t *tab) size(width, height int64) {
	t.do("resize", chromedp.EmulateViewport(width, height))
	t.settle()
}

// settle waits until what moves has come to rest and is painted.
func (t *tab) settle() {
	get[bool](t, `Promise.allSettled(document.getAnimations().filter((a) => Number.isFinite(a.effect.getComputedTiming().endTime)).map((a) => a.finished))
		.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))`)
}

// prefer sets a preference of the person's, which media queries ask for.
func (t *tab) prefer(name, value string) {
	if t.err != nil {
		return
	}
	_, err := chromedp.Call(t.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: name, Value: value}},
	})
	if err != nil {
		t.fail(fmt.Errorf("prefer %s: %w", name, err))
	}
}

// picture returns a picture of what is seen, as a PNG.
func (t *tab) picture() []byte {
	if t.err != nil {
		return nil
	}
	picture, err := chromedp.Run(t.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.fail(fmt.Errorf("picture: %w", err))
	}
	return picture
}

// keep keeps a picture of what is seen among the artifacts.
func (t *tab) keep(name string) {
	if picture := t.picture(); t.err == nil {
		t.rig.Keep(name+".png", picture)
	}
}

// well is what went wrong with the person or in the page, nil if nothing did.
func (t *tab) well() error {
	if faults := get[[]string](t, "window.harnessFaults"); t.err == nil && len(faults) > 0 {
		t.fail(fmt.Errorf("in the page went wrong: %q", faults))
	}
	if t.err == nil && len(t.broken) > 0 {
		t.err = fmt.Errorf("%d things are broken in the layout:\n%s", len(t.broken), strings.Join(t.broken, "\n"))
	}
	return t.err
}
