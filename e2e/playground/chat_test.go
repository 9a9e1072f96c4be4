package playground

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/e2e/chromium"
	"github.com/realm-webgpu/realm/web/config"
)

// TestChat asks, goes on, asks otherwise and again, and finds it all when the page is
// opened again.
func TestChat(t *testing.T) {
	url := serve(t, nil)
	x := visit(t, url)
	x.Want(`document.querySelectorAll(".example").length == 4`)
	x.ClickText(france)
	x.Want(exchanges + " == 1")
	x.idle()
	x.wantAnswers(paris)
	if facts := x.Text(".facts"); !strings.Contains(facts, "tokens/s") || !strings.Contains(facts, "first after") {
		t.Errorf("figures %q", facts)
	}

	x.ask("What is the capital of Japan?")
	x.wantAnswers("The capital of Japan is Tokyo.")
	x.ask("And the calling code?")
	x.wantAnswers("The calling code of Japan is +81.") // it knows what was said before

	// The second question, asked otherwise: what was behind it is gone.
	x.Click(".exchange:nth-child(2) .question button")
	x.Write(".editor textarea", "What is the capital of Norway?")
	x.Press("\r")
	x.Want(exchanges + ` == 2 && !document.querySelector(".editor")`)
	x.idle()
	x.wantAnswers("The capital of Norway is Oslo.")

	x.Choose("#adapter", "pirate")
	x.ClickText("Again")
	x.Want(`document.querySelector(".exchange:last-child .versions")?.textContent.includes("2 of 2")`)
	x.idle()
	x.wantAnswers("Arr, matey! The capital of Norway be Oslo. Yo ho ho!")
	x.Click(".exchange:last-child .versions button")
	x.wantAnswers("The capital of Norway is Oslo.")

	x.Click("#new-chat")
	x.Want(exchanges + " == 0")
	x.ClickText("Tell me about Brazil.")
	x.Want(`document.querySelectorAll("button.chat").length == 2`)
	x.idle()
	x.reload()
	x.Want(`document.querySelectorAll("button.chat").length == 2 && ` + exchanges + " == 1") // the one that was shown
	x.Click(`button.chat[title="` + france + `"]`)
	x.Want(exchanges + " == 2")
	x.wantAnswers("The capital of Norway is Oslo.")
	if v := x.Text(".exchange:last-child .versions"); !strings.Contains(v, "1 of 2") {
		t.Errorf("versions %q", v)
	}
	x.Want(`document.querySelector("button.chat[aria-current]").title == "` + france + `"`)
	x.Click("li:has([aria-current]) button.small")
	x.Want(`document.activeElement.textContent == "Really remove"`)
	x.Click("li:has([aria-current]) button.small")
	x.Want(exchanges + ` == 0 && document.querySelectorAll("button.chat").length == 1`)
}

// TestLeave goes to another chat while an answer is under way: what there is of it is there
// when one comes back, and no more comes; and a chat that is removed in the middle of one stays away.
func TestLeave(t *testing.T) {
	x := visit(t, serve(t, slow))
	x.askLong()
	x.Click("#new-chat")
	x.Want(exchanges + ` == 0 && document.querySelector("#stop").hidden`)
	x.Click("button.chat")
	x.Want(`document.querySelector(".exchange :is([data-status=stopped], [data-status=lost]) > .text")?.textContent.startsWith("[")`)
	x.idle()
	x.Click("#new-chat")
	x.Want(exchanges + " == 0")
	x.askLong()
	x.Want(`document.querySelectorAll("button.chat").length == 2`)
	for range 2 {
		x.Click("li:has([aria-current]) button.small")
	}
	x.Want(exchanges + ` == 0 && document.querySelectorAll("button.chat").length == 1`)
	x.reload()
	x.Want(`document.querySelectorAll("button.chat").length == 1`)
}

// slowly is how many calls a second the guest may make where an answer has to be there
// long enough for somebody to stop it: about three go to a token.
const slowly = 240

func slow(c *config.Config) { c.Tenants.Guest.CallsPerSecond = slowly }

// long is a schema of a long answer: hundreds of tokens, whatever the model.
const long = `{"type": "array", "items": {"type": "boolean"}, "minItems": 80, "maxItems": 80}`

// askLong begins a long answer and waits until there is something of it.
func (x *tab) askLong() {
	x.Helper()
	x.connected()
	if chromium.Get[bool](x, `document.querySelector("#settings").hidden`) {
		x.Click("#open-settings")
	}
	x.Write("#schema", long)
	x.Write("#message", "Go on")
	x.Click("#send")
	x.Want(`document.querySelector("[data-status=streaming] > .text")?.textContent.length > 24`)
}

// TestStop stops an answer: what there is of it stays.
func TestStop(t *testing.T) {
	x := visit(t, serve(t, slow))
	for _, stop := range []func(){
		func() { x.Click("#stop") },
		func() { x.Press("\u001b") },
	} {
		x.askLong()
		stop()
		x.Want(`document.querySelector(".exchange:last-child [data-status=stopped]")`)
		x.idle()
		if got := x.answers()[0]; !strings.HasPrefix(got, "[") || strings.HasSuffix(got, "]") {
			t.Errorf("it was stopped with %q", got)
		}
		if facts := x.Text(".exchange:last-child .facts"); !strings.HasPrefix(facts, "stopped · ") || !strings.Contains(facts, "tokens/s") {
			t.Errorf("facts %q", facts)
		}
	}
	x.Write("#schema", " ")
	x.Click("#new-chat") // with halves of answers before it, atlas is not to be relied upon
	x.ask(france)
	x.wantAnswers(paris)
}

// TestSideBySide asks two adapters at once, and goes on with one.
func TestSideBySide(t *testing.T) {
	x := visit(t, serve(t, nil))
	x.connected()
	x.Choose("#adapter", "pirate")
	x.ask(france)
	x.wantAnswers("Arr, matey! The capital of France be Paris. Yo ho ho!")
	x.Choose("#beside", "terse")
	x.ask("What is the capital of Japan?")
	x.wantAnswers("Arr, matey! The capital of Japan be Tokyo. Yo ho ho!", "Tokyo")
	x.ClickText("Go on with this")
	x.Want(`document.querySelector(".exchange:last-child .reply:nth-child(2)").textContent.includes("the chat goes on with this")`)
	x.Choose("#beside", "")
	x.Choose("#adapter", "none")
	x.ask("And the calling code?")
	// What it was told of Japan is in the request: the second answer, and not the first.
	x.ClickText("Code")
	code := x.Text("#code code")
	if !strings.Contains(code, `"content": "Tokyo"`) || strings.Contains(code, "Tokyo. Yo ho ho") {
		t.Errorf("the chat goes on with another answer: %s", code)
	}
}

// TestMarkup shows markup as the text that it is, whoever wrote it.
func TestMarkup(t *testing.T) {
	x := visit(t, serve(t, nil))
	const markup = `<img src=x onerror=faults.push(1)><b>x</b><script>faults.push(2)</script>`
	x.connected()
	x.Click("#open-settings")
	x.Write("#system", markup)
	x.Write("#schema", `{"enum": ["`+markup+`"]}`)
	x.ask(markup)
	x.wantAnswers(`"` + markup + `"`)
	for _, selector := range []string{".question .text", "button.chat"} {
		if got := x.Text(selector); got != markup {
			t.Errorf("%s has %q", selector, got)
		}
	}
	x.Click(`[name=tokens]`)
	x.ask(markup)
	x.ClickText("Code")
	if n := chromium.Get[int](x, `document.querySelectorAll("main img, main b, main script, nav img, nav b, dialog img, dialog b").length`); n != 0 {
		t.Errorf("%d elements were made of texts", n)
	}
}

// TestCode copies a request as a program; curl's gets the same answer.
func TestCode(t *testing.T) {
	url := serve(t, nil)
	x := visit(t, url)
	x.clipboard(url)
	x.connected()
	x.Click("#open-settings")
	x.Write("#system", "It's a test: \"quotes\", $HOME and `ticks`")
	x.Choose("#adapter", "pirate")
	x.Choose("#speculative", "lookup")
	x.ask(france)
	answer := x.answers()[0]
	x.ClickText("Code")
	for language, wants := range map[string][]string{
		"python":     {"from openai import OpenAI", `base_url="` + url + `v1"`, `model="atlas",`, `"adapter": "pirate"`, `"speculative": "lookup"`, "stream=True"},
		"javascript": {`import OpenAI from "openai"`, `baseURL: "` + url + `v1"`, `  model: "atlas",`, `  adapter: "pirate",`, "  stream: true\n"},
		"curl":       {"curl " + url + "v1/chat/completions", `'\''`},
	} {
		x.Click(`[value="` + language + `"]`)
		for _, want := range wants {
			if code := x.Text("#code code"); !strings.Contains(code, want) {
				t.Errorf("%s has no %q:\n%s", language, want, code)
			}
		}
	}
	x.Click(`[value="curl"]`)
	x.Click("#code .copy")
	x.Want(`document.querySelector("#code [role=status]").textContent == "Copied"`)
	program := chromium.Get[string](x, "navigator.clipboard.readText()")
	if _, err := exec.LookPath("curl"); err != nil {
		t.Logf("NOT RUN, there is no curl: %v", err)
		return
	}
	run := exec.CommandContext(t.Context(), "sh", "-c", program)
	run.WaitDelay = time.Second
	out, err := run.Output()
	if err != nil || !strings.Contains(string(out), answer) {
		t.Errorf("%v: %s does not say %q; it was\n%s", err, out, answer, program)
	}
}
