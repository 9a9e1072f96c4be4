package ws

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestChat streams an answer whose parts are the whole, with counts that are counted.
func TestChat(t *testing.T) {
	r := newRig(t, nil, nil)
	c := r.connect(t)
	c.call("one", "chat", question(france, `,"logprobs":true,"top_logprobs":2`))
	parts, last := c.end("one")
	whole := c.data(last)
	if last.Status != "complete" || whole.Text != paris || text(parts, 0) != paris || whole.Finish != "stop" || whole.Model != "atlas" {
		t.Errorf("%q, then %+v", text(parts, 0), whole)
	}
	tokens, logprobs := 0, 0
	for _, p := range parts {
		tokens += len(p.Tokens)
		list, _ := p.Logprobs["content"].([]any)
		logprobs += len(list)
		for _, l := range list {
			one, _ := l.(map[string]any)
			if top, _ := one["top_logprobs"].([]any); len(top) != 2 || one["logprob"].(float64) > 0 {
				t.Errorf("%v", one)
			}
		}
	}
	if u := whole.Usage; u["completion_tokens"] != tokens || logprobs != tokens-1 || u["prompt_tokens"] == 0 {
		t.Errorf("%d tokens, %d log-probabilities, %v", tokens, logprobs, u)
	}
	if x := whole.Timings; x["ttft_ms"].(float64) <= 0 || x["decode_tokens_per_second"].(float64) <= 0 {
		t.Errorf("%v", x)
	}
	// Again, and at once: in one part.
	c.call("one", "chat", question(france, `,"stream":false,"logprobs":true`))
	parts, last = c.end("one")
	whole = c.data(last)
	if len(parts) > 0 || whole.Text != paris || len(whole.Logprobs["content"].([]any)) != tokens-1 || whole.Usage["cached_tokens"] > whole.Usage["prompt_tokens"] {
		t.Errorf("%d parts, %+v", len(parts), whole)
	}
	until(t, "the calls are logged", func() bool { return strings.Count(r.log.String(), `"msg":"call"`) == 2 })
	if log := r.log.String(); strings.Contains(log, "capital") {
		t.Errorf("the log: %s", log)
	}
}

// TestGenerate goes on with texts, in several choices.
func TestGenerate(t *testing.T) {
	c := newRig(t, nil, nil).connect(t)
	c.call("g", "generate", `{"prompt":["The capital of France is","The capital of Norway is"],"temperature":0,"max_tokens":3,"echo":true,"n":2}`)
	parts, last := c.end("g")
	whole := c.data(last)
	if last.Status != "complete" || len(whole.Choices) != 4 {
		t.Fatalf("%+v %s", last, last.Data)
	}
	for i, want := range []string{"Paris", "Paris", "Oslo", "Oslo"} {
		if got := whole.Choices[i]; !strings.Contains(got.Text, want) || !strings.HasPrefix(got.Text, "The capital") || text(parts, i) != got.Text || got.Finish == "" {
			t.Errorf("choice %d: %q, in parts %q", i, got.Text, text(parts, i))
		}
	}
	if whole.Usage["completion_tokens"] == 0 || whole.Usage["completion_tokens"] > 12 {
		t.Errorf("%v", whole.Usage)
	}
}

// TestOptions are OpenAI's, and those beside them.
func TestOptions(t *testing.T) {
	c := newRig(t, nil, nil).connect(t)
	c.call("a", "chat", question(france, `,"adapter":"pirate"`))
	_, last := c.end("a")
	if a := c.data(last); a.Adapter != "pirate" || a.Text == paris || !strings.Contains(a.Text, "Paris") {
		t.Errorf("as a pirate: %+v", a)
	}
	c.call("s", "chat", question(france, `,"speculative":"lookup"`))
	_, last = c.end("s")
	if a := c.data(last); a.Text != paris {
		t.Errorf("drafted: %+v", a)
	}
	c.call("j", "chat", question(france, `,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{"city":{"enum":["Paris","Rome"]}},"required":["city"]}}}`))
	_, last = c.end("j")
	var out struct{ City string }
	if a := c.data(last); json.Unmarshal([]byte(a.Text), &out) != nil || out.City == "" {
		t.Errorf("by a schema: %+v", a)
	}
	c.call("t", "chat", question(france, `,"tool_choice":{"type":"function","function":{"name":"look"}},"tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object","properties":{"n":{"enum":[1]}},"additionalProperties":false,"required":["n"]}}}]`))
	parts, last := c.end("t")
	whole := c.data(last)
	if whole.Finish == "" || len(whole.ToolCalls) != 1 {
		t.Errorf("with tools: %+v", whole)
	}
	ids := 0
	for _, p := range parts {
		for _, d := range p.ToolCalls {
			if d["id"] != nil {
				ids++
			}
		}
	}
	if ids != len(whole.ToolCalls) {
		t.Errorf("%d ids of %d calls", ids, len(whole.ToolCalls))
	}
}

// TestErrors have codes, and leave the connection as it was.
func TestErrors(t *testing.T) {
	c := newRig(t, nil, nil).connect(t)
	deep := strings.Repeat("[", 300) + strings.Repeat("]", 300)
	for _, x := range []struct{ id, function, params, code, says string }{
		{"1", "chat", `{"messages":[]}`, "INVALID_REQUEST", "messages"},
		{"2", "chat", question(france, `,"temprature":1`), "INVALID_REQUEST", "temprature"},
		{"3", "chat", question(france, `,"model":"none"`), "MODEL_NOT_FOUND", "none"},
		{"4", "chat", question(france, `,"adapter":"none-such"`), "ADAPTER_NOT_FOUND", "none-such"},
		{"5", "chat", question(france, `,"guest":"none"`), "GUEST_NOT_FOUND", "none"},
		{"6", "chat", question(strings.Repeat("word ", 600), ``), "CONTEXT_OVERFLOW", "of the model is 512 tokens"},
		{"7", "chat", `[]`, "INVALID_REQUEST", "object"},
		{"8", "sing", `{}`, "INVALID_REQUEST", "sing"},
		{"10", "generate", `{}`, "INVALID_REQUEST", "prompt"},
		{"11", "health", `{"x":1}`, "INVALID_REQUEST", "x"},
		{"12", "adapters", `{"model":"none"}`, "MODEL_NOT_FOUND", "none"},
	} {
		c.call(x.id, x.function, x.params)
		c.wantError(c.next(), x.id, x.code, x.says)
	}
	for frame, says := range map[string]string{
		`{`: "cannot be read", `[]`: "object", `{"id":1}`: "string", `{"function":"health"}`: "id", `{"id":"","function":"health"} {}`: "behind",
		`{"id":"x","function":"generate","params":{"prompt":` + deep + `}}`: "deep",
		`{"id":"` + strings.Repeat("x", 300) + `"}`:                         "300 bytes", `{"id":"","other":1}`: "other", `{"id":"","FUNCTION":"health"}`: "FUNCTION",
	} {
		c.say(frame)
		c.wantError(c.next(), "", "INVALID_REQUEST", says)
	}
	c.call("last", "chat", question(france, ""))
	if _, last := c.end("last"); c.data(last).Text != paris {
		t.Errorf("after errors: %+v", last)
	}
}

// long is a call that takes a while, and slowly a minute.
const long = `{"prompt":"The","ignore_eos":true,"max_tokens":400,"temperature":0}`

// TestCancel ends a call, which says what it has used.
func TestCancel(t *testing.T) {
	r := newRig(t, slowly, nil)
	c := r.connect(t)
	c.call("long", "generate", long)
	if m := c.next(); m.Status != "streaming" {
		t.Fatalf("%+v", m)
	}
	c.call("stop", "cancel", `{"id":"long"}`)
	var told, done bool
	for !told || !done {
		switch m := c.next(); {
		case m.ID == "stop":
			told = true
			if m.Status != "complete" || string(m.Data) != `{"cancelled":true}` {
				t.Errorf("%+v %s", m, m.Data)
			}
		case m.Status != "streaming":
			done = true
			a := c.data(m)
			if m.Status != "cancelled" || a.Finish != "" || a.Text == "" || a.Usage["completion_tokens"] >= 400 {
				t.Errorf("%+v %s", m, m.Data)
			}
		}
	}
	// By the call's own id there is one reply.
	c.call("own", "generate", long)
	c.next()
	c.say(`{"id":"own","function":"cancel"}`)
	if _, last := c.end("own"); last.Status != "cancelled" {
		t.Errorf("%+v", last)
	}
	c.call("none", "cancel", `{"id":"gone"}`)
	if _, last := c.end("none"); string(last.Data) != `{"cancelled":false}` {
		t.Errorf("%s", last.Data)
	}
	idle(t, r)
}

// until waits until something is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// idle waits until a rig has nothing to do.
func idle(t *testing.T, r *rig) {
	t.Helper()
	until(t, "nothing is to be done", func() bool {
		s := r.service.Snapshot()
		return s.Answers == 0 && s.Running == 0 && s.Waiting == 0
	})
}

// TestAtOnce has many calls on one connection that give what each gives alone.
func TestAtOnce(t *testing.T) {
	c := newRig(t, nil, nil).connect(t)
	capitals := map[string]string{"France": "Paris", "Norway": "Oslo", "Japan": "Tokyo", "Italy": "Rome", "Spain": "Madrid", "Egypt": "Cairo"}
	for country := range capitals {
		c.call(country, "chat", question("What is the capital of "+country+"?", ""))
	}
	texts := map[string]string{}
	for left := len(capitals); left > 0; {
		m := c.next()
		a := c.data(m)
		if m.Status == "streaming" {
			texts[m.ID] += a.Text
			continue
		}
		left--
		if want := fmt.Sprintf("The capital of %s is %s.", m.ID, capitals[m.ID]); a.Text != want || texts[m.ID] != want {
			t.Errorf("%s: %q, in parts %q", m.ID, a.Text, texts[m.ID])
		}
	}
}

// TestState tells what there is.
func TestState(t *testing.T) {
	c := newRig(t, nil, nil).connect(t)
	for function, want := range map[string][]string{
		"models":   {`"id":"atlas"`, `"id":"atlas:pirate"`, `"parent":"atlas"`, `"default":true`},
		"adapters": {`{"id":"atlas:pirate","model":"atlas","name":"pirate"}`, `"terse"`},
		"health":   {`"status":"ok"`, `"running":0`, `"waiting":0`},
		"metadata": {`"protocol":1`, `"version":"test"`, `"guests":[]`, `"backend":"cpu"`, `"calls":16`, `"generate"`},
	} {
		c.call("x", function, "{}")
		_, last := c.end("x")
		for _, w := range want {
			if last.Status != "complete" || !strings.Contains(string(last.Data), w) {
				t.Errorf("%s: %s has no %s", function, last.Data, w)
			}
		}
	}
}
