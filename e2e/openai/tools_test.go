package openai_test

import (
	"encoding/json"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
)

// called checks a call.
func called(t *testing.T, id, name, arguments string) {
	t.Helper()
	var a struct{ Metric *bool }
	if err := json.Unmarshal([]byte(arguments), &a); err != nil || a.Metric == nil || id == "" || name != "weather" && name != "wind" {
		t.Errorf("call %q of %s(%s): %v", id, name, arguments, err)
	}
}

// tools has all the choices, and the result of a call that goes back.
func tools(t *testing.T, client openai.Client) {
	q := ask("What is the weather in Oslo?")
	q.Tools = []openai.ChatCompletionToolUnionParam{function("weather"), function("wind")}
	q.MaxTokens = openai.Int(300)
	run := func() openai.ChatCompletionChoice {
		t.Helper()
		out, err := client.Chat.Completions.New(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return out.Choices[0]
	}
	// As the model likes: atlas knows nothing of tools, and answers.
	for _, word := range []string{"auto", "none"} {
		q.ToolChoice.OfAuto = openai.String(word)
		if c := run(); c.Message.Content == "" || len(c.Message.ToolCalls) > 0 || c.FinishReason == "tool_calls" {
			t.Errorf("%s: %s", word, c.RawJSON())
		}
	}
	q.ToolChoice.OfAuto = openai.String("required")
	c := run() // several are allowed
	if len(c.Message.ToolCalls) == 0 || c.Message.Content != "" {
		t.Errorf("required: %s", c.RawJSON())
	}
	ids := map[string]bool{}
	for _, call := range c.Message.ToolCalls {
		called(t, call.ID, call.Function.Name, call.Function.Arguments)
		ids[call.ID] = true
	}
	if len(ids) != len(c.Message.ToolCalls) {
		t.Errorf("ids are there twice: %s", c.RawJSON())
	}
	q.ParallelToolCalls = openai.Bool(false)
	if c = run(); len(c.Message.ToolCalls) != 1 || c.FinishReason != "tool_calls" {
		t.Errorf("one call: %s", c.RawJSON())
	}
	q.ToolChoice = openai.ToolChoiceOptionFunctionToolChoice(openai.ChatCompletionNamedToolChoiceFunctionParam{Name: "wind"})
	if c = run(); len(c.Message.ToolCalls) != 1 || c.Message.ToolCalls[0].Function.Name != "wind" {
		t.Fatalf("named: %s", c.RawJSON())
	}
	called(t, c.Message.ToolCalls[0].ID, "wind", c.Message.ToolCalls[0].Function.Arguments)

	q.Messages = append(q.Messages, c.Message.ToParam(), openai.ToolMessage("a breeze", c.Message.ToolCalls[0].ID))
	q.ToolChoice = openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String("none")}
	q.MaxTokens = openai.Int(4)
	if c := run(); c.Message.Content == "" {
		t.Errorf("with the result: %s", c.RawJSON())
	}
}

// streamedTools has the id and the name in the first part of a call, and there only.
func streamedTools(t *testing.T, client openai.Client) {
	q := ask("What is the weather in Oslo?")
	q.Tools = []openai.ChatCompletionToolUnionParam{function("weather"), function("wind")}
	q.ToolChoice.OfAuto, q.MaxTokens = openai.String("required"), openai.Int(300)
	q.ParallelToolCalls = openai.Bool(false)
	parts := client.Chat.Completions.NewStreaming(t.Context(), q)
	var all openai.ChatCompletionAccumulator
	heads, deltas, finished := 0, 0, 0
	for parts.Next() {
		if !all.AddChunk(parts.Current()) {
			t.Errorf("a part that does not fit: %s", parts.Current().RawJSON())
		}
		if call, ok := all.JustFinishedToolCall(); ok {
			finished++
			called(t, call.ID, call.Name, call.Arguments)
		}
		for _, c := range parts.Current().Choices {
			for _, d := range c.Delta.ToolCalls {
				if deltas++; d.ID != "" || d.Function.Name != "" || d.Type != "" {
					heads++
					if deltas != 1 || d.ID == "" || d.Function.Name == "" || d.Type != "function" {
						t.Errorf("part %d of a call: %s", deltas, d.RawJSON())
					}
				}
			}
		}
	}
	if parts.Err() != nil || finished != 1 || heads != 1 || deltas < 3 {
		t.Errorf("%d calls in %d parts, %d of them the first: %v", finished, deltas, heads, parts.Err())
	}
}

// responseTools has a call of the Responses API, and its result.
func responseTools(t *testing.T, client openai.Client) {
	q := response()
	q.Tools = []responses.ToolUnionParam{{OfFunction: &responses.FunctionToolParam{Name: "weather", Parameters: yes("metric"), Strict: openai.Bool(true)}}}
	q.ToolChoice.OfFunctionTool = &responses.ToolChoiceFunctionParam{Name: "weather"}
	out, err := client.Responses.New(t.Context(), q)
	if err != nil || len(out.Output) != 1 {
		t.Fatalf("%v: %+v", err, out)
	}
	call := out.Output[0].AsFunctionCall()
	called(t, call.CallID, call.Name, call.Arguments)
	result := responses.ResponseInputItemParamOfFunctionCallOutput("rain")
	result.OfFunctionCallOutput.CallID = openai.String(call.CallID)
	q.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{
		responses.ResponseInputItemParamOfMessage(capital, "user"),
		responses.ResponseInputItemParamOfFunctionCall(call.Arguments, call.CallID, call.Name),
		result,
	}}
	q.Tools, q.ToolChoice = nil, responses.ResponseNewParamsToolChoiceUnion{}
	q.MaxOutputTokens = openai.Int(4)
	if out, err := client.Responses.New(t.Context(), q); err != nil || out.Status != "incomplete" || out.IncompleteDetails.Reason != "max_output_tokens" {
		t.Errorf("with the result: %v: %+v", err, out)
	}
}
