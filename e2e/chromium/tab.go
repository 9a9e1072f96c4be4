package chromium

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Patience is how long anything is waited for in a page: long for a machine that is
// busy. A wait that takes a while says so meanwhile.
const Patience = 3 * time.Minute

// Owner is who has a tab, and hears of what becomes of it: a test, or a check.
type Owner interface {
	Helper()
	// Fatal hears of the first thing that goes wrong. Where it returns, the tab does
	// nothing any more.
	Fatal(args ...any)
	// Logf hears of what is still waited for.
	Logf(format string, args ...any)
	// Keep has a picture, a PNG, to keep or not.
	Keep(name string, picture []byte)
}

// Tab is a tab of a browser and the person before it. What they do is written down as a
// list: the first thing that goes wrong is told to the owner, with what the page showed,
// and kept in Err.
type Tab struct {
	// Ctx is what chromedp's actions take.
	Ctx      context.Context
	Err      error
	owner    Owner
	patience time.Duration
	console  *console
	faults   []string // of pages that were left
}

// watch notes what goes wrong in a page: errors that nobody takes, and what its policy
// stops.
const watch = `window.faults = [];
addEventListener("error", (event) => faults.push(event.message || "a file was not loaded"));
addEventListener("unhandledrejection", (event) => faults.push("unhandled: " + event.reason));
addEventListener("securitypolicyviolation", (event) => faults.push(["stopped by the policy:", event.violatedDirective, event.blockedURI, event.sample].join(" ")));`

// NewTab is a person before a tab that Start has opened. They open a page of 1280 by 800
// CSS pixels.
func NewTab(ctx context.Context, owner Owner, url string) *Tab {
	owner.Helper()
	t := &Tab{Ctx: ctx, owner: owner, patience: Patience, console: newConsole(ctx)}
	t.Do("watch the page", func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch})
		return chromedp.Void{}, err
	})
	t.Size(1280, 800)
	t.Open(url)
	return t
}

// Visit opens a page in a browser of its own, which is there until the test ends; nothing
// may have gone wrong in the page by then. Pictures are kept by go test -artifacts.
func Visit(t testing.TB, url string) *Tab {
	t.Helper()
	tab := NewTab(Open(t), test{t}, url)
	t.Cleanup(func() {
		if t.Failed() {
			tab.Keep("failed") // unless it was the tab that has failed, and kept one
		} else if faults := tab.Faults(); len(faults) > 0 {
			t.Errorf("in the page went wrong: %q", faults)
		}
	})
	return tab
}

// test is the owner of a test's tab.
type test struct{ testing.TB }

// Keep implements Owner.
func (t test) Keep(name string, picture []byte) {
	t.Helper()
	kept := flag.Lookup("test.artifacts")
	if kept == nil || kept.Value.String() != "true" {
		return
	}
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name+".png"), picture, 0o644); err != nil {
		t.Error(err)
	}
}

// Page is a Tab, or what embeds one.
type Page interface{ tab() *Tab }

func (t *Tab) tab() *Tab { return t }

// Get evaluates a JavaScript expression in a page and returns its value; a promise is
// waited for. After an error that is the zero value.
func Get[T any](in Page, expression string) T {
	t := in.tab()
	t.owner.Helper()
	var value T
	t.within("evaluate "+clip(expression, 200), func(ctx context.Context) (err error) {
		value, err = chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise, gesture))
		return err
	})
	return value
}

// gesture has a script be one that a person has started, as a page wants of what writes to
// the clipboard.
func gesture(p *runtime.EvaluateParams) { p.UserGesture = new(true) }

// Eval evaluates an expression for what it does.
func (t *Tab) Eval(expression string) {
	t.owner.Helper()
	Get[any](t, "(async () => { await ("+expression+"); return null; })()")
}

// Do does actions. What they are is said where they fail.
func (t *Tab) Do(what string, actions ...chromedp.Action[chromedp.Void]) {
	t.owner.Helper()
	t.within(what, func(ctx context.Context) error { return chromedp.Do(ctx, actions...) })
}

// within does something that takes no longer than Patience.
func (t *Tab) within(what string, do func(context.Context) error) {
	t.owner.Helper()
	if t.Err != nil {
		return
	}
	ctx, cancel := context.WithTimeoutCause(t.Ctx, t.patience, fmt.Errorf("the page did not answer within %v", t.patience))
	defer cancel()
	if err := do(ctx); err != nil {
		t.Fail(fmt.Errorf("%s: %w", what, fault(ctx, err)))
	}
}

// Fail ends what is done in the tab with an error, to which what the page shows is added,
// and keeps a picture of that, "failed".
func (t *Tab) Fail(err error) {
	t.owner.Helper()
	if t.Err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(t.Ctx, time.Minute)
	defer cancel()
	t.Err = fmt.Errorf("%w\n%s", err, t.shown(ctx))
	if picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot()); err == nil {
		t.owner.Keep("failed", picture)
	}
	t.owner.Fatal(t.Err)
}

// Open leaves the page for another.
func (t *Tab) Open(url string) {
	t.owner.Helper()
	t.faults = t.Faults()
	t.Do("open "+url, chromedp.Navigate(url))
}

// Reload loads the page again.
func (t *Tab) Reload() {
	t.owner.Helper()
	t.faults = t.Faults()
	t.Do("reload", chromedp.Reload())
}

// Faults are what went wrong in the pages by themselves, so far.
func (t *Tab) Faults() []string {
	t.owner.Helper()
	return append(t.faults, Get[[]string](t, "window.faults ?? []")...)
}

// Size makes the page so many CSS pixels large, and waits until it has seen to that.
func (t *Tab) Size(width, height int64) {
	t.owner.Helper()
	t.Do("resize", chromedp.EmulateViewport(width, height))
	t.Settle()
}

// Settle waits until what moves has come to rest and is painted.
func (t *Tab) Settle() {
	t.owner.Helper()
	t.Eval(`Promise.allSettled(document.getAnimations().filter((a) => Number.isFinite(a.effect.getComputedTiming().endTime)).map((a) => a.finished))
		.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))`)
}

// Prefer sets a preference of the person's, which media queries ask for.
func (t *Tab) Prefer(name, value string) {
	t.owner.Helper()
	t.within("prefer "+name, func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: name, Value: value}},
		})
		return err
	})
}

// Picture returns a picture of what is seen, as a PNG.
func (t *Tab) Picture() []byte {
	t.owner.Helper()
	var picture []byte
	t.within("picture", func(ctx context.Context) (err error) {
		picture, err = chromedp.Run(ctx, chromedp.CaptureScreenshot())
		return err
	})
	return picture
}

// Keep gives the owner a picture of what is seen.
func (t *Tab) Keep(name string) {
	t.owner.Helper()
	if picture := t.Picture(); t.Err == nil {
		t.owner.Keep(name, picture)
	}
}
