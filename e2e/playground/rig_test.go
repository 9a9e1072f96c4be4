package playground

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/browser"
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
	*chromium.Tab
}

// visit opens the page in a browser of its own. When the test ends nothing may have gone
// wrong in it.
func visit(t *testing.T, url string) *tab {
	t.Helper()
	return &tab{t, chromium.Visit(t, url)}
}

// reload loads the page again.
func (x *tab) reload() {
	x.Helper()
	x.Reload()
	x.connected()
}

// connected waits for the connection.
func (x *tab) connected() {
	x.Helper()
	x.Want(`document.querySelector("#status")?.dataset.state == "connected"`)
}

// ask asks, and waits until the answers have ended.
func (x *tab) ask(question string) {
	x.Helper()
	x.connected()
	n := chromium.Get[int](x, exchanges)
	x.Write("#message", question)
	x.Click("#send")
	x.Want(fmt.Sprintf("%s == %d", exchanges, n+1))
	x.idle()
}

const exchanges = `document.querySelectorAll(".exchange").length`

// idle waits until no answer is under way.
func (x *tab) idle() {
	x.Helper()
	x.Want(`document.querySelector("#stop").hidden && !document.querySelector("[aria-busy=true]")`)
}

// answers are the texts of the last exchange, one or two.
func (x *tab) answers() []string {
	x.Helper()
	return chromium.Get[[]string](x, `[...document.querySelectorAll(".exchange:last-child .reply")].map((r) => {
		const text = r.querySelector(":scope > .text");
		return (text.hidden ? r.querySelector(".tokens") : text).textContent;
	})`)
}

// wantAnswers fails unless the last exchange has these texts.
func (x *tab) wantAnswers(want ...string) {
	x.Helper()
	got := x.answers()
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		x.Errorf("answers %q, want %q", got, want)
	}
}

// clipboard lets the page write to the clipboard and the test read it.
func (x *tab) clipboard(url string) {
	x.Helper()
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		_, err := chromedp.CallBrowser(x.Ctx, browser.SetPermission, browser.SetPermissionParams{
			Origin: url, Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingGranted,
		})
		if err != nil {
			x.Fatal(err)
		}
	}
}
