package demo

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// tab is a tab that has the page.
type tab struct {
	*testing.T
	*chromium.Tab
}

// visit opens a page in a browser of its own. When the test ends nothing may have gone
// wrong in it.
func visit(t *testing.T, url string) *tab {
	t.Helper()
	return &tab{t, chromium.Visit(t, url)}
}

// ready waits until a model can be asked.
func (x *tab) ready(name string) {
	x.Helper()
	x.Want(fmt.Sprintf(`document.querySelector("#loading").hidden && document.querySelector("#model-name").textContent === %q &&
		["gpu", "slow"].includes(document.querySelector("#status").dataset.state)`, name))
}

// download asks for a model by its URL.
func (x *tab) download(address string) {
	x.Helper()
	x.Click("#open-models")
	x.Write("#url", address)
	x.Eval(`document.querySelector("#url-form").requestSubmit()`)
}

// open opens a file of one's own, by one of the buttons for that.
func (x *tab) open(selector, path string) {
	x.Helper()
	x.Click("#open-models")
	x.Do("open "+path, chromedp.SetUploadFiles(selector, []string{path}))
}

// ask asks a question, and waits for its answer.
func (x *tab) ask(question, answer string) {
	x.Helper()
	exchanges := chromium.Get[int](x, `document.querySelectorAll(".exchange").length`)
	x.Write("#message", question)
	x.Click("#send")
	x.Want(fmt.Sprintf(`document.querySelectorAll(".exchange").length === %d && document.querySelector(".exchange:last-child .reply") && !document.querySelector("[aria-busy]")`, exchanges+1))
	if said := chromium.Get[string](x, `document.querySelector(".exchange:last-child .reply .text").textContent`); said != answer {
		x.Errorf("it said %q, want %q; %s", said, answer, chromium.Get[string](x, `document.querySelector(".exchange:last-child .reply").innerText`))
	}
}
