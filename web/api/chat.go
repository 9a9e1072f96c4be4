package api

import (
	"crypto/rand"
	"net/http"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
)

// head returns what an answer begins with.
func (x *exchange) head(prefix, object, model string) openai.Head {
	if model == "" {
		model = x.defaultModel()
	}
	return openai.NewHead(prefix+rand.Text(), object, model, "realm-"+x.server.options.Version)
}

// defaultModel is the name of the model that answers where none is named.
func (x *exchange) defaultModel() string {
	all, err := x.server.service.Models(x.tenant)
	if err != nil {
		return ""
	}
	for _, m := range all {
		if m.Default && m.Parent == "" {
			return m.ID
		}
	}
	return ""
}

// run runs a call to its end, or to that of the connection.
func (x *exchange) run(c service.Call) (service.Result, error) {
	c.ID, c.Tenant = x.id, x.tenant
	a, err := x.server.service.Start(x.r.Context(), c)
	if err != nil {
		return service.Result{}, err
	}
	defer a.Close()
	return a.Run()
}

// chat implements POST /v1/chat/completions.
func (s *Server) chat(x *exchange) error {
	data, err := x.body()
	if err != nil {
		return err
	}
	r, err := openai.ParseChat(data, s.options.Limits)
	if err != nil {
		return err
	}
	if r.Stream {
		return s.streamChat(x, r)
	}
	answer, call := openai.NewChatAnswer(r), r.Call()
	call.Deliver = func(d service.Delta) error { answer.Add(d); return nil }
	result, err := x.run(call)
	x.used(result)
	if err != nil {
		return err
	}
	x.rates()
	return x.json(http.StatusOK, answer.Response(x.head("chatcmpl-", "chat.completion", r.Model), result))
}

// streamChat answers in parts.
func (s *Server) streamChat(x *exchange, r *openai.ChatRequest) error {
	out := x.newStream()
	defer out.close()
	parts, call := openai.NewChatStream(r, x.head("chatcmpl-", "chat.completion.chunk", r.Model)), r.Call()
	call.Deliver = func(d service.Delta) error { return sendAll(out, parts.Add(d)) }
	result, err := x.run(call)
	x.used(result)
	if err == nil {
		err = sendAll(out, parts.End(result))
	}
	if err != nil {
		return out.fail(err)
	}
	return out.done()
}

// sendAll sends parts of a stream.
func sendAll[T any](out *stream, parts []T) error {
	for _, p := range parts {
		if err := out.send("", p); err != nil {
			return err
		}
	}
	return nil
}
