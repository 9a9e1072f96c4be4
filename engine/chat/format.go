package chat

import (
	"fmt"
	"slices"
	"strings"
)

// Format says how the models of a family mark reasoning and calls of functions in their answers.
// Its text is its name.
type Format uint8

// The formats, with what shows them in a template.
const (
	// FormatPlain marks nothing: all is content.
	FormatPlain Format = iota
	// FormatDeepSeek is that of DeepSeek R1 and others that reason in <think> (<think>), and whose
	// calls are not read.
	FormatDeepSeek
	// FormatHermes is that of Hermes, Qwen 2.5, Qwen 3 and many others (<tool_call>):
	// https://github.com/NousResearch/Hermes-Function-Calling and, for reasoning,
	// https://huggingface.co/Qwen/Qwen3-8B.
	FormatHermes
	// FormatLlama3 is that of Llama 3.1 to 3.3 (<|start_header_id|> or <|python_tag|>):
	// https://github.com/meta-llama/llama-models/blob/main/models/llama3_1/prompt_format.md
	FormatLlama3
	// FormatMistral is that of Mistral's models, from 7B v0.3 to Magistral ([TOOL_CALLS]):
	// https://docs.mistral.ai/capabilities/function_calling
	FormatMistral
)

// frame is how what stands behind the opening marker of a call says name and arguments.
type frame uint8

const (
	frameObject frame = iota // {"name": ..., "arguments": {...}}
	frameTag                 // name>{...}
	frameList                // [{"name": ..., "arguments": {...}}, ...], name[ARGS]{...}
	frameBare                // as frameObject, without a marker
)

// marker is a pair of texts around something; closing is "" where there is none.
type marker struct {
	opening, closing string
	frame            frame // of calls
}

// family is a row of the table of formats.
type family struct {
	name  string
	shown []string // texts in a template, each of which shows the format
	think marker
	calls []marker
	bare  bool // calls may also stand without a marker, with separators between
}

// families has the formats by number.
var families = [...]family{
	FormatPlain: {name: "plain"},
	FormatDeepSeek: {
		name:  "deepseek",
		shown: []string{"<think>", "</think>"},
		think: marker{opening: "<think>", closing: "</think>"},
	},
	FormatHermes: {
		name:  "hermes",
		shown: []string{"<tool_call>"},
		think: marker{opening: "<think>", closing: "</think>"},
		calls: []marker{{"<tool_call>", "</tool_call>", frameObject}},
	},
	FormatLlama3: {
		name:  "llama3",
		shown: []string{"<|python_tag|>", "<|start_header_id|>"},
		think: marker{opening: "<think>", closing: "</think>"},
		calls: []marker{{"<|python_tag|>", "", frameObject}, {"<function=", "</function>", frameTag}},
		bare:  true,
	},
	FormatMistral: {
		name:  "mistral",
		shown: []string{"[TOOL_CALLS]"},
		think: marker{opening: "[THINK]", closing: "[/THINK]"},
		calls: []marker{{"[TOOL_CALLS]", "", frameList}},
	},
}

// detected are the formats in the order in which DetectFormat looks for them: many templates have
// calls like Hermes's, and reasoning says least.
var detected = [...]Format{FormatHermes, FormatMistral, FormatLlama3, FormatDeepSeek}

// separator stands between calls without markers; before and behind it may be white space.
const separator = ';'

// Markers between name and arguments in frameList.
const (
	markerArguments = "[ARGS]"
	markerCallID    = "[CALL_ID]"
)

// FormatNames are the names of the formats, in order.
func FormatNames() []string {
	names := make([]string, len(families))
	for i, f := range families {
		names[i] = f.name
	}
	slices.Sort(names)
	return names
}

// FormatNamed gives the format of a name. The error is ErrUnknownFormat.
func FormatNamed(name string) (Format, error) {
	for i, f := range families {
		if f.name == name {
			return Format(i), nil
		}
	}
	return 0, fmt.Errorf("chat: format: %w: %q, there are %s", ErrUnknownFormat, name, strings.Join(FormatNames(), ", "))
}

// DetectFormat gives the format that a template's source shows by the markers it writes, and
// FormatPlain where there are none.
func DetectFormat(source string) Format {
	for _, f := range detected {
		if slices.ContainsFunc(families[f].shown, func(text string) bool { return strings.Contains(source, text) }) {
			return f
		}
	}
	return FormatPlain
}

// String is the format's name.
func (f Format) String() string { return f.family().name }

// Markers are the texts that the format is read by. Where a vocabulary has them as control tokens,
// they have to be decoded to their text all the same.
func (f Format) Markers() []string {
	row := f.family()
	var texts []string
	for _, m := range append([]marker{row.think}, row.calls...) {
		texts = append(texts, m.opening, m.closing)
		if m.frame == frameList {
			texts = append(texts, markerArguments, markerCallID)
		}
	}
	return slices.DeleteFunc(texts, func(text string) bool { return text == "" })
}

// CallMarker is the text that opens a call, "" where calls are not marked.
func (f Format) CallMarker() string {
	if calls := f.family().calls; len(calls) > 0 {
		return calls[0].opening
	}
	return ""
}

// ReasoningMarker opens reasoning; "" where the format has none. A model whose vocabulary
// has it as one token was made to reason.
func (f Format) ReasoningMarker() string { return f.family().think.opening }

// OpensReasoning reports whether a prompt ends with the marker that begins reasoning, as templates
// write it for some models. Their answers begin inside the block: see ParserOptions.
func (f Format) OpensReasoning(prompt string) bool {
	opening := f.family().think.opening
	return opening != "" && strings.HasSuffix(strings.TrimRight(prompt, white), opening)
}

// family is the format's row; a number that is none is plain.
func (f Format) family() family {
	if int(f) >= len(families) {
		f = FormatPlain
	}
	return families[f]
}
