package playground

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/e2e/chromium"
	"github.com/realm-webgpu/realm/e2e/realm"
	"github.com/realm-webgpu/realm/web/config"
	"github.com/realm-webgpu/realm/web/tenant"
)

// keyed makes a database with a tenant, and returns its file and the tenant's key.
func keyed(t *testing.T, limits tenant.Limits) (database, key string) {
	t.Helper()
	database = filepath.Join(t.TempDir(), "realm.db")
	s, err := tenant.Open(t.Context(), database, tenant.Options{})
	if err != nil {
		t.Fatal(err)
	}
	settings := tenant.NewSettings()
	settings.Limits = limits
	if _, err := s.Create(t.Context(), "acme", settings); err != nil {
		t.Fatal(err)
	}
	if key, _, err = s.CreateKey(t.Context(), "acme", "test", time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return database, key
}

// TestKey signs in by a ticket: a wrong key is refused in words, the right one is in no
// address and no storage, and forgotten by signing out.
func TestKey(t *testing.T) {
	database, key := keyed(t, tenant.Limits{})
	x := visit(t, serve(t, func(c *config.Config) { c.Database = database }))
	x.Want(`document.querySelector("#sign-in").open && document.activeElement.id == "key"`)
	x.Keep("sign-in")
	x.Write("#key", "sk-wrong")
	x.Press("\r")
	x.Want(`document.querySelector("#key-error").textContent.includes("does not take this key")`)
	x.Keep("wrong-key")
	x.Write("#key", key)
	x.Press("\r")
	x.connected()
	x.Want(`!document.querySelector("#sign-in").open`)
	x.ask(france)
	x.wantAnswers(paris)
	x.Want(`document.querySelector("#about").textContent.includes("ten_")`)
	held := chromium.Get[string](x, `JSON.stringify([location.href, {...localStorage}, {...sessionStorage}, performance.getEntriesByType("resource").map((e) => e.name), document.cookie, document.documentElement.outerHTML])`)
	if strings.Contains(held, key) {
		t.Error("the key is where it should not be")
	}
	x.ClickText("Code")
	if code := x.Text("#code code"); strings.Contains(code, key) || !strings.Contains(code, "$REALM_API_KEY") {
		t.Errorf("the program: %s", code)
	}
	x.Click("#code .close")
	x.Click("#open-settings")
	x.Click("#sign-out")
	x.Want(`document.querySelector("#sign-in").open && document.querySelector("#status").dataset.state == "signed-out"`)

	// Kept until the tab is closed, if that is wanted.
	x.Write("#key", key)
	x.Click("#keep-key")
	x.ClickText("Sign in")
	x.connected()
	x.reload()
	x.connected()
	x.wantAnswers(paris)
}

// TestLimit says in words that a limit is reached, and what to do.
func TestLimit(t *testing.T) {
	database, key := keyed(t, tenant.Limits{RequestsPerMinute: 1})
	x := visit(t, serve(t, func(c *config.Config) { c.Database = database }))
	x.Want(`document.querySelector("#sign-in").open`)
	x.Write("#key", key)
	x.Press("\r")
	x.connected()
	x.ask(france)
	x.wantAnswers(paris)
	x.ask(france)
	said := x.Text(".exchange:last-child .fault")
	if !regexp.MustCompile(`requests or tokens.* Wait \d+ seconds?, then ask again\..*The server says: `).MatchString(said) {
		t.Errorf("it says %q", said)
	}
	x.Keep("limit")
}

// TestRestart ends the server in the middle of an answer and starts it again: the page
// comes back by itself, and the answer goes on where it was.
func TestRestart(t *testing.T) {
	path, err := realm.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	start := func(t *testing.T, listen string) *realm.Process {
		t.Helper()
		// It does not wait for the answer when it is told to end.
		p, err := realm.Place{Binary: path, Dir: t.TempDir()}.Serve(context.Background(), fmt.Sprintf(`device = "cpu"
listen = %q
admin-listen = "127.0.0.1:0"
[timeouts]
drain = "10ms"
[tenants.guest]
calls-per-second = %d
`, listen, slowly))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Kill)
		return p
	}
	for _, signal := range []os.Signal{os.Kill, os.Interrupt} {
		t.Run(signal.String(), func(t *testing.T) {
			p := start(t, "127.0.0.1:0")
			x := visit(t, p.URL+"/")
			x.askLong()
			x.Write("#message", "a draft") // what the person writes meanwhile stays
			if err := p.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if _, err := p.End(); err != nil {
				t.Fatal(err)
			}
			x.Want(`document.querySelector("#status").dataset.state == "waiting" && document.querySelector("[data-status=broken]")`)
			const text = `document.querySelector(".reply > .text").textContent`
			before := chromium.Get[string](x, text)
			if !strings.HasPrefix(before, "[") || strings.HasSuffix(before, "]") {
				t.Fatalf("the answer was %q when the connection broke", before)
			}
			x.Keep("broken")
			start(t, strings.TrimPrefix(p.URL, "http://"))
			x.connected()
			x.Want(fmt.Sprintf(`!document.querySelector("[data-status=broken]") && %s.startsWith(%q)`, text, before))
			x.idle()
			if got := x.answers()[0]; !strings.HasPrefix(got, before) || !strings.HasSuffix(got, "]") {
				t.Errorf("it was %q and ended with %q", before, got)
			}
			if draft := chromium.Get[string](x, `document.querySelector("#message").value`); draft != "a draft" {
				t.Errorf("the draft is %q", draft)
			}
		})
	}
}
