package ws

import (
	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
)

// protocol is the version of the messages. Members may be added within one.
const protocol = 1

// The kinds of replies. All but streaming end a call.
const (
	streaming = "streaming"
	complete  = "complete"
	failed    = "error"
	cancelled = "cancelled"
)

// reply is a message about a call.
type reply struct {
	ID     string   `json:"id"` // of the call; "" where the frame had none that could be used
	Status string   `json:"status"`
	Data   any      `json:"data,omitempty"`
	Error  *failure `json:"error,omitempty"`
}

// failure is what went wrong.
type failure struct {
	Code    service.Code `json:"code"`
	Message string       `json:"message"`
	Details *details     `json:"details,omitempty"`
}

// details say more where there is more to say.
type details struct {
	Param        string `json:"param,omitempty"`          // the parameter that is wrong
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"` // when to try again
	ID           string `json:"id,omitempty"`             // of the call that has the frame's id already
}

func newFailure(e *service.Error) *failure {
	f := &failure{Code: e.Code, Message: e.Message}
	if e.Param != "" || e.RetryAfter > 0 {
		f.Details = &details{Param: e.Param}
		if e.RetryAfter > 0 {
			f.Details.RetryAfterMS = max(1, e.RetryAfter.Milliseconds())
		}
	}
	return f
}

// part is what has come to a choice: the data of a streaming reply.
type part struct {
	Text      string                 `json:"text"`
	Index     int                    `json:"index"` // of the choice
	Tokens    []int32                `json:"tokens,omitempty"`
	Logprobs  any                    `json:"logprobs,omitempty"` // of chat and generate as OpenAI has them
	Reasoning string                 `json:"reasoning,omitempty"`
	ToolCalls []openai.ToolCallDelta `json:"tool_calls,omitempty"`
	Finish    string                 `json:"finish_reason,omitempty"` // in the last part of a choice
}

// choice is one text of an answer that is whole.
type choice struct {
	Index     int               `json:"index"`
	Text      string            `json:"text"`
	Reasoning string            `json:"reasoning,omitempty"`
	ToolCalls []openai.ToolCall `json:"tool_calls,omitempty"`
	Logprobs  any               `json:"logprobs,omitempty"` // where they were not streamed
	Finish    string            `json:"finish_reason,omitempty"`
}

// ending is the data of the reply that ends a call that ran. The members of a choice
// are those of the first one; of several there are all in Choices.
type ending struct {
	Model   string `json:"model,omitempty"`
	Adapter string `json:"adapter,omitempty"`
	*whole
	Choices []choice        `json:"choices,omitempty"`
	Usage   usage           `json:"usage"`
	Timings *openai.Timings `json:"timings"`
}

// whole is a choice without its index.
type whole struct {
	Text      string            `json:"text"`
	Reasoning string            `json:"reasoning,omitempty"`
	ToolCalls []openai.ToolCall `json:"tool_calls,omitempty"`
	Logprobs  any               `json:"logprobs,omitempty"`
	Finish    string            `json:"finish_reason,omitempty"` // none where it did not end by itself
}

// usage counts tokens.
type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Cached     int `json:"cached_tokens"`
	Reasoning  int `json:"reasoning_tokens,omitempty"` // of the completion
}

// newEnding returns the end of a call with the choices as far as they came.
func newEnding(r service.Result, choices []choice) ending {
	e := ending{
		Model: r.Model, Adapter: r.Adapter,
		Usage:   usage{r.Usage.Prompt, r.Usage.Completion, r.Usage.Cached, r.Usage.Reasoning},
		Timings: openai.NewTimings(r),
	}
	if len(choices) > 0 {
		c := choices[0]
		e.whole = &whole{c.Text, c.Reasoning, c.ToolCalls, c.Logprobs, c.Finish}
	}
	if len(choices) > 1 {
		e.Choices = choices
	}
	return e
}
