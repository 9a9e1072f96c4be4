package openai

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/realm-webgpu/realm/web/service"
)

// TestParseCompletion has the ways to write prompts, and what only completions have.
func TestParseCompletion(t *testing.T) {
	for _, c := range []struct {
		members string
		prompts []Prompt
	}{
		{`"prompt":"a"`, []Prompt{{Text: "a"}}},
		{`"prompt":""`, []Prompt{{}}},
		{`"prompt":["a","b"]`, []Prompt{{Text: "a"}, {Text: "b"}}},
		{`"prompt":[1,2]`, []Prompt{{Tokens: []int32{1, 2}}}},
		{`"prompt":[[1,2],[3]]`, []Prompt{{Tokens: []int32{1, 2}}, {Tokens: []int32{3}}}},
		{`"prompt":"a","suffix":"","best_of":1,"echo":true,"user":"u"`, []Prompt{{Text: "a"}}},
	} {
		r, err := ParseCompletion([]byte("{"+c.members+"}"), DefaultLimits())
		if err != nil || !reflect.DeepEqual(r.Prompts, c.prompts) {
			t.Errorf("%s: %+v, %v", c.members, r, err)
		}
	}
	r, err := ParseCompletion([]byte(`{"prompt":["a","b"],"n":2,"best_of":3,"logprobs":0,"seed":10,"parse_special":false}`), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	calls := r.Calls()
	if q := calls[1].Request; len(calls) != 2 || q.Prompt != "b" || q.N != 2 || q.BestOf != 3 || q.Seed != 13 || q.MaxTokens != 0 || calls[1].UsualTokens != 16 || !q.Logprobs || q.TopLogprobs != 0 || q.Special || calls[1].Chat != nil {
		t.Errorf("calls %+v", calls)
	}
	for _, c := range []struct{ members, param string }{
		{`"model":"m"`, "prompt"},
		{`"prompt":null`, "prompt"},
		{`"prompt":[]`, "prompt"},
		{`"prompt":[[]]`, "prompt"},
		{`"prompt":[1,"a"]`, "prompt"},
		{`"prompt":["a",1]`, "prompt"},
		{`"prompt":[1.5]`, "prompt"},
		{`"prompt":[4294967296]`, "prompt"},
		{`"prompt":{}`, "prompt"},
		{`"prompt":true`, "prompt"},
		{`"prompt":"a","suffix":"b"`, "suffix"},
		{`"prompt":"a","n":2,"best_of":1`, "best_of"},
		{`"prompt":"a","stream":true,"best_of":2`, "best_of"},
		{`"prompt":"a","logprobs":21`, "logprobs"},
		{`"prompt":"a","logprobs":true`, "logprobs"},
		{`"prompt":"a","logprobs":1,"echo":true`, "echo"},
		{`"prompt":["a","b"],"n":100`, "n"},
		{`"prompt":"a","tools":[]`, "tools"},
	} {
		_, err := ParseCompletion([]byte("{"+c.members+"}"), DefaultLimits())
		var e *service.Error
		if !errors.As(err, &e) || e.Param != c.param {
			t.Errorf("%s: %v", c.members, err)
		}
	}
}

// FuzzCompletion reads anything without harm.
func FuzzCompletion(f *testing.F) {
	for _, s := range []string{`{"prompt":"a"}`, `{"prompt":[[1],[2,3]],"n":2,"logprobs":3,"stop":"x"}`, `{"prompt":["a"],"echo":true,"grammar":{"kind":"regex","text":"a"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseCompletion(data, DefaultLimits())
		if err != nil {
			checkError(t, err)
			return
		}
		for _, c := range r.Calls() {
			if _, err := json.Marshal(c.Request); err != nil {
				t.Error(err)
			}
		}
	})
}
