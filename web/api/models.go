package api

import (
	"fmt"
	"net/http"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
)

// models implements GET /v1/models.
func (s *Server) models(x *exchange) error {
	all, err := s.service.Models(x.tenant)
	if err != nil {
		return err
	}
	list := openai.ModelList{Object: "list", Data: []openai.Model{}}
	for _, m := range all {
		list.Data = append(list.Data, openai.NewModel(m))
	}
	return x.json(http.StatusOK, list)
}

// model implements GET /v1/models/{id...}. Ids may have slashes and colons.
func (s *Server) model(x *exchange) error {
	all, err := s.service.Models(x.tenant)
	if err != nil {
		return err
	}
	id := x.r.PathValue("id")
	for _, m := range all {
		if m.ID == id {
			return x.json(http.StatusOK, openai.NewModel(m))
		}
	}
	return &service.Error{Code: service.ModelNotFound, Param: "model", Message: fmt.Sprintf("there is no model %q", id)}
}

// ticket implements POST /v1/ws/ticket.
func (s *Server) ticket(x *exchange) error {
	text, expires := s.service.NewTicket(x.tenant)
	return x.json(http.StatusOK, openai.Ticket{Ticket: text, Expires: expires.Unix()})
}

// tokenize implements POST /tokenize.
func (s *Server) tokenize(x *exchange) error {
	data, err := x.body()
	if err != nil {
		return err
	}
	r, err := openai.ParseTokenize(data, s.options.Limits)
	if err != nil {
		return err
	}
	result, err := s.service.Tokenize(x.r.Context(), service.TokenizeCall{
		Tenant: x.tenant, Model: r.Model, Text: r.Text, Chat: r.Chat, AddSpecial: r.AddSpecial, ParseSpecial: true, WithTexts: r.WithTexts,
	})
	if err != nil {
		return err
	}
	out := openai.TokenizeResponse{Count: len(result.Tokens), MaxModelLen: result.Context, Tokens: result.Tokens, TokenStrs: result.Texts}
	if out.Tokens == nil {
		out.Tokens = []int32{}
	}
	return x.json(http.StatusOK, out)
}

// detokenize implements POST /detokenize.
func (s *Server) detokenize(x *exchange) error {
	data, err := x.body()
	if err != nil {
		return err
	}
	r, err := openai.ParseDetokenize(data, s.options.Limits)
	if err != nil {
		return err
	}
	text, err := s.service.Detokenize(x.r.Context(), x.tenant, r.Model, r.Tokens)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, openai.DetokenizeResponse{Prompt: text})
}
