package api

import (
	"net/http"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
)

// completions implements POST /v1/completions.
func (s *Server) completions(x *exchange) error {
	data, err := x.body()
	if err != nil {
		return err
	}
	r, err := openai.ParseCompletion(data, s.options.Limits)
	if err != nil {
		return err
	}
	echoes, err := r.Echoes(x.r.Context(), x.server.service, x.tenant)
	if err != nil {
		return err
	}
	head := x.head("cmpl-", "text_completion", r.Model)
	if !r.Stream {
		answer := openai.NewCompletionAnswer(r, head, echoes)
		result, err := x.runAll(r.Calls(), func(prompt int, d service.Delta) error { answer.Add(prompt, d); return nil })
		x.used(result)
		if err != nil {
			return err
		}
		x.rates()
		return x.json(http.StatusOK, answer.Response(result))
	}
	out := x.newStream()
	defer out.close()
	parts := openai.NewCompletionStream(r, head, echoes)
	result, err := x.runAll(r.Calls(), func(prompt int, d service.Delta) error { return sendAll(out, parts.Add(prompt, d)) })
	x.used(result)
	if err == nil {
		err = sendAll(out, parts.End(result))
	}
	if err != nil {
		return out.fail(err)
	}
	return out.done()
}

// runAll runs the calls of a request side by side.
func (x *exchange) runAll(calls []service.Call, deliver func(int, service.Delta) error) (service.Result, error) {
	for i := range calls {
		calls[i].ID, calls[i].Tenant = x.id, x.tenant
	}
	return x.server.service.RunAll(x.r.Context(), calls, deliver)
}
