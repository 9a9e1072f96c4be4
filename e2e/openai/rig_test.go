package openai_test

import (
	"os"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"

	"github.com/realm-webgpu/realm/e2e/realm"
)

func TestMain(m *testing.M) { os.Exit(realm.Main(m)) }

const (
	capital = "What is the capital of France?"
	paris   = "The capital of France is Paris."
)

// start runs a server, and has OpenAI's own client for it.
func start(t *testing.T, config string, options ...option.RequestOption) (*realm.Server, openai.Client) {
	t.Helper()
	s := realm.NewHome(t).Serve(config)
	return s, openai.NewClient(append([]option.RequestOption{option.WithBaseURL(s.URL + "/v1/"), option.WithAPIKey("none")}, options...)...)
}

// ask is a question for atlas.
func ask(text string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model: "atlas", Temperature: openai.Float(0), Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)},
	}
}

// yes is the schema of an object of one boolean.
func yes(name string) map[string]any {
	return map[string]any{
		"type": "object", "properties": map[string]any{name: map[string]any{"type": "boolean"}}, "required": []string{name}, "additionalProperties": false,
	}
}

// function is a tool with an argument that is a boolean.
func function(name string) openai.ChatCompletionToolUnionParam {
	return openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name: name, Strict: openai.Bool(true), Parameters: shared.FunctionParameters(yes("metric")),
	})
}
