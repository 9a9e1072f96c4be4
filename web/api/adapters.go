package api

import (
	"io"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
)

// loadAdapter implements POST /v1/load_lora_adapter.
func (s *Server) loadAdapter(x *exchange) error {
	r, err := x.adapter(true)
	if err != nil {
		return err
	}
	if err := s.service.LoadAdapter(x.r.Context(), service.LoadAdapterCall{Model: r.Model, Name: r.Name, Path: r.Path}); err != nil {
		return err
	}
	return x.text("Success: LoRA adapter '" + r.Name + "' added successfully.")
}

// unloadAdapter implements POST /v1/unload_lora_adapter.
func (s *Server) unloadAdapter(x *exchange) error {
	r, err := x.adapter(false)
	if err != nil {
		return err
	}
	if err := s.service.UnloadAdapter(x.r.Context(), r.Model, r.Name); err != nil {
		return err
	}
	return x.text("Success: LoRA adapter '" + r.Name + "' removed successfully.")
}

func (x *exchange) adapter(path bool) (*openai.AdapterRequest, error) {
	data, err := x.body()
	if err != nil {
		return nil, err
	}
	return openai.ParseAdapter(data, x.server.options.Limits, path)
}

// text writes a sentence, as vLLM answers.
func (x *exchange) text(s string) error {
	x.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	x.deadline()
	_, _ = io.WriteString(x.w, s)
	return nil
}
