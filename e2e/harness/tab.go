package harness

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/realm-webgpu/realm/e2e/chromium"
)

// tab is a tab of a browser, and the person before it. Its Err is the first thing that went
// wrong, after which the person does nothing any more.
type tab struct {
	*chromium.Tab
	// broken is what was found in how the page is laid out.
	broken []string
}

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
	t := &tab{Tab: chromium.NewTab(opened, owner{r}, url)}
	return t, t.Err
}

// owner has a rig own a tab: what goes wrong in it is the check's to return.
type owner struct{ rig *Rig }

// Helper implements chromium.Owner.
func (owner) Helper() {}

// Fatal implements chromium.Owner.
func (owner) Fatal(...any) {}

// Logf implements chromium.Owner.
func (o owner) Logf(format string, args ...any) { o.rig.Note(format, args...) }

// Keep implements chromium.Owner.
func (o owner) Keep(name string, picture []byte) { o.rig.Keep(name+".png", picture) }

// strike clicks where a selector finds something, if that is there to be clicked on.
func (t *tab) strike(selector string) {
	at := chromium.Get[[]float64](t, fmt.Sprintf(`((e) => {
		const { left, top, width, height } = e.getBoundingClientRect();
		return e.checkVisibility() ? [left + width / 2, top + height / 2] : [];
	})(document.querySelector(%q))`, selector))
	if len(at) == 2 {
		t.Do("strike "+selector, chromedp.MouseClickXY(at[0], at[1]))
	}
}

// enter presses Enter, where the focus is, as a keyboard does: what a page does not want
// of it is not written.
func (t *tab) enter() {
	key := input.DispatchKeyEventParams{Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13, NativeVirtualKeyCode: 13}
	down, up := key, key
	down.Type, down.Text, up.Type = input.DispatchKeyEventTypeKeyDown, "\r", input.DispatchKeyEventTypeKeyUp
	t.Do("press Enter", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
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
	t.Focus(selector)
	t.Press(name)
	t.want(selector, fmt.Sprintf("document.querySelector(%q).selectedOptions[0].textContent", selector), name)
}

// want wants the value of an expression that is a text.
func (t *tab) want(what, expression, text string) {
	got := chromium.Get[string](t, expression)
	if t.Err == nil && got != text {
		t.Fail(fmt.Errorf("%s: got %q, want %q", what, got, text))
	}
}

// well is what went wrong with the person or in the page, nil if nothing did.
func (t *tab) well() error {
	if faults := t.Faults(); t.Err == nil && len(faults) > 0 {
		t.Fail(fmt.Errorf("in the page went wrong: %q", faults))
	}
	if t.Err == nil && len(t.broken) > 0 {
		t.Err = fmt.Errorf("%d things are broken in the layout:\n%s", len(t.broken), strings.Join(t.broken, "\n"))
	}
	return t.Err
}
