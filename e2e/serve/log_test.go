package serve

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/realm"
)

// secret is what must not be in the log. The names of what a client makes up are in it
// nowhere, either.
const secret = "Xylophonic"

// TestLog puts a word wherever text can stand, well and badly, and finds it nowhere in the
// log, whose lines are JSON.
func TestLog(t *testing.T) {
	s := realm.NewHome(t).Serve("[log]\nformat = 'json'\nlevel = 'debug'\n")
	messages := `"messages":[{"role":"system","content":"` + secret + `"},{"role":"user","name":"` + secret + `","content":[{"type":"text","text":"` + secret + `"}]}]`
	tools := `"tools":[{"type":"function","function":{"name":"` + secret + `","description":"` + secret + `","parameters":{"type":"object","properties":{"` + secret + `":{"enum":["` + secret + `"]}}}}}]`
	for path, bodies := range map[string][]string{
		"/v1/chat/completions": {
			`{"max_tokens":3,` + messages + `}`,
			`{"max_tokens":3,"stream":true,"user":"` + secret + `","metadata":{"a":"` + secret + `"},"stop":"` + secret + `",` + messages + `}`,
			`{"max_tokens":3,"stream":true,` + messages + `,` + tools + `,"tool_choice":"required"}`,
			`{"max_tokens":3,` + messages + `,` + tools + `,"tool_choice":{"type":"function","function":{"name":"` + secret + `"}}}`,
			`{"max_tokens":30,` + messages + `,"guided_choice":["` + secret + `"]}`, // the answer is the word
			`{` + messages + `,"guided_regex":"(` + secret + `"}`,
			`{` + messages + `,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"` + secret + `"}}}}`,
			`{` + messages + `,"` + secret + `":1}`,
			`{"model":"` + secret + `",` + messages + `}`,
			`{"adapter":"` + secret + `",` + messages + `}`,
			`{"guest":"` + secret + `",` + messages + `}`,
			`{"messages":[{"role":"` + secret + `","content":"x"}]}`,
			`{"messages":[{"role":"user","content":"` + strings.Repeat(secret+" ", 600) + `"}]}`,
			`{"messages":[` + secret,
			secret,
		},
		"/v1/completions":         {`{"prompt":"` + secret + `","max_tokens":3,"echo":true}`, `{"prompt":["` + secret + `"],"max_tokens":3,"stream":true,"suffix":"` + secret + `"}`},
		"/v1/responses":           {`{"input":"` + secret + `","instructions":"` + secret + `","max_output_tokens":3}`, `{"input":"` + secret + `","stream":true,"max_output_tokens":3}`, `{"input":[{"type":"` + secret + `"}]}`},
		"/v1/embeddings":          {`{"input":"` + secret + `"}`, `{"input":["` + secret + `",1]}`},
		"/tokenize":               {`{"prompt":"` + secret + `"}`, `{` + messages + `}`},
		"/detokenize":             {`{"tokens":["` + secret + `"]}`},
		"/" + secret:              {`{}`},
		"/v1/ws/ticket?" + secret: {`{}`},
	} {
		for _, body := range bodies {
			ask(t, s.URL+path, "", body)
		}
	}
	ask(t, s.URL+"/v1/models/"+secret, "", "")
	for _, path := range []string{"/v1/load_lora_adapter", "/v1/unload_lora_adapter"} {
		ask(t, s.Admin+path, "", `{"lora_name":"`+secret+`","lora_path":"`+secret+`"}`)
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/health", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("X-Request-Id", secret+" {}")
	q.Header.Set("Traceparent", secret)
	q.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	c := socket(t, s, "")
	for id, frame := range map[string]string{
		"a": `{"id":"a","function":"chat","params":{"max_tokens":3,` + messages + `}}`,
		"b": `{"id":"b","function":"generate","params":{"prompt":"` + secret + `","max_tokens":3}}`,
		"c": `{"id":"c","function":"chat","params":{"` + secret + `":1}}`,
		"d": `{"id":"d","function":"` + secret + `"}`,
		"":  `{"` + secret + `"`,
	} {
		say(t, c, frame)
		last(t, c, id)
	}
	say(t, c, `{"id":"`+secret+`","function":"health"}`)
	last(t, c, secret)

	// Of the last request there is a line, too.
	ask(t, s.URL+"/v1/chat/completions", "", france)
	s.Wait("the last request is logged", func() bool {
		return strings.Count(s.Log(), `"msg":"request"`) >= 30 && strings.Count(s.Log(), `"msg":"call"`) >= 2
	})
	for line := range strings.Lines(s.Log()) {
		if !strings.HasPrefix(line, "realm: ") && !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
		if strings.Contains(line, secret) || strings.Contains(line, "capital") || strings.Contains(line, "Paris") {
			t.Errorf("the log has text: %s", line)
		}
	}
}
