package playground

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/realm-webgpu/realm/e2e/chromium"
	"github.com/realm-webgpu/realm/web/config"
	"github.com/realm-webgpu/realm/web/server"
)

const (
	france = "What is the capital of France?"
	paris  = "The capital of France is Paris."
)

// serve runs a server of atlas on the CPU until the test ends, and returns the address
// of its page. change may be nil.
func serve(t *testing.T, change func(*config.Config)) string {
	t.Helper()
	c := config.Default()
	c.Listen, c.Device = "127.0.0.1:0", "cpu"
	c.Database = filepath.Join(t.TempDir(), "realm.db")
	if change != nil {
		change(c)
	}
	s, err := server.New(t.Context(), c, server.Options{Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- s.Run(ctx, func(address, _ net.Addr) { ready <- "http://" + address.String() + "/" })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case url := <-ready:
		return url
	case err := <-ended:
		ended <- err
		t.Fatal(err)
		return ""
	}
}

// tab is a tab that has the playground.
type tab struct {
	*testing.T
	ctx context.Context
}

// watch notes what goes wrong in the page: errors that nobody takes, and whatever the
// policy stops.
const watch = `window.faults = [];
addEventListener("error", (e) => faults.push(e.message));
addEventListener("unhandledrejection", (e) => faults.push(String(e.reason)));
addEventListener("securitypolicyviolation", (e) => faults.push("policy: " + e.violatedDirective + " " + e.blockedURI + " " + e.sample));`

// visit opens the page in a browser of its own. When the test ends nothing may have gone
// wrong in it.
func visit(t *testing.T, url string) *tab {
	t.Helper()
	x := &tab{t, chromium.Open(t)}
	if _, err := chromedp.Call(x.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch}); err != nil {
		t.Fatal(err)
	}
	x.size(1280, 800)
	x.do(chromedp.Navigate(url))
	t.Cleanup(func() {
		faults, err := chromedp.Run(x.ctx, chromedp.Evaluate[[]string]("faults"))
		if err != nil || len(faults) > 0 {
			t.Errorf("in the page: %q, %v", faults, err)
		}
	})
	return x
}

// reload loads the page again.
func (x *tab) reload() {
	x.Helper()
	x.do(chromedp.Reload())
	x.connected()
}

// do runs actions.
func (x *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	x.Helper()
	if err := chromedp.Do(x.ctx, actions...); err != nil {
		x.Fatal(err)
	}
}

// size makes the page so many CSS pixels large.
func (x *tab) size(width, height int64) {
	x.Helper()
	x.do(chromedp.EmulateViewport(width, height))
}

// prefer sets a preference of the person's, which media queries ask for.
func (x *tab) prefer(name, value string) {
	x.Helper()
	_, err := chromedp.Call(x.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: name, Value: value}},
	})
	if err != nil {
		x.Fatal(err)
	}
}

// get evaluates an expression.
func get[T any](x *tab, expression string) T {
	x.Helper()
	v, err := chromedp.Run(x.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		x.Fatalf("%s: %v", expression, err)
	}
	return v
}

// want waits until an expression is true.
func (x *tab) want(expression string) {
	x.Helper()
	_, err := chromedp.Run(x.ctx, chromedp.Poll[bool]("Boolean("+expression+")", chromedp.WithPollingTimeout(90*time.Second), chromedp.WithPollingInterval(20*time.Millisecond)))
	if err != nil {
		x.picture("failed")
		x.Fatalf("%s: %v; the page says:\n%s", expression, err, get[string](x, "document.body.innerText"))
	}
}

// connected waits for the connection.
func (x *tab) connected() {
	x.Helper()
	x.want(`document.querySelector("#status")?.dataset.state == "connected"`)
}

// click clicks on what a selector finds.
func (x *tab) click(selector string) {
	x.Helper()
	x.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// clickText clicks on the last button of a text.
func (x *tab) clickText(text string) {
	x.Helper()
	x.want(fmt.Sprintf(`[...document.querySelectorAll("button")].some((b) => b.textContent == %q && b.checkVisibility() && !b.disabled)`, text))
	get[bool](x, fmt.Sprintf(`[...document.querySelectorAll("button")].filter((b) => b.textContent == %q && b.checkVisibility()).at(-1).click(), true`, text))
}

// write replaces the value of a control.
func (x *tab) write(selector, text string) {
	x.Helper()
	get[bool](x, fmt.Sprintf(`((e) => { e.focus(); e.select(); return true; })(document.querySelector(%q))`, selector))
	x.press("\b")
	x.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// press presses keys, where the focus is.
func (x *tab) press(keys string) {
	x.Helper()
	x.do(chromedp.KeyEvent(keys))
}

// choose chooses an option.
func (x *tab) choose(selector, value string) {
	x.Helper()
	x.want(fmt.Sprintf(`[...document.querySelector(%q).options].some((o) => o.value == %q)`, selector, value))
	get[bool](x, fmt.Sprintf(`((e) => { e.value = %q; for (const n of ["input", "change"]) e.dispatchEvent(new Event(n, { bubbles: true })); return true; })(document.querySelector(%q))`, value, selector))
}

// ask asks, and waits until the answers have ended.
func (x *tab) ask(question string) {
	x.Helper()
	x.connected()
	n := get[int](x, exchanges)
	x.do(chromedp.SendKeys(chromedp.CSS("#message"), question))
	x.click("#send")
	x.want(fmt.Sprintf("%s == %d", exchanges, n+1))
	x.idle()
}

const exchanges = `document.querySelectorAll(".exchange").length`

// idle waits until no answer is under way.
func (x *tab) idle() {
	x.Helper()
	x.want(`document.querySelector("#stop").hidden && !document.querySelector("[aria-busy=true]")`)
}

// answers are the texts of the last exchange, one or two.
func (x *tab) answers() []string {
	x.Helper()
	return get[[]string](x, `[...document.querySelectorAll(".exchange:last-child .reply")].map((r) => {
		const text = r.querySelector(":scope > .text");
		return (text.hidden ? r.querySelector(".tokens") : text).textContent;
	})`)
}

// wantAnswers fails unless the last exchange has these texts.
func (x *tab) wantAnswers(want ...string) {
	x.Helper()
	got := x.answers()
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		x.picture("failed")
		x.Errorf("answers %q, want %q", got, want)
	}
}

// text is that of an element.
func (x *tab) text(selector string) string {
	x.Helper()
	return get[string](x, fmt.Sprintf(`document.querySelector(%q)?.textContent ?? ""`, selector))
}

// clipboard lets the page write to the clipboard and the test read it.
func (x *tab) clipboard(url string) {
	x.Helper()
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		_, err := chromedp.CallBrowser(x.ctx, browser.SetPermission, browser.SetPermissionParams{
			Origin: url, Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingGranted,
		})
		if err != nil {
			x.Fatal(err)
		}
	}
}

// picture leaves a picture, where those are wanted.
func (x *tab) picture(name string) {
	x.Helper()
	folder := os.Getenv("REALM_PICTURES")
	if folder == "" {
		return
	}
	shot, err := chromedp.Run(x.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		x.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, filepath.Base(x.Name())+"-"+name+".png"), shot, 0o644); err != nil {
		x.Fatal(err)
	}
}
