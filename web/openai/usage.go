package openai

import (
	"encoding/json"
	"time"

	"github.com/realm-webgpu/realm/web/service"
)

// Usage counts tokens.
type Usage struct {
	PromptTokens     int           `json:"prompt_tokens"`
	CompletionTokens int           `json:"completion_tokens"`
	TotalTokens      int           `json:"total_tokens"`
	PromptDetails    PromptDetails `json:"prompt_tokens_details"`
	Details          OutputDetails `json:"completion_tokens_details"`
}

// PromptDetails says how many tokens of the prompt were known before.
type PromptDetails struct {
	CachedTokens int `json:"cached_tokens"`
}

// OutputDetails says how many tokens of the answer were thought and not said.
type OutputDetails struct {
	ReasoningTokens int `json:"reasoning_tokens"`
}

// NewUsage returns the counts as clients read them.
func NewUsage(u service.Usage) *Usage {
	return &Usage{u.Prompt, u.Completion, u.Prompt + u.Completion, PromptDetails{u.Cached}, OutputDetails{u.Reasoning}}
}

// noUsage is what parts say of usage in front of the one that has it.
func (t *target) noUsage() json.RawMessage {
	if !t.IncludeUsage {
		return nil
	}
	return json.RawMessage("null")
}

// Timings say what took how long. They are Realm's own.
type Timings struct {
	QueueMS       float64 `json:"queue_ms"`
	TTFTMS        float64 `json:"ttft_ms"`
	TotalMS       float64 `json:"total_ms"`
	Decode        float64 `json:"decode_tokens_per_second"`
	DraftAccepted int     `json:"draft_accepted"`
	DraftProposed int     `json:"draft_proposed"`
}

// NewTimings returns the timings of an answer.
func NewTimings(r service.Result) *Timings {
	return &Timings{
		QueueMS: milliseconds(r.Timings.Queue), TTFTMS: milliseconds(r.Timings.FirstToken), TotalMS: milliseconds(r.Timings.Total),
		Decode: r.Timings.Decode, DraftAccepted: r.Usage.Accepted, DraftProposed: r.Usage.Proposed,
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
