package guest

import "encoding/json"

// Request is what the default guest is asked for, as docs/guest-request.md says.
// Zero values are left out: they mean what is said there.
type Request struct {
	Model string `json:"model,omitempty"`

	// One of these: a conversation, with OpenAI's members; or a text to go on from.
	Messages     []Message       `json:"messages,omitempty"`
	Tools        json.RawMessage `json:"tools,omitempty"`
	Prompt       string          `json:"prompt,omitempty"`
	PromptTokens []int32         `json:"prompt_tokens,omitempty"`
	Special      bool            `json:"special,omitempty"` // text such as <|im_end|> in Prompt is the token

	Adapter string `json:"adapter,omitempty"`

	MaxTokens         int                `json:"max_tokens,omitempty"`
	Temperature       float32            `json:"temperature,omitempty"`
	TopK              int                `json:"top_k,omitempty"`
	TopP              float32            `json:"top_p,omitempty"`
	MinP              float32            `json:"min_p,omitempty"`
	TypicalP          float32            `json:"typical_p,omitempty"`
	RepetitionPenalty float32            `json:"repetition_penalty,omitempty"`
	FrequencyPenalty  float32            `json:"frequency_penalty,omitempty"`
	PresencePenalty   float32            `json:"presence_penalty,omitempty"`
	PenaltyWindow     int                `json:"penalty_window,omitempty"`
	PenalizePrompt    bool               `json:"penalize_prompt,omitempty"`
	LogitBias         map[string]float32 `json:"logit_bias,omitempty"` // by token id
	Seed              uint64             `json:"seed,omitempty"`

	Stop       []string `json:"stop,omitempty"`
	StopTokens []int32  `json:"stop_tokens,omitempty"`
	IgnoreEOS  bool     `json:"ignore_eos,omitempty"`

	N      int `json:"n,omitempty"`
	BestOf int `json:"best_of,omitempty"`

	Logprobs    bool `json:"logprobs,omitempty"`
	TopLogprobs int  `json:"top_logprobs,omitempty"`
	EchoTokens  bool `json:"echo_tokens,omitempty"`

	Grammar     *Grammar     `json:"grammar,omitempty"`
	Speculative *Speculation `json:"speculative,omitempty"`
	Save        *Saved       `json:"save,omitempty"`
	Load        *Saved       `json:"load,omitempty"`
}

// Message is a message of a conversation.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Grammar holds an answer to a schema, a regular expression or an EBNF.
type Grammar struct {
	Kind string `json:"kind"` // "schema", "regex", "ebnf"
	Text string `json:"text"`
	From string `json:"-"` // the parameter of whoever asks that it is from, for errors
}

// Speculation says how tokens are proposed: "lookup", or "model" for the draft
// model that belongs to the model.
type Speculation struct {
	Mode   string `json:"mode"`
	Tokens int    `json:"tokens,omitempty"`
}

// Saved names what is kept of a conversation from one request to the next.
type Saved struct {
	Key string `json:"key"`
	TTL int    `json:"ttl,omitempty"` // seconds
}

// The types of events.
const (
	EventStart = "start" // the prompt was read
	EventToken = "token"
	EventEnd   = "end" // of a choice
	EventUsage = "usage"
	EventError = "error"
)

// Event is what a guest tells beside the text: a JSON object on the event
// channel. Which fields are set depends on its type.
type Event struct {
	Type  string `json:"type"`
	Index int    `json:"index"` // of the choice

	Candidate             // token
	Top       []Candidate `json:"top,omitempty"`

	FinishReason string `json:"finish_reason,omitempty"` // end
	Stop         string `json:"stop,omitempty"`
	Tokens       int    `json:"tokens,omitempty"`

	PromptTokens     int `json:"prompt_tokens,omitempty"` // start, usage
	CachedTokens     int `json:"cached_tokens,omitempty"`
	CompletionTokens int `json:"completion_tokens,omitempty"`
	Accepted         int `json:"accepted,omitempty"`
	Proposed         int `json:"proposed,omitempty"`

	Errno   string `json:"errno,omitempty"` // error
	Call    string `json:"call,omitempty"`
	Message string `json:"message,omitempty"`
}

// Candidate is a token and its natural log-probability.
type Candidate struct {
	Token   int32    `json:"token"`
	Text    string   `json:"text,omitempty"`
	Bytes   []uint16 `json:"bytes,omitempty"` // as numbers, not as base64
	Logprob *float32 `json:"logprob,omitempty"`
}
