package openai

import (
	"encoding/json"
	"strings"

	"github.com/realm-webgpu/realm/web/service"
)

// CompletionResponse is a whole answer, or a part of a stream.
type CompletionResponse struct {
	Head
	Choices []CompletionChoice `json:"choices"`
	Usage   json.RawMessage    `json:"usage,omitempty"` // a Usage; of parts as in ChatChunk
	Timings *Timings           `json:"timings,omitempty"`
}

// CompletionChoice is one of the texts that were asked for, or what is added to it.
type CompletionChoice struct {
	Text     string              `json:"text"`
	Index    int                 `json:"index"`
	Logprobs *CompletionLogprobs `json:"logprobs"`
	Finish   *string             `json:"finish_reason"` // null until the end
}

// CompletionStream makes the parts of a stream of what the service delivers.
type CompletionStream struct {
	request *CompletionRequest
	head    Head
	echoes  []string    // by the prompt
	begun   map[int]int // the offset behind a choice's tokens, by its index
}

// NewCompletionStream begins a stream. echoes are the texts of the prompts, for
// requests with Echo.
func NewCompletionStream(r *CompletionRequest, head Head, echoes []string) *CompletionStream {
	return &CompletionStream{r, head, echoes, map[int]int{}}
}

// Add returns the parts that a delta of a prompt makes.
func (s *CompletionStream) Add(prompt int, d service.Delta) []CompletionResponse {
	index := prompt*s.request.Request.N + d.Index
	var all []CompletionResponse
	add := func(c CompletionChoice) {
		c.Index = index
		all = append(all, CompletionResponse{Head: s.head, Choices: []CompletionChoice{c}, Usage: s.request.noUsage()})
	}
	offset, begun := s.begun[index]
	if !begun && s.request.Echo {
		add(CompletionChoice{Text: s.echoes[prompt]})
	}
	logprobs, offset := newCompletionLogprobs(d.Logprobs, offset)
	s.begun[index] = offset
	if d.Text != "" || logprobs != nil {
		add(CompletionChoice{Text: d.Text, Logprobs: logprobs})
	}
	if d.Finish != "" {
		add(CompletionChoice{Finish: &d.Finish})
	}
	return all
}

// End returns the last part, which counts tokens, where the request wants it.
func (s *CompletionStream) End(r service.Result) []CompletionResponse {
	if !s.request.IncludeUsage {
		return nil
	}
	return []CompletionResponse{{Head: s.head, Choices: []CompletionChoice{}, Usage: marshal(NewUsage(r.Usage)), Timings: NewTimings(r)}}
}

// CompletionAnswer puts an answer together.
type CompletionAnswer struct {
	stream  *CompletionStream
	choices []completionChoice
}

// completionChoice is what has come to a choice.
type completionChoice struct {
	text     strings.Builder
	logprobs *CompletionLogprobs
	finish   *string
}

// NewCompletionAnswer returns an answer that nothing has come to.
func NewCompletionAnswer(r *CompletionRequest, head Head, echoes []string) *CompletionAnswer {
	return &CompletionAnswer{NewCompletionStream(r, head, echoes), make([]completionChoice, len(r.Prompts)*r.Request.N)}
}

// Add takes what the service delivers of a prompt.
func (a *CompletionAnswer) Add(prompt int, d service.Delta) {
	if d.Index >= a.stream.request.Request.N {
		return // a guest of a tenant's own may write more than was asked for
	}
	for _, part := range a.stream.Add(prompt, d) {
		for _, more := range part.Choices {
			c := &a.choices[more.Index]
			c.text.WriteString(more.Text)
			c.logprobs = c.logprobs.add(more.Logprobs)
			if more.Finish != nil {
				c.finish = more.Finish
			}
		}
	}
}

// Response returns the answer.
func (a *CompletionAnswer) Response(r service.Result) CompletionResponse {
	out := CompletionResponse{Head: a.stream.head, Usage: marshal(NewUsage(r.Usage)), Timings: NewTimings(r)}
	for i := range a.choices {
		c := &a.choices[i]
		out.Choices = append(out.Choices, CompletionChoice{c.text.String(), i, c.logprobs, c.finish})
	}
	return out
}
