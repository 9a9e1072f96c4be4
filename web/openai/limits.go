package openai

// Limits bound what a request may ask for. They are those of the ways into the
// server; what a tenant may use is the service's to say.
type Limits struct {
	Body    int64 // bytes of a request
	Depth   int   // of arrays and objects in one another
	Name    int   // bytes of a model's, an adapter's or a guest's name
	Choices int   // n
	BestOf  int   // best_of
	Stops   int   // stop strings
	// StopBytes bounds one stop string.
	StopBytes   int
	TopLogprobs int
	Biases      int // of logit_bias
	Messages    int
	Tools       int
	Prompts     int // of a completion, each as often as n says
	Inputs      int // of a request for embeddings
	Tokens      int // ids in one prompt or input
	// Grammar bounds the bytes of a schema, a regular expression or an EBNF.
	Grammar int
	Drafts  int // tokens that are drafted at once
}

// DefaultLimits are OpenAI's where they are known, and else what the default guest
// takes (docs/guest-request.md).
func DefaultLimits() Limits {
	return Limits{
		Body: 8 << 20, Depth: 256, Name: 256,
		Choices: 128, BestOf: 128, Stops: 16, StopBytes: 256, TopLogprobs: 20, Biases: 1024,
		Messages: 4096, Tools: 128, Prompts: 128, Inputs: 2048, Tokens: 1 << 20,
		Grammar: 1 << 20, Drafts: 16,
	}
}
