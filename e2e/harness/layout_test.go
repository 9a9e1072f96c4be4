package harness

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/chromium"
)

// TestLayoutFacts looks at pages in which one thing is broken, and at one in which none is.
func TestLayoutFacts(t *testing.T) {
	pages := []struct{ name, body, want string }{
		{"well", `<p>This is how it should be.</p><button style="width:90px;height:30px">Go</button><p style="overflow:hidden;text-overflow:ellipsis;white-space:nowrap;width:60px">A text that ends in three points</p>`, ""},
		{"wide", `<div style="width:900px;height:10px"></div>`, "the page is 9"},
		{"sideways", `<div style="width:100px;overflow-x:auto"><p style="width:200px">A text</p></div>`, "has to be scrolled sideways"},
		{"cut", `<p style="width:60px;overflow:hidden;white-space:nowrap">A text that is longer than its box</p>`, "is cut off at its side by p"},
		{"cut below", `<div style="height:20px;overflow:hidden"><p>One line</p><p>Another line</p></div>`, "is cut off by div"},
		{"overlap", `<button style="width:90px;height:40px">One</button><button style="width:90px;height:40px;margin-left:-30px">Two</button>`, "overlap by 30"},
		{"small", `<button style="width:16px;height:16px;padding:0" aria-label="Close"></button>`, "16 × 16 pixels, under 24"},
		{"faint", `<p style="color:#999">A text that is hard to read</p>`, "has a contrast of 2.85"},
		{"faint by opacity", `<div style="opacity:0.5"><p>A text that is hard to read</p></div>`, "has a contrast of"},
		{"faint in the dark", `<p style="background:#222;color:#555">A text that is hard to read</p>`, "has a contrast of"},
	}
	mux := http.NewServeMux()
	for _, p := range pages {
		mux.HandleFunc("/"+strings.ReplaceAll(p.name, " ", "-"), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(`<!doctype html><title>A page</title><link rel="icon" href="data:,">` + p.body)) // or the test fails
		})
	}
	server := httptest.NewServer(mux) // without the policy: styles stand in the pages
	defer server.Close()
	tab := chromium.Visit(t, server.URL+"/well")
	tab.Size(400, 700)
	for _, p := range pages {
		t.Run(p.name, func(t *testing.T) {
			tab.Open(server.URL + "/" + strings.ReplaceAll(p.name, " ", "-"))
			problems := chromium.Get[[]string](tab, layoutFacts)
			if p.want == "" && len(problems) > 0 || p.want != "" && !slices.ContainsFunc(problems, func(s string) bool { return strings.Contains(s, p.want) }) {
				t.Errorf("found %q, want %q", problems, p.want)
			}
		})
	}
}
