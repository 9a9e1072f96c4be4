package openai_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

// TestClient has what the official client does with a server.
func TestClient(t *testing.T) {
	_, client := start(t, "")
	for name, test := range map[string]func(*testing.T, openai.Client){
		"chat": chat, "stream": stream, "sampling": sampling, "schema": schema, "messages": messages,
		"completion": completion, "embeddings": embeddings, "models": models, "errors": failures,
		"responses": respond, "response events": events, "tools": tools, "streamed tools": streamedTools, "response tools": responseTools,
	} {
		t.Run(name, func(t *testing.T) { test(t, client) })
	}
}

func chat(t *testing.T, client openai.Client) {
	q := ask(capital)
	q.Logprobs, q.TopLogprobs, q.Seed, q.User = openai.Bool(true), openai.Int(3), openai.Int(-7), openai.String("someone")
	q.Metadata, q.ServiceTier, q.Store = shared.Metadata{"a": "b"}, "auto", openai.Bool(false)
	out, err := client.Chat.Completions.New(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	c := out.Choices[0]
	if c.Message.Content != paris || c.FinishReason != "stop" || out.Usage.CompletionTokens != 9 || out.Object != "chat.completion" || out.ID == "" || out.Created == 0 {
		t.Errorf("answer %s", out.RawJSON())
	}
	if all := c.Logprobs.Content; len(all) < 8 || len(all[0].TopLogprobs) != 3 || all[0].Token != "The" || all[0].Bytes[0] != 'T' {
		t.Errorf("log-probabilities %s", c.Logprobs.RawJSON())
	}
}

func stream(t *testing.T, client openai.Client) {
	q := ask(capital)
	q.N, q.StreamOptions.IncludeUsage = openai.Int(2), openai.Bool(true)
	parts := client.Chat.Completions.NewStreaming(t.Context(), q)
	var all openai.ChatCompletionAccumulator
	n := 0
	for ; parts.Next(); n++ {
		if !all.AddChunk(parts.Current()) {
			t.Errorf("a part that does not fit: %s", parts.Current().RawJSON())
		}
	}
	if err := parts.Err(); err != nil {
		t.Fatal(err)
	}
	if len(all.Choices) != 2 || all.Choices[1].Message.Content != paris || all.Choices[1].FinishReason != "stop" || all.Usage.CompletionTokens != 18 || n < 18 {
		t.Errorf("%d parts make %+v", n, all.ChatCompletion)
	}
}

// sampling has the parameters that choose tokens: stop, n, seed, logit_bias, penalties.
func sampling(t *testing.T, client openai.Client) {
	text := func(change func(*openai.ChatCompletionNewParams)) (string, string) {
		t.Helper()
		q := ask(capital)
		change(&q)
		out, err := client.Chat.Completions.New(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return out.Choices[0].Message.Content, out.Choices[0].FinishReason
	}
	if got, why := text(func(q *openai.ChatCompletionNewParams) { q.Stop.OfStringArray = []string{"xyz", "France"} }); got != "The capital of " || why != "stop" {
		t.Errorf("up to a stop string %q, %s", got, why)
	}
	if got, why := text(func(q *openai.ChatCompletionNewParams) { q.MaxCompletionTokens = openai.Int(3) }); got != "The capital of" || why != "length" {
		t.Errorf("three tokens are %q, %s", got, why)
	}
	hot := func(seed int64) string {
		got, _ := text(func(q *openai.ChatCompletionNewParams) {
			q.Seed, q.Temperature, q.PresencePenalty, q.FrequencyPenalty = openai.Int(seed), openai.Float(2), openai.Float(1), openai.Float(0.5)
			q.MaxTokens = openai.Int(30)
		})
		return got
	}
	if a, b, c := hot(5), hot(5), hot(6); a != b || a == c {
		t.Errorf("seeds 5, 5 and 6 make %q, %q and %q", a, b, c)
	}
	// The first token, forbidden.
	out, err := client.Chat.Completions.New(t.Context(), ask(capital), option.WithJSONSet("logprobs", true), option.WithJSONSet("max_tokens", 1))
	if err != nil {
		t.Fatal(err)
	}
	var tokens struct{ Tokens []int64 }
	body := map[string]any{"prompt": out.Choices[0].Message.Content, "add_special_tokens": false}
	if err := client.Post(t.Context(), "../tokenize", body, &tokens); err != nil || len(tokens.Tokens) != 1 {
		t.Fatalf("%v, %v", tokens, err)
	}
	got, _ := text(func(q *openai.ChatCompletionNewParams) {
		q.LogitBias = map[string]int64{strconv.FormatInt(tokens.Tokens[0], 10): -100}
	})
	if strings.HasPrefix(got, out.Choices[0].Message.Content) {
		t.Errorf("the first token was forbidden, and the answer is %q", got)
	}
}

func schema(t *testing.T, client openai.Client) {
	q := ask(capital)
	q.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
		Name: "city", Strict: openai.Bool(true), Schema: yes("sure"),
	}}
	out, err := client.Chat.Completions.New(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var said struct{ Sure *bool }
	if err := json.Unmarshal([]byte(out.Choices[0].Message.Content), &said); err != nil || said.Sure == nil {
		t.Errorf("%v: %s", err, out.Choices[0].Message.Content)
	}
}

// messages has conversations as clients in Python and JavaScript write them.
func messages(t *testing.T, client openai.Client) {
	for _, all := range []string{
		`[{"role":"developer","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"What is the capital of France?"}],"name":"me"}]`,
		`[{"role":"user","content":"Hello"},{"role":"assistant","content":"Hello.","refusal":null,"annotations":[],"audio":null,"function_call":null,"tool_calls":null},{"role":"user","content":"What is the capital of France?"}]`,
	} {
		out, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{}, option.WithRequestBody("application/json",
			[]byte(`{"model":"atlas","temperature":0,"max_completion_tokens":20,"stream":false,"tools":[],"tool_choice":"auto","parallel_tool_calls":true,"n":1,"top_p":1,"logprobs":false,"messages":`+all+`}`)))
		if err != nil || !strings.Contains(out.Choices[0].Message.Content, "Paris") {
			t.Errorf("%s: %v, %+v", all, err, out)
		}
	}
}

func completion(t *testing.T, client openai.Client) {
	out, err := client.Completions.New(t.Context(), openai.CompletionNewParams{
		Model: "atlas", Temperature: openai.Float(0), MaxTokens: openai.Int(3), Echo: openai.Bool(true),
		Prompt: openai.CompletionNewParamsPromptUnion{OfArrayOfStrings: []string{"The capital of France", "Oslo is"}},
	})
	if err != nil || len(out.Choices) != 2 || !strings.HasPrefix(out.Choices[1].Text, "Oslo is") || out.Choices[0].FinishReason != "length" {
		t.Errorf("%v: %+v", err, out)
	}
	parts := client.Completions.NewStreaming(t.Context(), openai.CompletionNewParams{
		Model: "atlas", Temperature: openai.Float(0), MaxTokens: openai.Int(5), Logprobs: openai.Int(2),
		Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("The capital of France")},
	})
	text := ""
	for parts.Next() {
		text += parts.Current().Choices[0].Text
	}
	if parts.Err() != nil || !strings.Contains(text, "Paris") {
		t.Errorf("%v: %q", parts.Err(), text)
	}
}

// embeddings has both encodings, which are the same numbers.
func embeddings(t *testing.T, client openai.Client) {
	q := openai.EmbeddingNewParams{Model: "atlas", Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"Paris", "Oslo"}}, EncodingFormat: "float"}
	out, err := client.Embeddings.New(t.Context(), q)
	if err != nil || len(out.Data) != 2 || out.Data[1].Index != 1 || len(out.Data[1].Embedding) < 64 || out.Usage.PromptTokens < 2 {
		t.Fatalf("%v: %+v", err, out)
	}
	q.EncodingFormat = "base64"
	var coded struct{ Data []struct{ Embedding string } }
	if _, err := client.Embeddings.New(t.Context(), q, option.WithResponseBodyInto(&coded)); err != nil || len(coded.Data) != 2 {
		t.Fatalf("%v: %+v", err, coded)
	}
	raw, err := base64.StdEncoding.DecodeString(coded.Data[1].Embedding)
	if err != nil || len(raw) != 4*len(out.Data[1].Embedding) {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	for i, f := range out.Data[1].Embedding {
		if got := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])); got != float32(f) {
			t.Fatalf("component %d is %g and %g", i, got, f)
		}
	}
}

func models(t *testing.T, client openai.Client) {
	list, err := client.Models.List(t.Context())
	if err != nil || len(list.Data) != 3 || list.Data[0].ID != "atlas" || list.Data[1].ID != "atlas:pirate" {
		t.Errorf("%v: %+v", err, list)
	}
	if m, err := client.Models.Get(t.Context(), "atlas:terse"); err != nil || m.ID != "atlas:terse" {
		t.Errorf("%v: %+v", err, m)
	}
	q := ask(capital)
	q.Model = "atlas:pirate"
	if out, err := client.Chat.Completions.New(t.Context(), q); err != nil || out.Choices[0].Message.Content == paris || !strings.Contains(out.Choices[0].Message.Content, "Paris") {
		t.Errorf("as a pirate: %v: %+v", err, out)
	}
}

// wrong is the status, the code and the parameter of an error.
type wrong struct {
	status      int
	code, param string
}

func failures(t *testing.T, client openai.Client) {
	long := strings.Repeat("word ", 600)
	for name, test := range map[string]struct {
		change func(*openai.ChatCompletionNewParams)
		want   wrong
	}{
		"model":    {func(q *openai.ChatCompletionNewParams) { q.Model = "gpt-9" }, wrong{404, "MODEL_NOT_FOUND", "model"}},
		"adapter":  {func(q *openai.ChatCompletionNewParams) { q.Model = "atlas:nobody" }, wrong{404, "ADAPTER_NOT_FOUND", "adapter"}},
		"store":    {func(q *openai.ChatCompletionNewParams) { q.Store = openai.Bool(true) }, wrong{400, "INVALID_REQUEST", "store"}},
		"too long": {func(q *openai.ChatCompletionNewParams) { q.Messages = ask(long).Messages }, wrong{400, "CONTEXT_OVERFLOW", ""}},
		"n":        {func(q *openai.ChatCompletionNewParams) { q.N = openai.Int(1000) }, wrong{400, "INVALID_REQUEST", "n"}},
		"tools with a schema": {func(q *openai.ChatCompletionNewParams) {
			q.Tools = []openai.ChatCompletionToolUnionParam{function("weather")}
			q.ResponseFormat.OfJSONObject = &shared.ResponseFormatJSONObjectParam{}
		}, wrong{400, "INVALID_REQUEST", "response_format"}},
	} {
		q := ask(capital)
		test.change(&q)
		_, err := client.Chat.Completions.New(t.Context(), q)
		parts := client.Chat.Completions.NewStreaming(t.Context(), q)
		if parts.Next() {
			t.Errorf("%s: there is a part: %s", name, parts.Current().RawJSON())
		}
		for way, err := range map[string]error{"whole": err, "stream": parts.Err()} {
			e := asError(t, err)
			if got := (wrong{e.StatusCode, e.Code, e.Param}); got != test.want || e.Type != "invalid_request_error" || e.Message == "" || e.Response.Header.Get("X-Request-Id") == "" {
				t.Errorf("%s, %s: %+v %q %q, want %+v", name, way, got, e.Type, e.Message, test.want)
			}
		}
	}
	// What no client of OpenAI's sends is of the same shape.
	resp, err := http.Post(strings.TrimSuffix(base(t, client), "/v1/")+"/v1/nothing", "application/json", bytes.NewReader([]byte("{}")))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 404 || !strings.HasPrefix(string(text), `{"error":{"message":`) {
		t.Errorf("%v: %s", err, text)
	}
}

func respond(t *testing.T, client openai.Client) {
	out, err := client.Responses.New(t.Context(), response())
	if err != nil || out.OutputText() != paris || out.Status != "completed" || out.Usage.OutputTokens != 9 || out.Model != "atlas" {
		t.Errorf("%v: %+v", err, out)
	}
}

func response() responses.ResponseNewParams {
	return responses.ResponseNewParams{Model: "atlas", Temperature: openai.Float(0), Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(capital)}}
}

func events(t *testing.T, client openai.Client) {
	parts := client.Responses.NewStreaming(t.Context(), response())
	text, done, whole, last := "", "", "", int64(-1)
	for parts.Next() {
		e := parts.Current()
		if e.SequenceNumber != last+1 {
			t.Errorf("event %d comes behind %d", e.SequenceNumber, last)
		}
		last = e.SequenceNumber
		switch e := e.AsAny().(type) {
		case responses.ResponseTextDeltaEvent:
			text += e.Delta
		case responses.ResponseTextDoneEvent:
			done = e.Text
		case responses.ResponseCompletedEvent:
			whole = e.Response.OutputText()
		}
	}
	if err := parts.Err(); err != nil || text != paris || done != paris || whole != paris {
		t.Errorf("%v: %q, %q, %q", err, text, done, whole)
	}
}
