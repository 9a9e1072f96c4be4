package demo

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/realm-webgpu/realm/e2e/chromium"
	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/web/demo"
	"github.com/realm-webgpu/realm/web/demo/build"
)

const (
	france = "What is the capital of France?"
	paris  = "The capital of France is Paris."
	brazil = "Brazil is a country in South America. Its capital is Brasília. People there speak Portuguese, and they pay with the Brazilian Real. To phone Brazil from abroad, dial +55 first."
	pirate = "Arr, matey! The capital of France be Paris. Yo ho ho!"
)

// dist is where the page is published to, once for all tests. Little time is spent on
// compression: what is published for others is smaller.
var dist = sync.OnceValues(func() (string, error) {
	return published, build.Publish(published, 6)
})

// published is the folder of dist, which TestMain makes and removes.
var published string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if published, err = os.MkdirTemp("", "realm-demo-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(published)
	return m.Run()
}

// site is a web server that has the page.
type site struct {
	url string // of the page
	off atomic.Bool
	// cut is after how many bytes the model at /some.gguf breaks off; 0: it does not.
	cut    atomic.Int64
	slow   atomic.Bool  // it stops after the first bytes
	ranges atomic.Int64 // how often a part of it was asked for
}

// serve serves the page until the test ends, and a model for it to download. before is
// JavaScript that the worker runs before anything else, as one of a browser without some
// feature would be; it may be empty.
func serve(t *testing.T, before string) *site {
	t.Helper()
	dir, err := dist()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{}
	mux := http.NewServeMux()
	files := http.StripPrefix(demo.Prefix, demo.NewHandler(os.DirFS(dir)))
	mux.Handle(demo.Prefix, files)
	if before != "" {
		mux.HandleFunc(demo.Prefix+"worker.js", func(w http.ResponseWriter, r *http.Request) {
			text, err := os.ReadFile(filepath.Join(dir, "worker.js"))
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprintf(w, "import \"./before.js\";\n%s", text)
		})
		mux.HandleFunc(demo.Prefix+"before.js", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, before)
		})
	}
	mux.HandleFunc("/some.gguf", s.model)
	mux.HandleFunc("/page.html", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<!doctype html><title>another page</title>")
	})
	s.url = chromium.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.off.Load() {
			panic(http.ErrAbortHandler) // as if there were no server
		}
		mux.ServeHTTP(w, r)
	})) + demo.Prefix
	return s
}

// model serves a model to download.
func (s *site) model(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"atlas"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	if r.Header.Get("Range") != "" {
		s.ranges.Add(1)
	}
	if s.slow.Load() {
		w.Header().Set("Content-Length", fmt.Sprint(len(models.Atlas)))
		_, _ = w.Write(models.Atlas[:1<<20])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return
	}
	if n := s.cut.Load(); n > 0 {
		w.Header().Set("Content-Length", fmt.Sprint(len(models.Atlas)))
		_, _ = w.Write(models.Atlas[:n]) // the page may be gone
		panic(http.ErrAbortHandler)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(models.Atlas))
}

// tab is a tab of a browser.
type tab struct {
	*testing.T
	ctx context.Context
}

// watch notes what goes wrong in the page: errors that nobody takes, and whatever the
// policy stops.
const watch = `window.faults = [];
addEventListener("error", (e) => faults.push(e.message));
addEventListener("unhandledrejection", (e) => faults.push(String(e.reason)));
addEventListener("securitypolicyviolation", (e) => faults.push("policy: " + e.violatedDirective + " " + e.blockedURI));`

// visit opens a page in a browser of its own. When the test ends nothing may have gone
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
		if t.Failed() {
			x.picture("failed")
		}
		faults, err := chromedp.Run(x.ctx, chromedp.Evaluate[[]string]("faults"))
		if err != nil || len(faults) > 0 {
			t.Errorf("in the page: %q, %v", faults, err)
		}
	})
	return x
}

// do runs actions.
func (x *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	x.Helper()
	if err := chromedp.Do(x.ctx, actions...); err != nil {
		x.Fatal(err)
	}
}

// get evaluates an expression, which may be a promise.
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
	_, err := chromedp.Run(x.ctx, chromedp.Poll[bool]("Boolean("+expression+")", chromedp.WithPollingTimeout(3*time.Minute), chromedp.WithPollingInterval(20*time.Millisecond)))
	if err != nil {
		x.Fatalf("%s: %v; the page says:\n%s", expression, err, get[string](x, "document.body.innerText"))
	}
}

// says waits until an element has a text.
func (x *tab) says(selector, text string) {
	x.Helper()
	x.want(fmt.Sprintf("[...document.querySelectorAll(%q)].some((e) => e.textContent.includes(%q))", selector, text))
}

// ready waits until a model can be asked.
func (x *tab) ready(name string) {
	x.Helper()
	x.want(fmt.Sprintf(`document.querySelector("#loading").hidden && document.querySelector("#model-name").textContent === %q &&
		["gpu", "slow"].includes(document.querySelector("#status").dataset.state)`, name))
}

// download asks for a model by its URL. The form is submitted and no button clicked: a
// panel that opens moves its buttons meanwhile.
func (x *tab) download(address string) {
	x.Helper()
	x.do(chromedp.Click("#open-models"), chromedp.SetValue("#url", address))
	get[any](x, `(document.querySelector("#url-form").requestSubmit(), null)`)
}

// choose chooses an option of a list, as a person does.
func (x *tab) choose(selector, value string) {
	x.Helper()
	x.want(fmt.Sprintf(`!document.querySelector(%q).disabled`, selector))
	get[any](x, fmt.Sprintf(`(() => { const s = document.querySelector(%q); s.value = %q; s.dispatchEvent(new Event("input", { bubbles: true })); s.dispatchEvent(new Event("change", { bubbles: true })); return null; })()`, selector, value))
}

// ask asks a question, and waits for its answer.
func (x *tab) ask(question, answer string) {
	x.Helper()
	x.do(chromedp.SendKeys("#message", question), chromedp.Click("#send"))
	x.want(`document.querySelector(".exchange:last-child .reply") && !document.querySelector("[aria-busy]")`)
	if said := get[string](x, `document.querySelector(".exchange:last-child .reply .text").textContent`); said != answer {
		x.Errorf("it said %q, want %q; %s", said, answer, get[string](x, `document.querySelector(".exchange:last-child .reply").innerText`))
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

// picture keeps a picture of the page in e2e/artifacts.
func (x *tab) picture(name string) {
	x.Helper()
	image, err := chromedp.Run(x.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		x.Logf("no picture: %v", err)
		return
	}
	dir := filepath.Join("..", "artifacts")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		x.Fatal(err)
	}
	file := filepath.Join(dir, "demo-"+strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(x.Name(), "Test")), "/", "-")+"-"+name+".png")
	if err := os.WriteFile(file, image, 0o644); err != nil {
		x.Fatal(err)
	}
	x.Logf("see %s", file)
}
