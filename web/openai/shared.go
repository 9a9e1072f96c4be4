package openai

import (
	"encoding/json"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/service"
)

// maxTokens bounds max_tokens and its like, which are no reason to reserve anything.
const maxTokens = 1 << 30

// target is what requests of every kind name.
type target struct {
	// Model is a name, or NAME:ADAPTER, or "" for the server's default.
	Model string
	// Adapter is a name, "" for the default, or service.NoAdapter.
	Adapter string
	// Guest is a name, or "" for the one that is built in, or the tenant's own.
	Guest string
	// Stream asks for the answer in parts.
	Stream bool
	// IncludeUsage asks for a last part that counts tokens.
	IncludeUsage bool
}

func (t *target) read(o *object, l Limits) {
	t.Model = o.text("model", l.Name)
	t.Adapter = o.text("adapter", l.Name)
	t.Guest = o.text("guest", l.Name)
	t.Stream = o.flag("stream", false)
	s := o.object("stream_options")
	if s == nil {
		return
	}
	if !t.Stream {
		o.fail("stream_options", "is for requests with stream only")
	}
	t.IncludeUsage = s.flag("include_usage", false)
	s.accept("include_obfuscation") // nothing is padded here
	s.finish()
	o.adopt(s)
}

// accounts passes over what says who asks, how it is billed and where it is cached. An
// answer is the same whatever they are.
func accounts(o *object, l Limits) {
	for _, name := range []string{"user", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"} {
		o.text(name, int(l.Body))
	}
	for _, name := range []string{"metadata", "prompt_cache_options"} {
		o.object(name)
	}
	if o.flag("store", false) {
		o.fail("store", "is not supported: this server keeps no answers")
	}
}

// speculation reads how tokens are drafted: "lookup", "model", or an object of the
// guest's. What is written is the same.
func speculation(o *object, l Limits) *guest.Speculation {
	const name = "speculative"
	if raw := o.members[name]; len(raw) > 0 && raw[0] == '{' {
		s := o.object(name)
		if s == nil {
			return nil
		}
		out := &guest.Speculation{Mode: s.choice("mode", "lookup", "model")}
		if out.Mode == "" {
			s.fail("mode", "is missing")
		}
		out.Tokens, _ = s.count("tokens", 1, l.Drafts)
		s.finish()
		o.adopt(s)
		return out
	} else if string(raw) == "false" {
		o.accept(name)
		return nil
	}
	if mode := o.choice(name, "lookup", "model", "none"); mode != "" && mode != "none" {
		return &guest.Speculation{Mode: mode}
	}
	return nil
}

// call returns what a request asks the service for.
func (t *target) call(r guest.Request) service.Call {
	return service.Call{Model: t.Model, Adapter: t.Adapter, Guest: t.Guest, Request: r}
}

// marshal is for values of this package, which are always JSON.
func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("openai: " + err.Error())
	}
	return b
}
