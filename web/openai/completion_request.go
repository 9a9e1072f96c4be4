package openai

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/service"
)

// usualCompletion is how many tokens a completion has where the request does not say:
// OpenAI's number.
const usualCompletion = 16

// Prompt is a text to go on from, or its tokens.
type Prompt struct {
	Text   string
	Tokens []int32 // nil: Text
}

// CompletionRequest is a request for what follows a text, or each of several texts.
type CompletionRequest struct {
	target
	Prompts []Prompt // one at least
	// Echo asks for the prompt in front of each text.
	Echo    bool
	Request guest.Request // without the prompt
}

// ParseCompletion reads a request of POST /v1/completions, or of the WebSocket's
// generate. The error is a *service.Error that names the parameter.
func ParseCompletion(data []byte, l Limits) (*CompletionRequest, error) {
	o, err := readBody(data, l)
	if err != nil {
		return nil, err
	}
	r := &CompletionRequest{}
	r.target.read(o, l)
	r.Prompts = prompts(o, "prompt", l, l.Prompts)
	q := &r.Request
	sampling(o, l, q)
	stops(o, l, q)
	choices(o, l, q)
	if n := q.N * len(r.Prompts); n > l.Prompts {
		o.fail("n", "%d texts of %d prompts, at most %d in all", n, len(r.Prompts), l.Prompts)
	}
	if n, ok := o.count("best_of", 1, l.BestOf); ok {
		if n < q.N {
			o.fail("best_of", "%d is less than n, which is %d", n, q.N)
		}
		if r.Stream && n > q.N {
			o.fail("best_of", "is not for streams: which texts are best is known at their end")
		}
		if n > q.N {
			q.BestOf = n
		}
	}
	q.MaxTokens, _ = o.count("max_tokens", 1, maxTokens)
	if n, ok := o.count("logprobs", 0, l.TopLogprobs); ok {
		q.Logprobs, q.TopLogprobs = true, n
	}
	if r.Echo = o.flag("echo", false); r.Echo && q.Logprobs {
		o.fail("echo", "is not supported with logprobs: prompts have no log-probabilities here")
	}
	if s := o.text("suffix", int(l.Body)); s != "" {
		o.fail("suffix", "is not supported: models of this server go on at the end of a text")
	}
	// Text such as <|im_end|> is the token that it names, as in other servers: prompts
	// are written with them where a template is done by hand.
	q.Special = o.flag("parse_special", true)
	q.Grammar = constraint(o, l)
	ending(o, q, nil)
	q.Speculative = speculation(o, l)
	accounts(o, l)
	if err := o.end(); err != nil {
		return nil, err
	}
	return r, nil
}

// prompts reads a string, an array of strings, an array of tokens or an array of such
// arrays.
func prompts(o *object, name string, l Limits, most int) []Prompt {
	if !o.has(name) {
		o.fail(name, "is missing")
		return nil
	}
	raw := o.take(name)
	if len(raw) > 0 && raw[0] != '[' {
		p, ok := prompt(o, name, name, raw, l)
		if !ok {
			return nil
		}
		return []Prompt{p}
	}
	var list []json.RawMessage
	if raw != nil && json.Unmarshal(raw, &list) != nil {
		o.fail(name, "the array cannot be read")
	}
	if o.err == nil && len(list) == 0 {
		o.fail(name, "the array is empty")
	}
	if len(list) > 0 && kindOf(list[0]) == "a number" {
		p, ok := prompt(o, name, name, raw, l)
		if !ok {
			return nil
		}
		return []Prompt{p}
	}
	if len(list) > most {
		o.fail(name, "%d values, at most %d", len(list), most)
		return nil
	}
	var all []Prompt
	for i, raw := range list {
		if kindOf(raw) != kindOf(list[0]) {
			o.fail(name, "%s and %s are mixed", kindOf(list[0]), kindOf(raw))
			return nil
		}
		p, ok := prompt(o, name, fmt.Sprintf("%s[%d]", name, i), raw, l)
		if !ok {
			return nil
		}
		all = append(all, p)
	}
	return all
}

// prompt reads a string or an array of tokens.
func prompt(o *object, name, path string, raw json.RawMessage, l Limits) (Prompt, bool) {
	var p Prompt
	switch kindOf(raw) {
	case "a string":
		if json.Unmarshal(raw, &p.Text) == nil {
			return p, true
		}
	case "an array":
		p.Tokens = []int32{}
		if !decode(raw, &p.Tokens) {
			break
		}
		if len(p.Tokens) == 0 || len(p.Tokens) > l.Tokens {
			o.keep(service.Invalid(name, "%s: %d tokens, want 1 to %d", path, len(p.Tokens), l.Tokens))
			return p, false
		}
		return p, true
	}
	o.keep(service.Invalid(name, "%s: a string or an array of token ids is expected, not %s", path, kindOf(raw)))
	return p, false
}

// Calls returns what the service is asked for: a call for each prompt, whose choices
// come one prompt after the other. ID, Tenant and Deliver are the caller's to set.
func (r *CompletionRequest) Calls() []service.Call {
	all := make([]service.Call, len(r.Prompts))
	for i, p := range r.Prompts {
		q := r.Request
		q.Prompt, q.PromptTokens = p.Text, p.Tokens
		// Texts of one request are as different as those of one prompt.
		q.Seed += uint64(i * max(q.N, q.BestOf))
		all[i] = r.target.call(q)
		all[i].UsualTokens = usualCompletion
	}
	return all
}

// Echoes returns the texts of the prompts, where the request wants them back.
func (r *CompletionRequest) Echoes(ctx context.Context, s *service.Service, t *service.Tenant) ([]string, error) {
	if !r.Echo {
		return nil, nil
	}
	texts := make([]string, len(r.Prompts))
	for i, p := range r.Prompts {
		if texts[i] = p.Text; p.Tokens != nil {
			var err error
			if texts[i], err = s.Detokenize(ctx, t, r.Model, p.Tokens); err != nil {
				return nil, err
			}
		}
	}
	return texts, nil
}
