package service

import (
	"encoding/json"
	"time"

	"github.com/realm-webgpu/realm/guest"
)

// Call is what a tenant asks for.
type Call struct {
	// ID names the request in logs and traces.
	ID     string
	Tenant *Tenant // nil: the one of a server without keys
	// Model is a name, or NAME:ADAPTER; "" for the server's default.
	Model string
	// Adapter is a name, "" for the one in Model or the tenant's default, or NoAdapter.
	Adapter string
	// Guest is the name of a guest that the server has; "": the tenant's own, or the
	// one that is built in.
	Guest string
	// Request is for the guest. Its Model and Adapter are set by the service.
	Request guest.Request
	// UsualTokens is Request.MaxTokens of a request and a server that do not say; 0: what
	// the context has room for.
	UsualTokens int
	// Chat makes the request a conversation, whose answer may reason and call tools, unless
	// Request.Grammar holds it to something else; nil: text that goes on, as it is.
	Chat *Chat
	// Deliver takes what is written, from one goroutine. It may wait, which holds up
	// this call alone, and ends it with an error. A Delta's slices are the receiver's.
	Deliver func(Delta) error
}

// NoAdapter is the Adapter of a call that wants none, whatever the tenant's default.
const NoAdapter = "none"

// Chat is a conversation, in OpenAI's members as they came:
// https://platform.openai.com/docs/api-reference/chat/create
type Chat struct {
	Messages json.RawMessage // an array
	Tools    json.RawMessage // an array of functions, or nil
	// Template is what the chat template is given besides, such as enable_thinking.
	Template map[string]any
	Choice   ToolChoice
	// Function is the name of the tool that has to be called; "" unless Choice is
	// ToolNamed.
	Function string
	// OneCall allows one call an answer, and not more.
	OneCall bool
}

// ToolChoice says whether tools are called.
type ToolChoice uint8

// The choices.
const (
	ToolAuto     ToolChoice = iota // as the model likes
	ToolNone                       // never
	ToolRequired                   // one at least, held to it by a grammar
	ToolNamed                      // the one that Chat.Function names
)

// Delta is what has come to one choice of an answer since the last Delta.
type Delta struct {
	Index     int // of the choice
	Text      string
	Reasoning string
	Calls     []CallDelta
	// Tokens are those that were chosen since, with Request.EchoTokens or Logprobs,
	// and Logprobs with the latter. Text may come later than its tokens.
	Tokens   []int32
	Logprobs []Logprob
	// Finish is why the choice has ended: "stop", "length", "tool_calls"; "" where it
	// goes on.
	Finish string
	// Stop is the stop string that ended it.
	Stop string
}

// CallDelta begins a call of a tool, where ID and Name are set, or adds to its
// arguments.
type CallDelta struct {
	Index     int // of the call
	ID, Name  string
	Arguments string
}

// Logprob is a token that was chosen, and what else might have been there.
type Logprob struct {
	guest.Candidate
	Top []guest.Candidate
}

// Usage counts tokens.
type Usage struct {
	Prompt     int // read, those of the cache among them
	Cached     int // of those, the ones that were known
	Completion int // chosen, by all choices
	Reasoning  int // of those, the ones that were thought and not said
	Accepted   int // of those chosen, the ones that had been drafted
	Proposed   int // drafted
}

// Timings say what took how long.
type Timings struct {
	Queue      time.Duration // from Run until the first step
	FirstToken time.Duration // from Run until the first text or token
	Total      time.Duration // from Run to its end
	Decode     float64       // tokens a second behind the first; 0: none
}

// Result is what is known once an answer has ended, also with an error.
type Result struct {
	Model, Adapter string // by the names that are listed; "" for none
	Usage          Usage
	Timings        Timings
	Finish         []string // of the choices that have ended, by their index
}
