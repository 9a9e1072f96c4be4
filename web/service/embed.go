package service

import (
	"context"
	"fmt"

	"github.com/realm-webgpu/realm/engine"
)

// EmbedCall asks for the embeddings of texts, or of texts that are tokens already.
type EmbedCall struct {
	ID     string
	Tenant *Tenant
	Model  string
	Texts  []string
	Tokens [][]int32
}

// EmbedResult has a vector of length 1 for each text, in order.
type EmbedResult struct {
	Model   string
	Vectors [][]float32
	Usage   Usage
}

// Embed returns embeddings.
func (s *Service) Embed(ctx context.Context, c EmbedCall) (EmbedResult, error) {
	a, err := s.enter(ctx, Call{ID: c.ID, Tenant: c.Tenant, Model: c.Model, Adapter: NoAdapter})
	if err != nil {
		return EmbedResult{}, errorOf(err)
	}
	defer a.Close()
	result, err := a.embed(c)
	if a.charge != nil {
		a.charge.Settle(result.Usage.Prompt)
	}
	var told *Error
	if err != nil {
		told = a.fault(err)
	}
	s.observe(a, Result{Model: result.Model, Usage: result.Usage}, told)
	if told != nil {
		return result, told
	}
	return result, nil
}

func (a *Answer) embed(c EmbedCall) (EmbedResult, error) {
	s := a.service
	var r EmbedResult
	spec, _, err := s.models.resolve(a.tenant, c.Model, NoAdapter)
	if err != nil {
		return r, err
	}
	guess := 0
	for _, text := range c.Texts {
		guess += len(text) / 3
	}
	for _, tokens := range c.Tokens {
		guess += len(tokens)
	}
	if a.charge, err = a.tenant.admit(guess); err != nil {
		return r, err
	}
	if a.lease, err = s.models.acquire(a.ctx, spec, ""); err != nil {
		return r, err
	}
	m := a.lease.engine
	r.Model = a.lease.name
	all := c.Tokens
	for _, text := range c.Texts {
		all = append(all, m.Encode(text, false))
	}
	for i, tokens := range all {
		rows, err := m.Embed(a.ctx, tokens, engine.EmbedOptions{Tenant: a.tenant.engine})
		if err != nil {
			told := *errorOf(err)
			if told.Code == InvalidRequest || told.Code == ContextOverflow {
				told.Param, told.Message = "input", fmt.Sprintf("input[%d]: %s", i, told.Message)
			}
			return r, &told
		}
		r.Usage.Prompt += len(tokens)
		// Of a model without pooling there is a row a token: the last has read them all.
		r.Vectors = append(r.Vectors, rows[len(rows)-1])
	}
	return r, nil
}
