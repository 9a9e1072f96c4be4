package playground

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/config"
)

// TestSchema holds an answer to a schema, and says at the box what is wrong with one:
// what the page sees, and what only the server does.
func TestSchema(t *testing.T) {
	x := visit(t, serve(t, nil))
	x.connected()
	x.click("#open-settings")
	x.clickText("Fill in an example")
	x.ask(france)
	var got struct{ Country, Capital *string }
	if err := json.Unmarshal([]byte(x.answers()[0]), &got); err != nil || got.Country == nil || got.Capital == nil {
		t.Errorf("%q: %v", x.answers()[0], err)
	}

	x.write("#schema", `{"type": "obj`)
	x.want(`document.querySelector("#schema-error").textContent.startsWith("This is not JSON yet: ")`)
	x.write("#message", france)
	x.press("\r")
	x.want(`document.activeElement.id == "schema"`) // and nothing was asked
	if n := get[int](x, exchanges); n != 1 {
		t.Errorf("%d exchanges", n)
	}

	x.write("#schema", `{"type": "fish"}`)
	x.want(`document.querySelector("#schema-error").textContent == ""`)
	x.click("#settings .close")
	x.click("#send")
	x.want(`document.querySelector(".exchange:last-child [data-status=failed]") && document.querySelector("#schema-error").checkVisibility()`)
	if said := x.text("#schema-error"); said != `At #: type: "fish" is no type.` {
		t.Errorf("at the schema: %q", said)
	}
	if said := x.text(".exchange:last-child .fault"); !strings.Contains(said, "Change the setting that it names.") || !strings.Contains(said, "fish") {
		t.Errorf("at the answer: %q", said)
	}
	x.picture("refused")

	x.write("#schema", " ")
	x.clickText("Again")
	x.want(`document.querySelector(".exchange:last-child .versions")`)
	x.idle()
	x.wantAnswers(paris)
}

// TestTokens shows tokens with their probabilities and what else might have been.
func TestTokens(t *testing.T) {
	x := visit(t, serve(t, nil))
	x.connected()
	x.click("#open-settings")
	x.click("[name=tokens]")
	x.ask(france)
	x.wantAnswers(paris)
	n := get[int](x, `document.querySelectorAll(".token").length`)
	if n < 5 || n > 12 {
		t.Errorf("%d tokens", n)
	}
	x.click(".token:nth-child(2)")
	x.want(`document.querySelectorAll(".candidates tbody tr").length >= 5`)
	x.press("\u0303") // to the right
	x.want(`document.activeElement == document.querySelector(".token:nth-child(3)") && document.activeElement.ariaSelected == "true"`)
	p := get[float64](x, `document.querySelector(".candidates .taken meter").value`)
	if !(p > 0.3 && p <= 1.000001) {
		t.Errorf("the token has a probability of %g", p)
	}
	sum := get[float64](x, `[...document.querySelectorAll(".candidates meter")].reduce((s, m) => s + m.value, 0)`)
	if sum > 1.001 {
		t.Errorf("the probabilities add up to %g", sum)
	}
}

// TestFigures counts as the server does.
func TestFigures(t *testing.T) {
	x := visit(t, serve(t, nil))
	x.connected()
	x.click("#figures summary")
	x.click("#open-settings")
	x.choose("#speculative", "model")
	x.ask("Tell me about Brazil.")
	plain := x.answers()[0]
	x.want(`["Server now", "of them"].every((s) => document.querySelector("#figure-table").textContent.includes(s))`)
	table := get[map[string]string](x, `Object.fromEntries([...document.querySelectorAll("#figure-table tr")].map((r) => [r.cells[0].textContent, r.cells[1].textContent]))`)
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
	if points := get[int](x, `document.querySelector("#chart .line-0").points.length`); points < 5 {
		t.Errorf("the chart has %d points", points)
	}
	x.choose("#speculative", "")
	x.clickText("Again")
	x.want(`document.querySelector(".versions")`)
	x.idle()
	x.wantAnswers(plain) // drafts change no text
}

// TestSettings are kept, held to their bounds, and put back.
func TestSettings(t *testing.T) {
	url := serve(t, nil)
	x := visit(t, url)
	x.connected()
	x.click("#open-settings")
	x.write("#max_tokens", "3")
	x.ask(france)
	if facts := x.text(".facts"); !strings.Contains(facts, "ended at the most tokens") || !strings.Contains(facts, "3 tokens") {
		t.Errorf("facts %q", facts)
	}
	x.clickText("Again") // waits for nothing but the button
	x.idle()
	get[bool](x, `document.querySelector("#settings details").open = true`)
	x.write("#top_p", "7")
	x.want(`document.querySelector("#top_p-error")?.textContent.length > 5`)
	get[bool](x, `document.querySelector("#settings details").open = false, true`)
	x.write("#message", "Hello!")
	x.press("\r")
	x.want(`document.activeElement.id == "top_p"`)
	x.reload()
	x.click("#open-settings")
	if v := get[string](x, `document.querySelector("#max_tokens").value`); v != "3" {
		t.Errorf("the most tokens are %q after a reload", v)
	}
	x.clickText("Back to what is usual")
	x.click("#new-chat")
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
	x.click("#open-settings")
	x.choose("#guest", "mine")
	x.ask(france)
	x.wantAnswers(paris)
	x.clickText("Code")
	if code := x.text("#code code"); !strings.Contains(code, `"guest": "mine"`) {
		t.Errorf("the guest is not asked for: %s", code)
	}
}
