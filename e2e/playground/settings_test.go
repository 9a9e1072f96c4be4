package playground

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/chromium"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/config"
)

// TestSchema holds an answer to a schema, and says at the box what is wrong with one:
// what the page sees, and what only the server does.
func TestSchema(t *testing.T) {
	x := visit(t, serve(t, nil))
	x.connected()
	x.Click("#open-settings")
	x.ClickText("Fill in an example")
	x.ask(france)
	var got struct{ Country, Capital *string }
	if err := json.Unmarshal([]byte(x.answers()[0]), &got); err != nil || got.Country == nil || got.Capital == nil {
		t.Errorf("%q: %v", x.answers()[0], err)
	}

	x.Write("#schema", `{"type": "obj`)
	x.Want(`document.querySelector("#schema-error").textContent.startsWith("This is not JSON yet: ")`)
	x.Write("#message", france)
	x.Press("\r")
	x.Want(`document.activeElement.id == "schema"`) // and nothing was asked
	if n := chromium.Get[int](x, exchanges); n != 1 {
		t.Errorf("%d exchanges", n)
	}

	x.Write("#schema", `{"type": "fish"}`)
	x.Want(`document.querySelector("#schema-error").textContent == ""`)
	x.Click("#settings .close")
	x.Click("#send")
	x.Want(`document.querySelector(".exchange:last-child [data-status=failed]") && document.querySelector("#schema-error").checkVisibility()`)
	if said := x.Text("#schema-error"); said != `At #: type: "fish" is no type.` {
		t.Errorf("at the schema: %q", said)
	}
	if said := x.Text(".exchange:last-child .fault"); !strings.Contains(said, "Change the setting that it names.") || !strings.Contains(said, "fish") {
		t.Errorf("at the answer: %q", said)
	}
	x.Keep("refused")

	x.Write("#schema", " ")
	x.ClickText("Again")
	x.Want(`document.querySelector(".exchange:last-child .versions")`)
	x.idle()
	x.wantAnswers(paris)
}

// TestTokens shows tokens with their probabilities and what else might have been.
func TestTokens(t *testing.T) {
	x := visit(t, serve(t, nil))
	x.connected()
	x.Click("#open-settings")
	x.Click("[name=tokens]")
	x.ask(france)
	x.wantAnswers(paris)
	n := chromium.Get[int](x, `document.querySelectorAll(".token").length`)
	if n < 5 || n > 12 {
		t.Errorf("%d tokens", n)
	}
	x.Click(".token:nth-child(2)")
	x.Want(`document.querySelectorAll(".candidates tbody tr").length >= 5`)
	x.Press("\u0303") // to the right
	x.Want(`document.activeElement == document.querySelector(".token:nth-child(3)") && document.activeElement.ariaSelected == "true"`)
	p := chromium.Get[float64](x, `document.querySelector(".candidates .taken meter").value`)
	if !(p > 0.3 && p <= 1.000001) {
		t.Errorf("the token has a probability of %g", p)
	}
	sum := chromium.Get[float64](x, `[...document.querySelectorAll(".candidates meter")].reduce((s, m) => s + m.value, 0)`)
	if sum > 1.001 {
		t.Errorf("the probabilities add up to %g", sum)
	}
}

// TestFigures counts as the server does.
func TestFigures(t *testing.T) {
	x := visit(t, serve(t, nil))
	x.connected()
	x.Click("#figures summary")
	x.Click("#open-settings")
	x.Choose("#speculative", "model")
	x.ask("Tell me about Brazil.")
	plain := x.answers()[0]
	x.Want(`["Server now", "of them"].every((s) => document.querySelector("#figure-table").textContent.includes(s))`)
	table := chromium.Get[map[string]string](x, `Object.fromEntries([...document.querySelectorAll("#figure-table tr")].map((r) => [r.cells[0].textContent, r.cells[1].textContent]))`)
	for name, unit := range map[string]string{
		"First token": "s", "Speed": " tokens/s", "Read": " tokens", "Read before": " of them", "Written": " tokens", "Drafts accepted": "", "Queue": "s",
	} {
		if v := table[name]; !strings.HasSuffix(v, unit) || v == "" || v == "–" {
			t.Errorf("%s: %q in %v", name, v, table)
		}
	}
	var accepted, proposed int
	if _, err := fmt.Sscanf(table["Drafts accepted"], "%d of %d", &accepted, &proposed); err != nil || proposed == 0 || accepted > proposed {
		t.Errorf("drafts accepted: %q, %v", table["Drafts accepted"], err)
	}
	if points := chromium.Get[int](x, `document.querySelector("#chart .line-0").points.length`); points < 5 {
		t.Errorf("the chart has %d points", points)
	}
	x.Choose("#speculative", "")
	x.ClickText("Again")
	x.Want(`document.querySelector(".versions")`)
	x.idle()
	x.wantAnswers(plain) // drafts change no text
}

// TestSettings are kept, held to their bounds, and put back.
func TestSettings(t *testing.T) {
	url := serve(t, nil)
	x := visit(t, url)
	x.connected()
	x.Click("#open-settings")
	x.Write("#max_tokens", "3")
	x.ask(france)
	if facts := x.Text(".facts"); !strings.Contains(facts, "ended at the most tokens") || !strings.Contains(facts, "3 tokens") {
		t.Errorf("facts %q", facts)
	}
	x.ClickText("Again") // waits for nothing but the button
	x.idle()
	x.Eval(`document.querySelector("#settings details").open = true`)
	x.Write("#top_p", "7")
	x.Want(`document.querySelector("#top_p-error")?.textContent.length > 5`)
	x.Eval(`document.querySelector("#settings details").open = false`)
	x.Write("#message", "Hello!")
	x.Press("\r")
	x.Want(`document.activeElement.id == "top_p"`)
	x.reload()
	x.Click("#open-settings")
	if v := chromium.Get[string](x, `document.querySelector("#max_tokens").value`); v != "3" {
		t.Errorf("the most tokens are %q after a reload", v)
	}
	x.ClickText("Back to what is usual")
	x.Click("#new-chat")
	x.ask(france)
	x.wantAnswers(paris)
}

// TestGuests has another guest make the answer.
func TestGuests(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "mine.wasm"), guest.Module, 0o600); err != nil {
		t.Fatal(err)
	}
	x := visit(t, serve(t, func(c *config.Config) { c.GuestRoot = folder }))
	x.connected()
	x.Click("#open-settings")
	x.Choose("#guest", "mine")
	x.ask(france)
	x.wantAnswers(paris)
	x.ClickText("Code")
	if code := x.Text("#code code"); !strings.Contains(code, `"guest": "mine"`) {
		t.Errorf("the guest is not asked for: %s", code)
	}
}
