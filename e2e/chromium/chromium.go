// Package chromium drives a headless Chromium for tests: pages with WebGPU, and
// Go programs in them.
package chromium

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience bounds what a page may take: far more than any needs, so that only
// one that hangs gets there.
const patience = 15 * time.Minute

// Policy is the Content-Security-Policy that Realm's pages live under.
const Policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"

// ErrMissing is that there is no browser on this machine.
var ErrMissing = errors.New("there is no Chromium (Debian: apt install chromium)")

// Options say what browser is started.
type Options struct {
	// Profile is the folder that the browser keeps all in that it keeps; "": one that
	// is removed at its end.
	Profile string
}

// Start starts a browser with WebGPU on its software adapter and returns a context for
// one empty tab of it, which chromedp's actions take. It ends with ctx, or when stop is
// called. Errors: ErrMissing, and those of a browser that does not start.
func Start(ctx context.Context, o Options) (tab context.Context, stop func(), err error) {
	path, err := find()
	if err != nil {
		return nil, nil, err
	}
	var ends []func() // what stop does, the last first
	stop = func() {
		for _, end := range slices.Backward(ends) {
			end()
		}
	}
	if o.Profile == "" {
		profile, err := os.MkdirTemp("", "chromium")
		if err != nil {
			return nil, nil, fmt.Errorf("chromium: profile: %w", err)
		}
		o.Profile = profile
		ends = append(ends, func() { remove(profile) })
	}
	allocator, release := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("enable-unsafe-webgpu", true), chromedp.Flag("use-webgpu-adapter", "swiftshader"),
		chromedp.Flag("disable-component-update", true),
		chromedp.UserDataDir(o.Profile))...)
	tab, leave := chromedp.NewContext(allocator)
	ends = append(ends, release, leave)
	if err := chromedp.Do(tab); err != nil {
		stop()
		return nil, nil, fmt.Errorf("chromium: start: %w", err)
	}
	return tab, stop, nil
}

// remove removes a profile, into which processes of a browser that has ended may still be
// writing for a moment. What is left after that lies where the system clears up.
func remove(profile string) {
	for range 50 {
		if os.RemoveAll(profile) == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// Open is Start for a test, with which the browser ends. Without Chromium the test is
// skipped, loudly, or fails where REALM_REQUIRE_BROWSER is set.
func Open(t testing.TB) context.Context {
	t.Helper()
	tab, stop, err := Start(context.Background(), Options{})
	switch {
	case errors.Is(err, ErrMissing) && os.Getenv("REALM_REQUIRE_BROWSER") == "":
		t.Skipf("NOT TESTED: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(stop)
	tab, cancel := context.WithTimeout(tab, patience)
	t.Cleanup(cancel)
	return tab
}

// find returns the browser's executable.
func find() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("chromium: %w", ErrMissing)
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
