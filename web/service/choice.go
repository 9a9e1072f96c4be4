package service

import (
	"crypto/rand"

	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/guest"
)

// choice is one text of an answer, taken apart as it comes.
type choice struct {
	delta  Delta
	parser *chat.Parser // nil: all is text
	// silent drops text: of an answer that has to call, it is of a call that was cut short.
	silent bool
	// call is the name of the tool whose arguments the text is; "": it is none.
	call   string
	called bool
	ended  bool
	finish string // why, once it has
}

func newChoice(index int, a *Answer) *choice {
	c := &choice{delta: Delta{Index: index}}
	talk := a.call.Chat
	if talk == nil {
		return c
	}
	switch {
	case talk.Choice == ToolNamed:
		c.call = talk.Function
	case talk.Choice == ToolRequired:
		// The grammar holds the answer to a list of calls. Mistral's models write such
		// a list, behind a marker.
		c.parser = chat.NewParser(chat.FormatMistral, chat.ParserOptions{Tools: true, NewID: newCallID})
		c.parser.Push(chat.FormatMistral.CallMarker())
		c.silent = true
	case a.call.Request.Grammar != nil: // all is text
	default:
		c.parser = chat.NewParser(a.lease.format, chat.ParserOptions{
			Tools: talk.offers(), ReasoningOpen: a.opened, NewID: newCallID,
		})
	}
	return c
}

// reasons reports whether the text is in its reasoning.
func (c *choice) reasons() bool { return c.parser != nil && c.parser.Reasoning() }

// newCallID makes the id of a call.
func newCallID() string { return "call_" + rand.Text()[:24] }

// add takes text.
func (c *choice) add(text string) {
	switch {
	case text == "":
	case c.call != "":
		if !c.called {
			c.called = true
			c.delta.Calls = append(c.delta.Calls, CallDelta{ID: newCallID(), Name: c.call})
		}
		c.arguments(0, text)
	case c.parser != nil:
		c.parts(c.parser.Push(text))
	default:
		c.delta.Text += text
	}
}

// parts takes what the parser makes of text.
func (c *choice) parts(deltas []chat.Delta) {
	for _, d := range deltas {
		switch d.Kind {
		case chat.DeltaContent:
			if !c.silent {
				c.delta.Text += d.Text
			}
		case chat.DeltaReasoning:
			c.delta.Reasoning += d.Text
		case chat.DeltaCall:
			c.called = true
			c.delta.Calls = append(c.delta.Calls, CallDelta{Index: d.Index, ID: d.ID, Name: d.Name})
		case chat.DeltaArguments:
			c.arguments(d.Index, d.Text)
		}
	}
}

// arguments adds to the arguments of a call.
func (c *choice) arguments(index int, text string) {
	if n := len(c.delta.Calls); n > 0 && c.delta.Calls[n-1].Index == index {
		c.delta.Calls[n-1].Arguments += text
		return
	}
	c.delta.Calls = append(c.delta.Calls, CallDelta{Index: index, Arguments: text})
}

// token takes a token that was chosen. One that ends the text is no part of it.
func (c *choice) token(e guest.Event, logprobs, ends bool) {
	c.delta.Tokens = append(c.delta.Tokens, e.Token)
	if logprobs && !ends {
		c.delta.Logprobs = append(c.delta.Logprobs, Logprob{e.Candidate, e.Top})
	}
}

// end takes the end of the text.
func (c *choice) end(e guest.Event) {
	if c.ended {
		return
	}
	c.ended = true
	if c.parser != nil {
		c.parts(c.parser.Close())
	}
	c.delta.Stop = e.Stop
	switch c.delta.Finish = e.FinishReason; {
	case c.delta.Finish == "context":
		c.delta.Finish = "length"
	case c.delta.Finish == "stop" && c.called:
		c.delta.Finish = "tool_calls"
	case c.delta.Finish == "":
		c.delta.Finish = "stop"
	}
	c.finish = c.delta.Finish
}

// flush delivers what there is, if it is anything.
func (c *choice) flush(deliver func(Delta) error) error {
	d := &c.delta
	if d.Text == "" && d.Reasoning == "" && len(d.Calls)+len(d.Tokens) == 0 && d.Finish == "" {
		return nil
	}
	out := *d
	c.delta = Delta{Index: d.Index}
	return deliver(out)
}
