package harness

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/realm-webgpu/realm/e2e/chromium"
	"github.com/realm-webgpu/realm/web/demo"
)

// site is what the demo comes from: realm serve where the binary has it built in, else a
// server of the files of these sources.
type site struct {
	url  string       // of the page
	stop func() error // ends it, as if there were no network any more
}

// serveDemo starts a site. Errors: a *Missing.
func (r *Rig) serveDemo(ctx context.Context) (*site, error) {
	s, err := r.Serve(ctx, "")
	if err != nil {
		return nil, err
	}
	url := s.URL + demo.Prefix
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return &site{url, s.Stop}, nil
	}
	if err := s.Stop(); err != nil {
		return nil, err
	}
	dir, err := r.harness.published()
	if err != nil {
		return nil, err
	}
	r.Note("the binary is without the demo: that of these sources was tested")
	mux := http.NewServeMux()
	mux.Handle(demo.Prefix, http.StripPrefix(demo.Prefix, demo.NewHandler(os.DirFS(dir))))
	server := httptest.NewServer(mux)
	r.ends = append(r.ends, server.Close)
	return &site{server.URL + demo.Prefix, func() error {
		server.CloseClientConnections()
		server.Close()
		return nil
	}}, nil
}

// openDemo opens the demo and waits until its model can be asked.
func (r *Rig) openDemo(ctx context.Context) (*tab, *site, error) {
	s, err := r.serveDemo(ctx)
	if err != nil {
		return nil, nil, err
	}
	t, err := r.visit(ctx, s.url)
	if err != nil {
		return nil, nil, err
	}
	t.loaded()
	if t.Err == nil {
		r.Note("computed on %s", chromium.Get[string](t, `document.querySelector("#status .words").textContent`))
	}
	return t, s, t.Err
}

// inDemo has a person use the demo, and wants nothing to have gone wrong when they are done.
func (r *Rig) inDemo(ctx context.Context, use func(*tab) error) error {
	t, s, err := r.openDemo(ctx)
	if err != nil {
		return err
	}
	if err := use(t); err != nil {
		return err
	}
	if err := t.well(); err != nil {
		return err
	}
	return s.stop()
}

// loaded waits until the model of the demo can be asked.
func (t *tab) loaded() {
	t.Wait("the model is loaded", `["gpu", "slow"].includes(document.querySelector("#status")?.dataset.state) && document.querySelector("#loading").hidden`)
}

func parisDemo(ctx context.Context, r *Rig) error {
	return r.inDemo(ctx, func(t *tab) error {
		t.answers(france, paris)
		t.Keep("paris")
		return nil
	})
}

// demoQuestions are asked in the demo and from the command line.
var demoQuestions = []string{"Tell me about Brazil.", "Which country has Oslo as its capital?", "Is Rome the capital of Spain?"}

func demoAgrees(ctx context.Context, r *Rig) error {
	return r.inDemo(ctx, func(t *tab) error {
		for _, question := range demoQuestions {
			want, err := r.ask(ctx, question)
			if err != nil {
				return err
			}
			t.Click("#new-chat")
			t.answers(question, want)
		}
		return nil
	})
}

func demoAsPerson(ctx context.Context, r *Rig) error {
	t, s, err := r.openDemo(ctx)
	if err != nil {
		return err
	}
	t.answers(france, paris)
	t.pick("#adapter", "pirate")
	t.answers(france, piratical)
	t.pick("#adapter", "None")
	t.stops("Stopped")
	t.Click("#new-chat")
	if t.Err != nil {
		return t.Err
	}
	// Without a network: the page was kept, and its model with it.
	t.Wait("the page is kept", `navigator.serviceWorker.controller?.state === "activated"`)
	if err := s.stop(); err != nil {
		return err
	}
	if err := unreachable(s.url); err != nil {
		return err
	}
	t.Reload()
	t.loaded()
	t.answers(france, paris)
	t.Keep("offline")
	return t.well()
}

// unreachable wants nobody to answer at an address.
func unreachable(url string) error {
	address, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	conn, err := net.Dial("tcp", address)
	if err == nil {
		_ = conn.Close() // nobody was to be there
		return fmt.Errorf("%s still answers", address)
	}
	return nil
}

func demoLayout(ctx context.Context, r *Rig) error {
	return r.inDemo(ctx, func(t *tab) error {
		t.holds("welcome", nil)
		t.answers(france, paris)
		t.holds("answer", nil)
		t.Click("#open-models")
		t.holds("models", nil)
		t.Click("#models .close")
		t.holds("settings", func() { t.opens("settings") })
		return nil
	})
}
