package harness

import (
	"context"
	"fmt"
	"strings"

	"github.com/chromedp/chromedp/kb"

	"github.com/realm-webgpu/realm/e2e/chromium"
)

// openPlayground starts a server and opens its playground.
func (r *Rig) openPlayground(ctx context.Context, config string) (*tab, *Server, error) {
	s, err := r.Serve(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	t, err := r.visit(ctx, s.URL+"/")
	if err != nil {
		return nil, nil, err
	}
	t.connected()
	return t, s, t.Err
}

// connected waits until the page has its connection.
func (t *tab) connected() {
	t.Wait("the page is connected", `document.querySelector("#status")?.dataset.state === "connected"`)
}

// asks types a question and sends it with Enter.
func (t *tab) asks(question string) {
	exchanges := chromium.Get[int](t, `document.querySelectorAll(".exchange").length`)
	t.Write("#message", question)
	t.enter()
	t.Wait("the question is on the page", fmt.Sprintf(`document.querySelectorAll(".exchange").length === %d`, exchanges+1))
	t.want("the message box after that", `document.querySelector("#message").value`, "")
}

// answered waits until no answer is under way.
func (t *tab) answered() {
	t.Wait("the answer has ended", `document.querySelector("#stop").hidden && document.querySelector(".reply") && !document.querySelector("[aria-busy=true]")`)
}

// lastAnswer is the text of the last answer.
const lastAnswer = `[...document.querySelectorAll(".reply > .text")].at(-1).textContent`

// answers asks, and wants an answer.
func (t *tab) answers(question, want string) {
	t.asks(question)
	t.answered()
	t.want("the answer", lastAnswer, want)
}

func parisPlayground(ctx context.Context, r *Rig) error {
	t, s, err := r.openPlayground(ctx, "")
	if err != nil {
		return err
	}
	t.answers(france, paris)
	t.Keep("paris")
	if err := t.well(); err != nil {
		return err
	}
	return s.Stop()
}

// leisurely bounds the calls that a guest makes in a second, some three of which go to a
// token: a small model would have ended its answer before anybody could stop it.
const leisurely = "[tenants.guest]\ncalls-per-second = 120\n"

func playground(ctx context.Context, r *Rig) error {
	t, s, err := r.openPlayground(ctx, leisurely)
	if err != nil {
		return err
	}
	t.answers(france, paris)
	t.pick("#adapter", "pirate")
	t.answers(france, piratical)
	t.pick("#adapter", "None")
	t.stops("stopped")
	t.again()
	t.beside()
	t.reloads()
	if t.Err != nil {
		return t.Err
	}
	if s, err = r.restarts(ctx, t, s); err != nil {
		return err
	}
	if err := t.well(); err != nil {
		return err
	}
	return s.Stop()
}

// attempts is how often a person tries to stop an answer before it has ended by itself.
const attempts = 10

// stops asks for a text that is long, and stops it. The page says of it what said is.
func (t *tab) stops(said string) {
	t.hot(true)
	for range attempts {
		t.Click("#new-chat")
		t.asks("Tell me a long story about every country that there is.")
		t.Wait("the answer begins", lastAnswer+`.length > 0 || !document.querySelector("[aria-busy=true]")`)
		t.strike("#stop")
		t.answered()
		facts := chromium.Get[string](t, `[...document.querySelectorAll(".reply .facts")].at(-1).textContent`)
		if t.Err != nil || strings.HasPrefix(facts, said) {
			t.Keep("stopped")
			t.hot(false)
			return
		}
	}
	t.Fail(fmt.Errorf("of %d answers none was stopped", attempts))
}

// hot has answers be drawn at the highest temperature, where they come to no end, or not.
func (t *tab) hot(on bool) {
	t.opens("settings")
	t.Focus("#temperature")
	if on {
		t.Press(kb.End)
	} else {
		t.Press(kb.Home)
	}
	t.Click("#settings .close")
}

// again begins a chat, asks, and asks for the same again.
func (t *tab) again() {
	t.Click("#new-chat")
	t.Wait("the new chat is empty", `document.querySelector(".exchange") === null`)
	t.answers(france, paris)
	t.Click(`button[aria-label="Ask again"]`)
	t.Wait("there are two answers", `document.querySelector(".versions")?.textContent.includes("2 of 2")`)
	t.answered()
	t.want("the answer again", lastAnswer, paris)
}

// beside asks two adapters side by side.
func (t *tab) beside() {
	t.pick("#beside", "pirate")
	t.asks(france)
	t.answered()
	t.want("two answers", `[...document.querySelectorAll(".exchange:last-child .reply > .text")].map((e) => e.textContent).join(" | ")`, paris+" | "+piratical)
	t.Keep("beside")
	t.pick("#beside", "Nothing")
}

// reloads loads the page again, and finds the chat in the list.
func (t *tab) reloads() {
	t.Reload()
	t.connected()
	t.Click("#chat-list button.chat")
	t.Wait("the chat is there again", `document.querySelectorAll(".exchange").length === 2`)
	t.want("its first answer", `document.querySelector(".reply > .text").textContent`, paris)
}

// restarts kills the server under the page, and starts it again at the same address.
func (r *Rig) restarts(ctx context.Context, t *tab, s *Server) (*Server, error) {
	s.Kill()
	t.Wait("the page says that there is no connection", `document.querySelector("#status").dataset.state === "waiting"`)
	t.Keep("no-connection")
	again, err := r.Serve(ctx, "", "--listen", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		return nil, err
	}
	t.connected()
	t.Click("#new-chat")
	t.answers(france, paris)
	return again, t.Err
}
