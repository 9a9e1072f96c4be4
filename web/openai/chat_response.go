package openai

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/realm-webgpu/realm/web/service"
)

// Head is what all answers and their parts begin with.
type Head struct {
	ID          string `json:"id"`
	Object      string `json:"object"`
	Created     int64  `json:"created"` // seconds since 1970
	Model       string `json:"model"`
	Fingerprint string `json:"system_fingerprint"`
}

// NewHead returns the head of an answer.
func NewHead(id, object, model, fingerprint string) Head {
	return Head{ID: id, Object: object, Created: time.Now().Unix(), Model: model, Fingerprint: fingerprint}
}

// ChatResponse is a whole answer.
type ChatResponse struct {
	Head
	Choices []ChatChoice `json:"choices"`
	Usage   *Usage       `json:"usage"`
	Timings *Timings     `json:"timings,omitempty"`
}

// ChatChoice is one of the messages that were asked for.
type ChatChoice struct {
	Index    int         `json:"index"`
	Message  ChatMessage `json:"message"`
	Logprobs *Logprobs   `json:"logprobs"`
	Finish   string      `json:"finish_reason"`
}

// ChatMessage is an assistant's message. Content is null where tools are called and
// nothing is said.
type ChatMessage struct {
	Role         string        `json:"role"`
	Content      *string       `json:"content"`
	Refusal      *string       `json:"refusal"` // always null
	Reasoning    string        `json:"reasoning_content,omitempty"`
	ToolCalls    []ToolCall    `json:"tool_calls,omitempty"`
	FunctionCall *FunctionCall `json:"function_call,omitempty"`
}

// ChatChunk is a part of a stream.
type ChatChunk struct {
	Head
	Choices []ChunkChoice   `json:"choices"`
	Usage   json.RawMessage `json:"usage,omitempty"` // a Usage in the last part, null in others, where it is wanted
	Timings *Timings        `json:"timings,omitempty"`
}

// ChunkChoice is what a part adds to a choice.
type ChunkChoice struct {
	Index    int        `json:"index"`
	Delta    ChunkDelta `json:"delta"`
	Logprobs *Logprobs  `json:"logprobs"`
	Finish   *string    `json:"finish_reason"` // null until the end
}

// ChunkDelta adds to a message.
type ChunkDelta struct {
	Role         string             `json:"role,omitempty"`
	Content      *string            `json:"content,omitempty"`
	Reasoning    string             `json:"reasoning_content,omitempty"`
	ToolCalls    []ToolCallDelta    `json:"tool_calls,omitempty"`
	FunctionCall *FunctionCallDelta `json:"function_call,omitempty"`
}

// ToolCallDelta begins a call, with id, type and name, or adds to its arguments.
type ToolCallDelta struct {
	Index    int               `json:"index"`
	ID       string            `json:"id,omitempty"`
	Type     string            `json:"type,omitempty"`
	Function FunctionCallDelta `json:"function"`
}

// FunctionCallDelta is a part of a FunctionCall.
type FunctionCallDelta struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

// ToolCallDeltas returns parts of calls as clients read them: the id and the name are
// in the first part of a call only.
func ToolCallDeltas(all []service.CallDelta) []ToolCallDelta {
	var out []ToolCallDelta
	for _, c := range all {
		d := ToolCallDelta{Index: c.Index, Function: FunctionCallDelta{Name: c.Name, Arguments: c.Arguments}}
		if c.ID != "" {
			d.ID, d.Type = c.ID, "function"
		}
		out = append(out, d)
	}
	return out
}

// finish returns the reason in the words of a request.
func (r *ChatRequest) finish(reason string) string {
	if r.Legacy && reason == "tool_calls" {
		return "function_call"
	}
	return reason
}

// ChatStream makes the parts of a stream of what the service delivers.
type ChatStream struct {
	request *ChatRequest
	head    Head
	begun   map[int]bool // choices
}

// NewChatStream begins a stream.
func NewChatStream(r *ChatRequest, head Head) *ChatStream {
	return &ChatStream{request: r, head: head, begun: map[int]bool{}}
}

// Add returns the parts that a delta makes: the role first, and the reason at the end,
// are parts of their own.
func (s *ChatStream) Add(d service.Delta) []ChatChunk {
	var all []ChatChunk
	add := func(c ChunkChoice) {
		c.Index = d.Index
		all = append(all, ChatChunk{Head: s.head, Choices: []ChunkChoice{c}, Usage: s.request.noUsage()})
	}
	if !s.begun[d.Index] {
		s.begun[d.Index] = true
		empty := ""
		add(ChunkChoice{Delta: ChunkDelta{Role: "assistant", Content: &empty}})
	}
	delta := ChunkDelta{Reasoning: d.Reasoning}
	if d.Text != "" {
		delta.Content = &d.Text
	}
	if s.request.Legacy {
		delta.FunctionCall = functionCallDelta(d.Calls)
	} else {
		delta.ToolCalls = ToolCallDeltas(d.Calls)
	}
	logprobs := NewLogprobs(d.Logprobs)
	if delta.Content != nil || delta.Reasoning != "" || delta.ToolCalls != nil || delta.FunctionCall != nil || logprobs != nil {
		add(ChunkChoice{Delta: delta, Logprobs: logprobs})
	}
	if d.Finish != "" {
		reason := s.request.finish(d.Finish)
		add(ChunkChoice{Finish: &reason})
	}
	return all
}

// functionCallDelta is the first call in the older way, which has one.
func functionCallDelta(all []service.CallDelta) *FunctionCallDelta {
	var out *FunctionCallDelta
	for _, c := range all {
		if c.Index > 0 {
			continue
		}
		if out == nil {
			out = &FunctionCallDelta{}
		}
		out.Name += c.Name
		out.Arguments += c.Arguments
	}
	return out
}

// End returns the last part, which counts tokens, where the request wants it.
func (s *ChatStream) End(r service.Result) []ChatChunk {
	if !s.request.IncludeUsage {
		return nil
	}
	return []ChatChunk{{Head: s.head, Choices: []ChunkChoice{}, Usage: marshal(NewUsage(r.Usage)), Timings: NewTimings(r)}}
}

// ChatAnswer puts an answer together.
type ChatAnswer struct {
	request *ChatRequest
	choices []*chatChoice
}

// chatChoice is what has come to a choice.
type chatChoice struct {
	text, reasoning strings.Builder
	calls           []ToolCall
	logprobs        *Logprobs
	finish          string
}

// NewChatAnswer returns an answer that nothing has come to.
func NewChatAnswer(r *ChatRequest) *ChatAnswer { return &ChatAnswer{request: r} }

// Add takes what the service delivers.
func (a *ChatAnswer) Add(d service.Delta) {
	for len(a.choices) <= d.Index {
		a.choices = append(a.choices, &chatChoice{})
	}
	c := a.choices[d.Index]
	c.text.WriteString(d.Text)
	c.reasoning.WriteString(d.Reasoning)
	c.calls = AddCalls(c.calls, d.Calls)
	c.logprobs = c.logprobs.add(NewLogprobs(d.Logprobs))
	if d.Finish != "" {
		c.finish = d.Finish
	}
}

// AddCalls puts parts of calls to those that have begun.
func AddCalls(all []ToolCall, parts []service.CallDelta) []ToolCall {
	for _, p := range parts {
		for len(all) <= p.Index {
			all = append(all, ToolCall{Type: "function"})
		}
		c := &all[p.Index]
		c.ID += p.ID
		c.Function.Name += p.Name
		c.Function.Arguments += p.Arguments
	}
	return all
}

// Response returns the answer.
func (a *ChatAnswer) Response(head Head, r service.Result) ChatResponse {
	out := ChatResponse{Head: head, Choices: []ChatChoice{}, Usage: NewUsage(r.Usage), Timings: NewTimings(r)}
	for i, c := range a.choices {
		m := ChatMessage{Role: "assistant", Reasoning: c.reasoning.String(), ToolCalls: c.calls}
		if text := c.text.String(); text != "" || len(c.calls) == 0 {
			m.Content = &text
		}
		if a.request.Legacy && len(c.calls) > 0 {
			m.FunctionCall, m.ToolCalls = &c.calls[0].Function, nil
		}
		out.Choices = append(out.Choices, ChatChoice{Index: i, Message: m, Logprobs: c.logprobs, Finish: a.request.finish(c.finish)})
	}
	return out
}
