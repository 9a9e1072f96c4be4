package openai

import (
	"encoding/base64"
	"encoding/binary"
	"math"
)

// EmbeddingRequest is a request for vectors of texts.
type EmbeddingRequest struct {
	Model  string
	Inputs []Prompt // one at least
	// Base64 asks for vectors as base64 of little-endian float32.
	Base64 bool
	// Dimensions, unless 0, is how long vectors have to be.
	Dimensions int
}

// ParseEmbedding reads a request of POST /v1/embeddings.
func ParseEmbedding(data []byte, l Limits) (*EmbeddingRequest, error) {
	o, err := readBody(data, l)
	if err != nil {
		return nil, err
	}
	r := &EmbeddingRequest{Model: o.text("model", l.Name), Inputs: prompts(o, "input", l, l.Inputs)}
	r.Base64 = o.choice("encoding_format", "float", "base64") == "base64"
	r.Dimensions, _ = o.count("dimensions", 1, 1<<20)
	o.text("user", int(l.Body))
	if err := o.end(); err != nil {
		return nil, err
	}
	return r, nil
}

// EmbeddingResponse is a list of vectors.
type EmbeddingResponse struct {
	Object string         `json:"object"` // list
	Data   []Embedding    `json:"data"`
	Model  string         `json:"model"`
	Usage  EmbeddingUsage `json:"usage"`
}

// Embedding is the vector of an input.
type Embedding struct {
	Object    string `json:"object"` // embedding
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // []float32 or a string
}

// EmbeddingUsage counts tokens.
type EmbeddingUsage struct {
	PromptTokens int `json:"prompt_tokens"`
	TotalTokens  int `json:"total_tokens"`
}

// NewEmbeddings returns vectors as the request wants them.
func NewEmbeddings(r *EmbeddingRequest, model string, vectors [][]float32, tokens int) EmbeddingResponse {
	out := EmbeddingResponse{Object: "list", Model: model, Data: []Embedding{}, Usage: EmbeddingUsage{tokens, tokens}}
	for i, v := range vectors {
		e := Embedding{Object: "embedding", Index: i, Embedding: v}
		if r.Base64 {
			var raw []byte
			for _, f := range v {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
			}
			e.Embedding = base64.StdEncoding.EncodeToString(raw)
		}
		out.Data = append(out.Data, e)
	}
	return out
}
