package harness

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/realm-webgpu/realm/e2e/chromium"
)

// layoutFacts is an expression: what is broken in how the page is laid out, in sentences.
//
//go:embed layout.js
var layoutFacts string

// widths are those of a phone, a tablet and a desktop, in CSS pixels.
var widths = []int64{360, 768, 1280}

// height is that of all of them.
const height = 760

// schemes are the colour schemes that a person may prefer.
var schemes = []string{"light", "dark"}

// holds looks at how a page is laid out, in each scheme at each width, and keeps pictures
// of it. The view is what is on the page, for names; prepare, unless nil, has it there
// once the page is as wide as it is to be.
func (t *tab) holds(view string, prepare func()) {
	for _, scheme := range schemes {
		t.Prefer("prefers-color-scheme", scheme)
		for _, width := range widths {
			t.Size(width, height)
			if prepare != nil {
				prepare()
			}
			t.Settle()
			at := fmt.Sprintf("%s-%s-%d", view, scheme, width)
			t.Keep(at)
			if problems := chromium.Get[[]string](t, layoutFacts); t.Err == nil {
				for _, p := range problems {
					t.broken = append(t.broken, at+": "+p)
				}
			}
		}
	}
}

func playgroundLayout(ctx context.Context, r *Rig) error {
	t, s, err := r.openPlayground(ctx, "")
	if err != nil {
		return err
	}
	t.holds("welcome", nil)
	t.Size(1280, height)
	t.pick("#beside", "pirate")
	t.asks(france)
	t.answered()
	t.holds("answer", nil)
	t.Click("#figures summary")
	t.holds("figures", nil)
	t.Click("#figures summary")
	t.Click(`.exchange:last-child button[aria-label="Show as a program"]`)
	t.holds("code", nil)
	t.Click("#code .close")
	for _, panel := range []string{"chats", "settings"} {
		t.holds(panel, func() { t.opens(panel) })
		t.Size(360, height)
		t.opens(panel)
		t.Click("#" + panel + " .close")
	}
	if err := t.well(); err != nil {
		return err
	}
	return s.Stop()
}

// opens opens one of the panels at the side, if it is closed.
func (t *tab) opens(panel string) {
	if chromium.Get[bool](t, `document.querySelector("#`+panel+`").hidden`) {
		t.Click("#open-" + panel)
	}
}
