package abi

// Constant is a named number of the interface.
type Constant struct {
	Name  string // without the prefix REALM_
	Value uint64
	Doc   string
}

// Group is a set of constants that belong together.
type Group struct {
	Name      string // the prefix of its constants: "CAP"
	Doc       string
	Constants []Constant
}

// Capabilities of a guest.
const (
	CapTopK    = 1 << iota // candidates of a row
	CapLogits              // whole rows of logits
	CapHidden              // hidden states
	CapAdapter             // adapter_open
	CapDraft               // draft
	CapGrammar             // grammar_new
	CapKVSave              // seq_save and seq_load
	CapTensor              // module realm1_tensor
	CapAll     = 1<<iota - 1
)

// Flags of a row.
const (
	RowVerify   = 1 << iota // the last drafts tokens are proposals to be checked
	RowTopK                 // candidates come with each token (CapTopK)
	RowLogprobs             // log-probabilities come with each token
	RowHidden               // the hidden state after the last token comes (CapHidden)
	RowNoSample             // tokens are read and none is chosen
	RowLogits               // the row of logits is kept for logits() (CapLogits)
)

// Flags of seq_open.
const (
	SeqNoPrefix = 1 << iota // nothing is taken from, or left to, the index of known prefixes
)

// Flags of tokenize.
const (
	TokenizeSpecial = 1 << iota // text such as <|im_end|> is the token
	TokenizeBOS                 // a BOS goes first, where the vocabulary wants one
)

// Flags of model_info.
const (
	ModelChat    = 1 << iota // it has a chat template
	ModelEncoder             // it makes embeddings and no text
	ModelDraft               // a draft model is there for DraftModel
	ModelBOS                 // texts begin with a BOS
)

// Modes of draft.
const (
	DraftLookup = iota // prompt lookup: what followed the same words before
	DraftModel         // the small model that belongs to the sequence's model
)

// Kinds of grammars.
const (
	GrammarSchema = iota // a JSON schema
	GrammarRegex         // a regular expression, RE2 syntax, that the whole text matches
	GrammarEBNF          // EBNF as llama.cpp writes it
)

// Channels of emit.
const (
	ChannelText  = 0       // to 0xffff: the text of that choice, any number of bytes
	ChannelEvent = 0x10000 // a JSON object a call: usage, candidates, the end of a choice
)

// Levels of log.
const (
	LogDebug = iota
	LogInfo
	LogWarn
	LogError
)

// Kinds of events of gen.
const (
	EventToken = iota // a token was chosen
	EventEnd          // the row has ended
)

// Reasons why a row ended.
const (
	FinishNone    = iota // it has not, or it only read
	FinishStop           // a stop token
	FinishLength         // max_tokens
	FinishContext        // the context is full
)

// Features of a host.
const (
	FeatureSpeculation = 1 << iota // draft, and rows that verify
	FeatureGrammar
	FeatureAdapter
	FeatureKVSave
	FeatureTensor
)

// Groups returns the constants in the order of the header.
func Groups() []Group {
	return []Group{
		{"CAP", "Capabilities, as named in the custom section realm.caps.", []Constant{
			{"CAP_TOPK", CapTopK, "candidates of a row"},
			{"CAP_LOGITS", CapLogits, "whole rows of logits"},
			{"CAP_HIDDEN", CapHidden, "hidden states: embeddings"},
			{"CAP_ADAPTER", CapAdapter, "adapter_open"},
			{"CAP_DRAFT", CapDraft, "draft"},
			{"CAP_GRAMMAR", CapGrammar, "grammar_new"},
			{"CAP_KV_SAVE", CapKVSave, "seq_save and seq_load"},
			{"CAP_TENSOR", CapTensor, "module realm1_tensor"},
		}},
		{"FEATURE", "Features of a host, in struct realm_abi_info.", []Constant{
			{"FEATURE_SPECULATION", FeatureSpeculation, "draft, and rows that verify"},
			{"FEATURE_GRAMMAR", FeatureGrammar, "grammars"},
			{"FEATURE_ADAPTER", FeatureAdapter, "LoRA adapters"},
			{"FEATURE_KV_SAVE", FeatureKVSave, "saved sequences"},
			{"FEATURE_TENSOR", FeatureTensor, "single kernels"},
		}},
		{"ROW", "Flags of a row.", []Constant{
			{"ROW_VERIFY", RowVerify, "the last `drafts` tokens are proposals to be checked"},
			{"ROW_TOPK", RowTopK, "top_k candidates come with each token; needs CAP_TOPK"},
			{"ROW_LOGPROBS", RowLogprobs, "log-probabilities come with each token"},
			{"ROW_HIDDEN", RowHidden, "the hidden state after the last token comes; needs CAP_HIDDEN"},
			{"ROW_NO_SAMPLE", RowNoSample, "tokens are read and none is chosen"},
			{"ROW_LOGITS", RowLogits, "the row of logits is kept for logits(); needs CAP_LOGITS"},
		}},
		{"SEQ", "Flags of seq_open.", []Constant{
			{"SEQ_NO_PREFIX", SeqNoPrefix, "nothing is taken from, or left to, the index of known prefixes"},
		}},
		{"TOKENIZE", "Flags of tokenize.", []Constant{
			{"TOKENIZE_SPECIAL", TokenizeSpecial, "text such as <|im_end|> is the token: not for text that is not trusted"},
			{"TOKENIZE_BOS", TokenizeBOS, "a BOS goes first, where the vocabulary wants one"},
		}},
		{"MODEL", "Flags of a model.", []Constant{
			{"MODEL_CHAT", ModelChat, "it has a chat template"},
			{"MODEL_ENCODER", ModelEncoder, "it makes embeddings and no text"},
			{"MODEL_DRAFT", ModelDraft, "there is a draft model for it"},
			{"MODEL_BOS", ModelBOS, "texts begin with a BOS"},
		}},
		{"DRAFT", "Modes of draft.", []Constant{
			{"DRAFT_LOOKUP", DraftLookup, "prompt lookup: what followed the same tokens before"},
			{"DRAFT_MODEL", DraftModel, "the small model that belongs to the sequence's model"},
		}},
		{"GRAMMAR", "Kinds of grammars.", []Constant{
			{"GRAMMAR_SCHEMA", GrammarSchema, "a JSON schema"},
			{"GRAMMAR_REGEX", GrammarRegex, "a regular expression, RE2 syntax, that the whole text matches"},
			{"GRAMMAR_EBNF", GrammarEBNF, "EBNF as llama.cpp writes it"},
		}},
		{"CHANNEL", "Channels of emit.", []Constant{
			{"CHANNEL_TEXT", ChannelText, "to 0xffff: the text of that choice, any number of bytes"},
			{"CHANNEL_EVENT", ChannelEvent, "one JSON object a call"},
		}},
		{"LOG", "Levels of log.", []Constant{
			{"LOG_DEBUG", LogDebug, ""},
			{"LOG_INFO", LogInfo, ""},
			{"LOG_WARN", LogWarn, ""},
			{"LOG_ERROR", LogError, ""},
		}},
		{"EVENT", "Kinds of events of gen.", []Constant{
			{"EVENT_TOKEN", EventToken, "a token was chosen"},
			{"EVENT_END", EventEnd, "the row has ended; no more events of it"},
		}},
		{"DTYPE", "Elements of a buffer.", []Constant{
			{"DTYPE_F32", DtypeF32, ""},
			{"DTYPE_I32", DtypeI32, ""},
		}},
		{"OP", "Operations of ops.", []Constant{
			{"OP_EMBED", OpEmbed, "out[i] = scale * weight[ids[i]]"},
			{"OP_MATMUL", OpMatMul, "out = x · weightᵀ + bias; bias may be 0"},
			{"OP_RMS_NORM", OpRMSNorm, "out = x / sqrt(mean(x²) + epsilon) * weight"},
			{"OP_ROPE", OpRope, "queries x and keys y are rotated in place by their positions; keys and values z are stored for attention at layer"},
			{"OP_ATTENTION", OpAttention, "out = softmax(scale * x · keysᵀ) · values, over what the sequence has at layer up to each row's position"},
			{"OP_SOFTMAX", OpSoftmax, "out = softmax(scale * x)"},
			{"OP_GLU", OpGLU, "out = activation(x) * y; without y it is the activation alone"},
			{"OP_ADD", OpAdd, "out = x + y"},
			{"OP_GATHER", OpGather, "out[i] = x[ids[i]]"},
			{"OP_TOP_K", OpTopK, "the k largest of every row of x, best first, to result"},
			{"OP_SAMPLE", OpSample, "the token that sampler chooses from every row of x, to result"},
		}},
		{"FINISH", "Reasons why a row ended.", []Constant{
			{"FINISH_NONE", FinishNone, "it has not, or it only read"},
			{"FINISH_STOP", FinishStop, "a stop token"},
			{"FINISH_LENGTH", FinishLength, "max_tokens"},
			{"FINISH_CONTEXT", FinishContext, "the context is full"},
		}},
	}
}

// Capability returns the bit of a capability by its name in realm.caps: "TOPK".
func Capability(name string) (bit uint64, ok bool) {
	for _, c := range Groups()[0].Constants {
		if c.Name == "CAP_"+name {
			return c.Value, true
		}
	}
	return 0, false
}
