package api

import (
	"net/http"

	"github.com/realm-webgpu/realm/web/openai"
)

// responses implements POST /v1/responses.
func (s *Server) responses(x *exchange) error {
	data, err := x.body()
	if err != nil {
		return err
	}
	r, err := openai.ParseResponses(data, s.options.Limits)
	if err != nil {
		return err
	}
	model := r.Model
	if model == "" {
		model = x.defaultModel()
	}
	send := func(openai.ResponseEvent) error { return nil }
	var out *stream
	if r.Stream {
		out = x.newStream()
		defer out.close()
		send = func(e openai.ResponseEvent) error { return out.send(e.Type, e) }
	}
	answer, call := openai.NewResponseStream(r, model, send), r.Call()
	call.Deliver = answer.Add
	result, err := x.run(call)
	x.used(result)
	var whole *openai.Response
	if err == nil {
		whole, err = answer.End(result)
	}
	switch {
	case err != nil && out != nil && out.started():
		return answer.Fail(x.told(err))
	case err != nil || out != nil:
		return err
	}
	x.rates()
	return x.json(http.StatusOK, whole)
}
