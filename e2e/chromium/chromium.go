// Package chromium drives a headless Chromium for tests: pages with WebGPU, and
// Go programs in them.
package chromium

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience bounds what a page may take: far more than any needs, so that only
// one that hangs gets there.
const patience = 15 * time.Minute

// Policy is the Content-Security-Policy that Realm's pages live under.
const Policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"

// Open starts a browser with WebGPU on its software adapter and returns a context
// for one empty tab of it, which chromedp's actions take. The browser ends with
// the test. Without Chromium the test is skipped, loudly, or fails where
// REALM_REQUIRE_BROWSER is set.
func Open(t testing.TB) context.Context {
	t.Helper()
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(find(t)), chromedp.NoSandbox,
		chromedp.Flag("enable-unsafe-webgpu", true), chromedp.Flag("use-webgpu-adapter", "swiftshader"),
		chromedp.Flag("disable-component-update", true),
		chromedp.UserDataDir(t.TempDir()))...)
	t.Cleanup(cancel)
	tab, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	tab, cancel = context.WithTimeout(tab, patience)
	t.Cleanup(cancel)
	return tab
}

// find returns the browser's executable.
func find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("REALM_REQUIRE_BROWSER") != "" {
		t.Fatal("REALM_REQUIRE_BROWSER is set, and there is no Chromium")
	}
	t.Skip("NOT TESTED, there is no Chromium (Debian: apt install chromium)")
	return ""
}

// Serve serves pages on this machine under Policy, until the test ends, and
// returns their origin: "http://127.0.0.1:4711". WebGPU is there, as it is a
// secure context.
func Serve(t testing.TB, pages http.Handler) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", Policy)
		pages.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
