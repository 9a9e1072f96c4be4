package openai

import "github.com/realm-webgpu/realm/web/service"

// ModelList is what there is to ask.
type ModelList struct {
	Object string  `json:"object"` // list
	Data   []Model `json:"data"`
}

// Model is a model, or an adapter of one. What OpenAI does not have is vLLM's.
type Model struct {
	ID      string  `json:"id"`
	Object  string  `json:"object"` // model
	Created int64   `json:"created"`
	OwnedBy string  `json:"owned_by"`
	Root    string  `json:"root"`
	Parent  *string `json:"parent"` // the model of an adapter; null for models
	// MaxModelLen is the context in tokens; null until the model was loaded once.
	MaxModelLen *int `json:"max_model_len"`
}

// NewModel returns a model as clients read it.
func NewModel(m service.ModelInfo) Model {
	out := Model{ID: m.ID, Object: "model", Created: m.Created.Unix(), OwnedBy: "realm", Root: m.Root}
	if m.Created.IsZero() {
		out.Created = 0
	}
	if m.Parent != "" {
		out.Parent = &m.Parent
	}
	if m.Context > 0 {
		out.MaxModelLen = &m.Context
	}
	return out
}
