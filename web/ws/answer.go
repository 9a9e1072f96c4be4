package ws

import (
	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
)

// chat answers a conversation.
func (x *call) chat(params []byte) (service.Result, []choice, error) {
	r, err := openai.ParseChat(params, x.conn.server.live.Load().Limits)
	if err != nil {
		return service.Result{}, nil, err
	}
	answer, c := openai.NewChatAnswer(r), r.Call()
	c.ID, c.Tenant = x.id(), x.conn.tenant
	c.Request.EchoTokens = x.stream
	c.Deliver = func(d service.Delta) error {
		if !x.stream {
			answer.Add(d)
			return nil
		}
		p := part{
			Text: d.Text, Index: d.Index, Tokens: d.Tokens, Reasoning: d.Reasoning,
			ToolCalls: openai.ToolCallDeltas(d.Calls), Finish: d.Finish,
		}
		if l := openai.NewLogprobs(d.Logprobs); l != nil {
			p.Logprobs = l
		}
		d.Logprobs = nil // they are not told twice
		answer.Add(d)
		return x.send(p)
	}
	a, err := x.conn.server.service.Start(x.ctx, c)
	if err != nil {
		return service.Result{}, nil, err
	}
	defer a.Close()
	result, err := a.Run()
	var all []choice
	for _, m := range answer.Response(openai.Head{}, result).Choices {
		one := choice{Index: m.Index, Reasoning: m.Message.Reasoning, ToolCalls: m.Message.ToolCalls, Finish: m.Finish}
		if m.Message.Content != nil {
			one.Text = *m.Message.Content
		}
		if m.Logprobs != nil {
			one.Logprobs = m.Logprobs
		}
		all = append(all, one)
	}
	return result, all, err
}

// generate goes on with texts.
func (x *call) generate(params []byte) (service.Result, []choice, error) {
	s := x.conn.server.service
	r, err := openai.ParseCompletion(params, x.conn.server.live.Load().Limits)
	if err != nil {
		return service.Result{}, nil, err
	}
	echoes, err := r.Echoes(x.ctx, s, x.conn.tenant)
	if err != nil {
		return service.Result{}, nil, err
	}
	calls := r.Calls()
	for i := range calls {
		calls[i].ID, calls[i].Tenant = x.id(), x.conn.tenant
		calls[i].Request.EchoTokens = x.stream
	}
	answer, parts := openai.NewCompletionAnswer(r, openai.Head{}, echoes), openai.NewCompletionStream(r, openai.Head{}, echoes)
	result, err := s.RunAll(x.ctx, calls, func(prompt int, d service.Delta) error {
		if !x.stream {
			answer.Add(prompt, d)
			return nil
		}
		if d.Index >= r.Request.N {
			return nil // a guest of a tenant's own may write more than was asked for
		}
		p := part{Index: prompt*r.Request.N + d.Index, Tokens: d.Tokens, Finish: d.Finish}
		for _, more := range parts.Add(prompt, d) {
			for _, c := range more.Choices {
				p.Text += c.Text
				if c.Logprobs != nil {
					p.Logprobs = c.Logprobs
				}
			}
		}
		d.Logprobs = nil
		answer.Add(prompt, d)
		return x.send(p)
	})
	var all []choice
	for _, c := range answer.Response(result).Choices {
		one := choice{Index: c.Index, Text: c.Text}
		if c.Logprobs != nil {
			one.Logprobs = c.Logprobs
		}
		if c.Finish != nil {
			one.Finish = *c.Finish
		}
		all = append(all, one)
	}
	return result, all, err
}

// send sends a part of the answer.
func (x *call) send(p part) error {
	return x.conn.send(reply{ID: x.frame.ID, Status: streaming, Data: p})
}
