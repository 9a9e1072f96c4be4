package chat

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDetectFormat(t *testing.T) {
	for file, want := range map[string]Format{
		"atlas": FormatPlain, "gemma": FormatPlain, "gemma3": FormatPlain, "phi3": FormatPlain,
		"hermes": FormatHermes, "qwen3": FormatHermes, "llama3": FormatLlama3,
		"mistral": FormatMistral, "deepseek": FormatDeepSeek,
	} {
		source, err := os.ReadFile(filepath.Join("testdata", "templates", file+".jinja"))
		if err != nil {
			t.Fatal(err)
		}
		if got := DetectFormat(string(source)); got != want {
			t.Errorf("%s: got %v, want %v", file, got, want)
		}
	}
	for source, want := range map[string]Format{
		"": FormatPlain,
		"<|start_header_id|>assistant<|end_header_id|>\n\n<tool_call>": FormatHermes,
		"<|header_start|>{{ '<|python_tag|>' }}":                       FormatLlama3,
		"{{ content.split('</think>')[-1] }}":                          FormatDeepSeek,
		"[THINK][TOOL_CALLS]<think>":                                   FormatMistral,
	} {
		if got := DetectFormat(source); got != want {
			t.Errorf("%q: got %v, want %v", source, got, want)
		}
	}
}

func TestFormatNames(t *testing.T) {
	names := FormatNames()
	if len(names) != len(families) || !slices.IsSorted(names) {
		t.Errorf("got %q", names)
	}
	for _, name := range names {
		f, err := FormatNamed(name)
		if err != nil || f.String() != name {
			t.Errorf("%s: got %v, %v", name, f, err)
		}
	}
	if _, err := FormatNamed("Hermes"); !errors.Is(err, ErrUnknownFormat) || !strings.Contains(err.Error(), "deepseek") {
		t.Errorf("got %v", err)
	}
	if f := Format(200); f.String() != "plain" {
		t.Errorf("a number without a format is %v", f)
	}
}

func TestMarkers(t *testing.T) {
	for f, want := range map[Format]string{
		FormatPlain:    "",
		FormatDeepSeek: "<think> </think>",
		FormatHermes:   "<think> </think> <tool_call> </tool_call>",
		FormatLlama3:   "<think> </think> <|python_tag|> <function= </function>",
		FormatMistral:  "[THINK] [/THINK] [TOOL_CALLS] [ARGS] [CALL_ID]",
	} {
		if got := strings.Join(f.Markers(), " "); got != want {
			t.Errorf("%v: got %q, want %q", f, got, want)
		}
	}
}

func TestOpensReasoning(t *testing.T) {
	for _, test := range []struct {
		format Format
		prompt string
		want   bool
	}{
		{FormatDeepSeek, "<｜Assistant｜><think>\n", true},
		{FormatHermes, "<|im_start|>assistant\n<think>", true},
		{FormatHermes, "<|im_start|>assistant\n<think>\n\n</think>\n\n", false},
		{FormatHermes, "<|im_start|>assistant\n", false},
		{FormatHermes, "[THINK]", false},
		{FormatMistral, "[/INST][THINK]", true},
		{FormatPlain, "<think>", false},
		{FormatPlain, "", false},
	} {
		if got := test.format.OpensReasoning(test.prompt); got != test.want {
			t.Errorf("%v, %q: got %v", test.format, test.prompt, got)
		}
	}
}
