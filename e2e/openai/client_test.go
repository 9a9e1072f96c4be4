package openai_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/api"
	"github.com/realm-webgpu/realm/web/service"
	"github.com/realm-webgpu/realm/web/tenant"
)

const (
	capital = "What is the capital of France?"
	paris   = "The capital of France is Paris."
)

// openAI is a server of atlas on the CPU, and OpenAI's own client for it.
func openAI(t *testing.T, limits tenant.Limits, options ...option.RequestOption) (*service.Service, openai.Client) {
	t.Helper()
	e, err := engine.Open(engine.Options{Device: "cpu", CacheDir: engine.NoCache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	s, err := service.New(t.Context(), service.Options{Engine: e, Live: service.Live{
		Guest:  guest.Module,
		Limits: limits,
		Models: []service.ModelSpec{{
			Name: "atlas", Load: engine.LoadOptions{CacheTokens: 4096},
			Open: func() (*gguf.File, error) { return gguf.Read(bytes.NewReader(models.Atlas)) },
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	server := httptest.NewServer(api.New(api.Options{Service: s}).Handler())
	t.Cleanup(server.Close)
	return s, openai.NewClient(append([]option.RequestOption{option.WithBaseURL(server.URL + "/v1/"), option.WithAPIKey("none")}, options...)...)
}

// ask is a question for atlas.
func ask(text string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model: "atlas", Temperature: openai.Float(0), Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)},
	}
}

// TestOpenAIClient has what the official client does with a server.
func TestOpenAIClient(t *testing.T) {
	_, client := openAI(t, tenant.Limits{})
	ctx := t.Context()
	t.Run("chat", func(t *testing.T) {
		q := ask(capital)
		q.Logprobs, q.TopLogprobs, q.Seed, q.User = openai.Bool(true), openai.Int(3), openai.Int(-7), openai.String("someone")
		out, err := client.Chat.Completions.New(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		c := out.Choices[0]
		if c.Message.Content != paris || c.FinishReason != "stop" || out.Usage.CompletionTokens != 9 || len(c.Logprobs.Content) < 8 || len(c.Logprobs.Content[0].TopLogprobs) != 3 {
			t.Errorf("answer %s", out.RawJSON())
		}
	})
	t.Run("stream", func(t *testing.T) {
		q := ask(capital)
		q.N, q.StreamOptions.IncludeUsage = openai.Int(2), openai.Bool(true)
		stream := client.Chat.Completions.NewStreaming(ctx, q)
		var all openai.ChatCompletionAccumulator
		parts := 0
		for stream.Next() {
			if !all.AddChunk(stream.Current()) {
				t.Errorf("a part that does not fit: %s", stream.Current().RawJSON())
			}
			parts++
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		if len(all.Choices) != 2 || all.Choices[1].Message.Content != paris || all.Usage.CompletionTokens != 18 || parts < 18 {
			t.Errorf("%d parts make %+v", parts, all.ChatCompletion)
		}
	})
	t.Run("schema", func(t *testing.T) {
		q := ask(capital)
		q.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
			Name: "city", Strict: openai.Bool(true), Schema: map[string]any{
				"type": "object", "properties": map[string]any{"sure": map[string]any{"type": "boolean"}}, "required": []string{"sure"}, "additionalProperties": false,
			},
		}}
		out, err := client.Chat.Completions.New(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		var said struct{ Sure *bool }
		if err := json.Unmarshal([]byte(out.Choices[0].Message.Content), &said); err != nil || said.Sure == nil {
			t.Errorf("%v: %s", err, out.Choices[0].Message.Content)
		}
	})
	t.Run("tools", func(t *testing.T) { tools(t, client) })
	t.Run("completion", func(t *testing.T) {
		out, err := client.Completions.New(ctx, openai.CompletionNewParams{
			Model: "atlas", Temperature: openai.Float(0), MaxTokens: openai.Int(3), Echo: openai.Bool(true),
			Prompt: openai.CompletionNewParamsPromptUnion{OfArrayOfStrings: []string{"The capital of France", "Oslo is"}},
		})
		if err != nil || len(out.Choices) != 2 || !strings.HasPrefix(out.Choices[1].Text, "Oslo is") {
			t.Errorf("%v: %+v", err, out)
		}
	})
	t.Run("embeddings", func(t *testing.T) {
		out, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{Model: "atlas", Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a", "b"}}})
		if err != nil || len(out.Data) != 2 || len(out.Data[1].Embedding) < 64 {
			t.Errorf("%v: %+v", err, out)
		}
	})
	t.Run("models", func(t *testing.T) {
		list, err := client.Models.List(ctx)
		if err != nil || len(list.Data) != 1 || list.Data[0].ID != "atlas" {
			t.Errorf("%v: %+v", err, list)
		}
		if m, err := client.Models.Get(ctx, "atlas"); err != nil || m.ID != "atlas" {
			t.Errorf("%v: %+v", err, m)
		}
	})
	t.Run("errors", func(t *testing.T) {
		q := ask(capital)
		q.Model = "gpt-9"
		var e *openai.Error
		if _, err := client.Chat.Completions.New(ctx, q); !errors.As(err, &e) || e.StatusCode != 404 || e.Code != "MODEL_NOT_FOUND" || e.Param != "model" || e.Type != "invalid_request_error" {
			t.Errorf("a model that is not there: %v", err)
		}
		stream := client.Chat.Completions.NewStreaming(ctx, q)
		if stream.Next() || !errors.As(stream.Err(), &e) || e.StatusCode != 404 {
			t.Errorf("the same as a stream: %v", stream.Err())
		}
		q = ask(capital)
		q.Store = openai.Bool(true)
		if _, err := client.Chat.Completions.New(ctx, q); !errors.As(err, &e) || e.StatusCode != 400 || e.Param != "store" {
			t.Errorf("store: %v", err)
		}
		q = ask(strings.Repeat("word ", 600))
		if _, err := client.Chat.Completions.New(ctx, q); !errors.As(err, &e) || e.StatusCode != 400 || e.Code != "CONTEXT_OVERFLOW" {
			t.Errorf("a long text: %v", err)
		}
	})
	t.Run("responses", func(t *testing.T) {
		q := responses.ResponseNewParams{Model: "atlas", Temperature: openai.Float(0), Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(capital)}}
		out, err := client.Responses.New(ctx, q)
		if err != nil || out.OutputText() != paris || out.Status != "completed" {
			t.Errorf("%v: %+v", err, out)
		}
		stream := client.Responses.NewStreaming(ctx, q)
		text, whole := "", ""
		for stream.Next() {
			switch e := stream.Current().AsAny().(type) {
			case responses.ResponseTextDeltaEvent:
				text += e.Delta
			case responses.ResponseCompletedEvent:
				whole = e.Response.OutputText()
			}
		}
		if err := stream.Err(); err != nil || text != paris || whole != paris {
			t.Errorf("%v: %q, %q", err, text, whole)
		}
	})
}

// tools has a call, in one piece and as a stream, and its result.
func tools(t *testing.T, client openai.Client) {
	q := ask("What is the weather in Oslo?")
	q.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name: "weather", Parameters: shared.FunctionParameters{
			"type": "object", "properties": map[string]any{"metric": map[string]any{"type": "boolean"}}, "required": []string{"metric"}, "additionalProperties": false,
		},
	})}
	q.ToolChoice.OfAuto = openai.String("required")
	q.ParallelToolCalls = openai.Bool(false)
	out, err := client.Chat.Completions.New(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	m := out.Choices[0].Message
	if len(m.ToolCalls) != 1 || out.Choices[0].FinishReason != "tool_calls" {
		t.Fatalf("answer %s", out.RawJSON())
	}
	check := func(name, arguments string) {
		t.Helper()
		var a struct{ Metric *bool }
		if err := json.Unmarshal([]byte(arguments), &a); err != nil || a.Metric == nil || name != "weather" {
			t.Errorf("%s(%s): %v", name, arguments, err)
		}
	}
	check(m.ToolCalls[0].Function.Name, m.ToolCalls[0].Function.Arguments)

	stream := client.Chat.Completions.NewStreaming(t.Context(), q)
	var all openai.ChatCompletionAccumulator
	finished := 0
	for stream.Next() {
		all.AddChunk(stream.Current())
		if call, ok := all.JustFinishedToolCall(); ok {
			finished++
			check(call.Name, call.Arguments)
		}
	}
	if stream.Err() != nil || finished != 1 {
		t.Errorf("%d calls were finished: %v", finished, stream.Err())
	}

	q.Messages = append(q.Messages, m.ToParam(), openai.ToolMessage("rain", m.ToolCalls[0].ID))
	q.ToolChoice.OfAuto, q.MaxTokens = openai.String("none"), openai.Int(4)
	if out, err := client.Chat.Completions.New(t.Context(), q); err != nil || out.Usage.CompletionTokens < 1 {
		t.Errorf("with the result: %v", err)
	}
}

// TestOpenAIAbort ends an answer when its client goes.
func TestOpenAIAbort(t *testing.T) {
	s, client := openAI(t, tenant.Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	q := ask(capital)
	q.N, q.MaxTokens = openai.Int(4), openai.Int(450)
	stream := client.Chat.Completions.NewStreaming(ctx, q, option.WithJSONSet("ignore_eos", true))
	if !stream.Next() {
		t.Fatal(stream.Err())
	}
	cancel()
	stream.Close()
	for start := time.Now(); s.Snapshot().Answers > 0 || s.Snapshot().Running > 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("it goes on: %+v", s.Snapshot())
		}
	}
}

// TestOpenAIRetry has a queue that is full: the client waits as long as it is told to,
// and asks again.
func TestOpenAIRetry(t *testing.T) {
	var refused atomic.Int32
	count := func(q *http.Request, next option.MiddlewareNext) (*http.Response, error) {
		resp, err := next(q)
		if err == nil && resp.StatusCode == http.StatusServiceUnavailable {
			refused.Add(1)
			if resp.Header.Get("Retry-After") == "" {
				t.Error("it is not said when to come back")
			}
		}
		return resp, err
	}
	_, client := openAI(t, tenant.Limits{Sequences: 1, Queue: 1}, option.WithMiddleware(count), option.WithMaxRetries(10))
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			q := ask(capital)
			q.MaxTokens = openai.Int(60)
			if out, err := client.Chat.Completions.New(t.Context(), q, option.WithJSONSet("ignore_eos", true)); err != nil || out.Usage.CompletionTokens != 60 {
				t.Errorf("%v: %+v", err, out)
			}
		})
	}
	group.Wait()
	if refused.Load() == 0 {
		t.Error("nothing was refused: the test shows nothing")
	}
}
