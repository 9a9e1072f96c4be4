package openai

import (
	"crypto/rand"
	"time"

	"github.com/realm-webgpu/realm/web/service"
)

// Response is an answer of the Responses API.
type Response struct {
	ID         string         `json:"id"`
	Object     string         `json:"object"` // response
	Created    int64          `json:"created_at"`
	Status     string         `json:"status"` // in_progress, completed, incomplete, failed
	Error      *ResponseError `json:"error"`
	Incomplete *Incomplete    `json:"incomplete_details"`
	Model      string         `json:"model"`
	Output     []OutputItem   `json:"output"`
	Previous   *string        `json:"previous_response_id"` // always null
	Store      bool           `json:"store"`                // always false
	Truncation string         `json:"truncation"`           // disabled
	ResponseEcho
	Usage *ResponseUsage `json:"usage"`
}

// ResponseError is why a response failed.
type ResponseError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Incomplete is why a response is not whole.
type Incomplete struct {
	Reason string `json:"reason"` // max_output_tokens
}

// ResponseUsage counts tokens in the words of this API.
type ResponseUsage struct {
	Input   int           `json:"input_tokens"`
	Details PromptDetails `json:"input_tokens_details"`
	Output  int           `json:"output_tokens"`
	Thought OutputDetails `json:"output_tokens_details"`
	Total   int           `json:"total_tokens"`
}

// OutputItem is a message, a call of a function, or what was thought. Which members
// are there depends on its type.
type OutputItem struct {
	Type      string         `json:"type"` // message, function_call, reasoning
	ID        string         `json:"id"`
	Status    string         `json:"status"` // in_progress, completed, incomplete
	Role      string         `json:"role,omitempty"`
	Content   *[]OutputPart  `json:"content,omitempty"`
	Summary   *[]SummaryPart `json:"summary,omitempty"`
	CallID    string         `json:"call_id,omitempty"`
	Name      string         `json:"name,omitempty"`
	Arguments *string        `json:"arguments,omitempty"`
}

// OutputPart is the text of a message, or of what was thought.
type OutputPart struct {
	Type        string          `json:"type"` // output_text, reasoning_text
	Text        string          `json:"text"`
	Annotations *[]Annotation   `json:"annotations,omitempty"`
	Logprobs    *[]TokenLogprob `json:"logprobs,omitempty"`
}

// Annotation and SummaryPart are there for their empty lists.
type (
	Annotation  struct{}
	SummaryPart struct{}
)

// ResponseEvent is a part of a stream. Which members are there depends on its type.
type ResponseEvent struct {
	Type         string          `json:"type"`
	Sequence     int             `json:"sequence_number"`
	Response     *Response       `json:"response,omitempty"`
	OutputIndex  *int            `json:"output_index,omitempty"`
	Item         *OutputItem     `json:"item,omitempty"`
	ItemID       string          `json:"item_id,omitempty"`
	ContentIndex *int            `json:"content_index,omitempty"`
	Part         *OutputPart     `json:"part,omitempty"`
	Delta        *string         `json:"delta,omitempty"`
	Text         *string         `json:"text,omitempty"`
	Name         string          `json:"name,omitempty"`
	Arguments    *string         `json:"arguments,omitempty"`
	Logprobs     *[]TokenLogprob `json:"logprobs,omitempty"`
}

// ResponseStream makes a response, and the events that tell of it, of what the service
// delivers. An item is open at a time: it is closed when another kind of thing comes.
type ResponseStream struct {
	response Response
	send     func(ResponseEvent) error
	sequence int
	begun    bool
	call     int // the index of the call that is open
	finish   string
}

// NewResponseStream begins a response. send takes each event before the next is made.
func NewResponseStream(r *ResponsesRequest, model string, send func(ResponseEvent) error) *ResponseStream {
	return &ResponseStream{send: send, response: Response{
		ID: "resp_" + rand.Text(), Object: "response", Created: time.Now().Unix(), Status: "in_progress", Model: model,
		Output: []OutputItem{}, Truncation: "disabled", ResponseEcho: r.Echo,
	}}
}

// emit sends an event.
func (s *ResponseStream) emit(e ResponseEvent) error {
	e.Sequence = s.sequence
	s.sequence++
	return s.send(e)
}

// emitAll sends events up to the first that cannot be sent.
func (s *ResponseStream) emitAll(all ...ResponseEvent) error {
	for _, e := range all {
		if err := s.emit(e); err != nil {
			return err
		}
	}
	return nil
}

// begin tells that there is a response.
func (s *ResponseStream) begin() error {
	if s.begun {
		return nil
	}
	s.begun = true
	now := s.response // as it is now
	return s.emitAll(ResponseEvent{Type: "response.created", Response: &now}, ResponseEvent{Type: "response.in_progress", Response: &now})
}

// last returns the item that is open, nil where none is.
func (s *ResponseStream) last() *OutputItem {
	if n := len(s.response.Output); n > 0 && s.response.Output[n-1].Status == "in_progress" {
		return &s.response.Output[n-1]
	}
	return nil
}

// at returns an event of the item that is open.
func (s *ResponseStream) at(kind string) ResponseEvent {
	index := len(s.response.Output) - 1
	return ResponseEvent{Type: kind, OutputIndex: &index, ItemID: s.response.Output[index].ID}
}

// atPart returns an event of the only part of the item that is open.
func (s *ResponseStream) atPart(kind string) ResponseEvent {
	e := s.at(kind)
	e.ContentIndex = new(int)
	return e
}

// Add takes what the service delivers.
func (s *ResponseStream) Add(d service.Delta) error {
	if d.Index > 0 {
		return nil // there is one answer, whatever the guest writes
	}
	if err := s.begin(); err != nil {
		return err
	}
	if d.Reasoning != "" {
		if err := s.text("reasoning", d.Reasoning, nil); err != nil {
			return err
		}
	}
	if d.Text != "" || len(d.Logprobs) > 0 && len(d.Calls) == 0 && d.Reasoning == "" {
		var logprobs []TokenLogprob
		if l := NewLogprobs(d.Logprobs); l != nil {
			logprobs = l.Content
		}
		if err := s.text("message", d.Text, logprobs); err != nil {
			return err
		}
	}
	for _, c := range d.Calls {
		if err := s.arguments(c); err != nil {
			return err
		}
	}
	if d.Finish != "" {
		s.finish = d.Finish
	}
	return nil
}

// open closes the item that is open and begins another.
func (s *ResponseStream) open(item OutputItem) error {
	if err := s.close("completed"); err != nil {
		return err
	}
	item.Status = "in_progress"
	s.response.Output = append(s.response.Output, item)
	e := s.at("response.output_item.added")
	e.ItemID, e.Item = "", &item
	return s.emit(e)
}

// text adds to a message, or to what is thought.
func (s *ResponseStream) text(kind, text string, logprobs []TokenLogprob) error {
	part, name := OutputPart{Type: "reasoning_text"}, "reasoning_text"
	item := OutputItem{Type: kind, ID: "rs_" + rand.Text(), Content: &[]OutputPart{}, Summary: &[]SummaryPart{}}
	if kind == "message" {
		part, name = OutputPart{Type: "output_text", Annotations: &[]Annotation{}, Logprobs: &[]TokenLogprob{}}, "output_text"
		item = OutputItem{Type: kind, ID: "msg_" + rand.Text(), Role: "assistant", Content: &[]OutputPart{}}
	}
	if last := s.last(); last == nil || last.Type != kind {
		if err := s.open(item); err != nil {
			return err
		}
		e := s.atPart("response.content_part.added")
		e.Part = &part
		if err := s.emit(e); err != nil {
			return err
		}
		s.last().Content = &[]OutputPart{part}
	}
	p := &(*s.last().Content)[0]
	p.Text += text
	e := s.atPart("response." + name + ".delta")
	e.Delta = &text
	if p.Logprobs != nil {
		*p.Logprobs = append(*p.Logprobs, logprobs...)
		if logprobs == nil {
			logprobs = []TokenLogprob{}
		}
		e.Logprobs = &logprobs
	}
	return s.emit(e)
}

// arguments begins a call, or adds to its arguments.
func (s *ResponseStream) arguments(c service.CallDelta) error {
	if last := s.last(); last == nil || last.Type != "function_call" || c.Index != s.call {
		s.call = c.Index
		if err := s.open(OutputItem{Type: "function_call", ID: "fc_" + rand.Text(), CallID: c.ID, Name: c.Name, Arguments: new(string)}); err != nil {
			return err
		}
	}
	if c.Arguments == "" {
		return nil
	}
	last := s.last()
	whole := *last.Arguments + c.Arguments
	last.Arguments = &whole
	e := s.at("response.function_call_arguments.delta")
	e.Delta = &c.Arguments
	return s.emit(e)
}

// close ends the item that is open.
func (s *ResponseStream) close(status string) error {
	item := s.last()
	if item == nil {
		return nil
	}
	switch item.Type {
	case "function_call":
		e := s.at("response.function_call_arguments.done")
		e.Name, e.Arguments = item.Name, item.Arguments
		if err := s.emit(e); err != nil {
			return err
		}
	default:
		p := &(*item.Content)[0]
		done := s.atPart("response." + p.Type + ".done")
		done.Text, done.Logprobs = &p.Text, p.Logprobs
		part := s.atPart("response.content_part.done")
		part.Part = p
		if err := s.emitAll(done, part); err != nil {
			return err
		}
	}
	e := s.at("response.output_item.done")
	item.Status = status
	e.ItemID, e.Item = "", item
	return s.emit(e)
}

// End ends the response and returns it.
func (s *ResponseStream) End(r service.Result) (*Response, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	status := "completed"
	if s.finish == "length" {
		status = "incomplete"
		s.response.Incomplete = &Incomplete{"max_output_tokens"}
	}
	if err := s.close(status); err != nil {
		return nil, err
	}
	s.response.Status = status
	s.response.Usage = &ResponseUsage{
		r.Usage.Prompt, PromptDetails{r.Usage.Cached}, r.Usage.Completion, OutputDetails{r.Usage.Reasoning}, r.Usage.Prompt + r.Usage.Completion,
	}
	return &s.response, s.emit(ResponseEvent{Type: "response." + status, Response: &s.response})
}

// Fail ends a response that has begun with an error.
func (s *ResponseStream) Fail(e *service.Error) error {
	s.response.Status = "failed"
	s.response.Error = &ResponseError{Code: string(e.Code), Message: e.Message}
	return s.emit(ResponseEvent{Type: "response.failed", Response: &s.response})
}
