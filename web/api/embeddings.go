package api

import (
	"log/slog"
	"net/http"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
)

// embeddings implements POST /v1/embeddings.
func (s *Server) embeddings(x *exchange) error {
	data, err := x.body()
	if err != nil {
		return err
	}
	r, err := openai.ParseEmbedding(data, s.options.Limits)
	if err != nil {
		return err
	}
	call := service.EmbedCall{ID: x.id, Tenant: x.tenant, Model: r.Model}
	for _, p := range r.Inputs {
		if p.Tokens != nil {
			call.Tokens = append(call.Tokens, p.Tokens)
		} else {
			call.Texts = append(call.Texts, p.Text)
		}
	}
	result, err := s.service.Embed(x.r.Context(), call)
	x.note(slog.String("model", result.Model), slog.Int("prompt_tokens", result.Usage.Prompt))
	if err != nil {
		return err
	}
	for _, v := range result.Vectors {
		if r.Dimensions != 0 && r.Dimensions != len(v) {
			return service.Invalid("dimensions", "dimensions: %d, and the model's embeddings have %d: they are not made to be shortened", r.Dimensions, len(v))
		}
	}
	x.rates()
	return x.json(http.StatusOK, openai.NewEmbeddings(r, result.Model, result.Vectors, result.Usage.Prompt))
}
