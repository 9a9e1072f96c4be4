package service

import (
	"encoding/json"
	"fmt"

	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/hostfn"
)

// ends reports whether a token ends a text.
func (l *lease) ends(token int32) bool { return l.engine.Tokenizer().IsEndOfGeneration(token) }

// show says which control tokens are text: in a conversation, those that calls and
// reasoning are read by.
func (l *lease) show(talk *Chat) func(int32) bool {
	if talk == nil || len(l.markers) == 0 {
		return nil
	}
	return func(token int32) bool { return l.markers[token] }
}

// reasons reports whether the model was made to reason: its vocabulary has the marker.
func (l *lease) reasons() bool {
	_, ok := l.engine.Tokenizer().Lookup(l.format.ReasoningMarker())
	return ok && l.format.ReasoningMarker() != ""
}

// opensReasoning reports whether the prompt of a conversation ends inside of the
// model's reasoning. What is wrong with a conversation the guest says.
func (l *lease) opensReasoning(talk *Chat) bool {
	t := l.engine.Template()
	if l.format == chat.FormatPlain || t == nil {
		return false
	}
	r, err := talk.request()
	if err != nil {
		return false
	}
	prompt, err := t.Render(r)
	return err == nil && l.format.OpensReasoning(prompt)
}

// request is the conversation as templates take it.
func (c *Chat) request() (chat.Request, error) {
	r := request{Messages: c.Messages, Template: c.Template}
	if c.offers() {
		r.Tools = c.Tools
	}
	text, err := json.Marshal(r)
	if err != nil {
		return chat.Request{}, err
	}
	return hostfn.ReadConversation(text)
}

// guestModels are the models that the guest of an answer may open: the one of the
// request, and by name what else the tenant may use.
type guestModels struct {
	answer *Answer
	leases []*lease
}

// Open implements hostfn.Models.
func (g *guestModels) Open(name string) (*hostfn.Model, error) {
	a := g.answer
	if name == "" || name == a.lease.name {
		return a.lease.seen, nil
	}
	all := a.service.models
	m, _, err := all.resolve(a.tenant, name, NoAdapter)
	if err != nil {
		return nil, fmt.Errorf("service: model %q: %w", name, hostfn.ErrNotFound)
	}
	l, err := all.acquire(a.ctx, m, "")
	if err != nil {
		return nil, err
	}
	g.leases = append(g.leases, l)
	return l.seen, nil
}

// release gives the models back once the guest has ended.
func (g *guestModels) release() {
	for _, l := range g.leases {
		l.release()
	}
}
