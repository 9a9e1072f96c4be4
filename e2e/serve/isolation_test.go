package serve

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/e2e/realm"
	"github.com/realm-webgpu/realm/guest"
)

// tenants are two of a server, of which alpha has what beta must not see.
type tenants struct {
	*realm.Server
	alpha, beta string // keys
}

func newTenants(t *testing.T) *tenants {
	t.Helper()
	h := realm.NewHome(t)
	h.Put("guests/beam.wasm", guest.Module)
	own := h.Put("own.wasm", guest.Module)
	h.Put("adapters/sailor.gguf", models.Pirate)
	h.Configure("")
	config := []string{"--config", "realm.toml"}
	h.Run(append([]string{"tenant", "create", "alpha", "--guest-file", own}, config...)...)
	h.Run(append([]string{"tenant", "create", "beta", "--models", "atlas", "--adapters", "atlas:terse", "--guests", ""}, config...)...)
	x := &tenants{alpha: h.Run(append([]string{"key", "create", "alpha"}, config...)...), beta: h.Run(append([]string{"key", "create", "beta"}, config...)...)}
	x.Server = h.Serve(`guest-root = "guests"
adapter-root = "adapters"
[[models]]
name = "atlas"
source = "builtin:atlas"
adapters = [{ name = "terse", source = "builtin:terse" }, { name = "pirate", source = "builtin:pirate" }]
[[models]]
name = "secret"
source = "builtin:atlas"
[log]
format = "json"
`)
	return x
}

// TestIsolation shows that a tenant sees nothing of another one.
func TestIsolation(t *testing.T) {
	x := newTenants(t)
	t.Run("cache", x.cache)
	t.Run("names", x.names)
	t.Run("guest", x.guest)
	t.Run("state", x.state)
	t.Run("usage", x.usage) // counts what went before
}

// cache tells no tenant what another has asked.
func (x *tenants) cache(t *testing.T) {
	text := `{"temperature":0,"max_tokens":4,"messages":[{"role":"user","content":"` + strings.Repeat("What is the capital of France? ", 12) + `"}]}`
	cached := func(key, body string) int {
		t.Helper()
		status, answer := ask(t, x.URL+"/v1/chat/completions", key, body)
		var out struct {
			Usage struct {
				Details struct {
					Cached int `json:"cached_tokens"`
				} `json:"prompt_tokens_details"`
			}
		}
		if err := json.Unmarshal([]byte(answer), &out); err != nil || status != 200 {
			t.Fatalf("%d %s", status, answer)
		}
		return out.Usage.Details.Cached
	}
	first, again := cached(x.alpha, text), cached(x.alpha, text)
	if first != 0 || again < 32 {
		t.Fatalf("%d tokens of the prompt were known to alpha at first, then %d: the test shows nothing", first, again)
	}
	if n := cached(x.beta, text); n != 0 {
		t.Errorf("%d tokens of alpha's prompt are known to beta", n)
	}
	if n := cached(x.alpha, as("atlas:terse", text)); n != 0 {
		t.Errorf("%d tokens without an adapter are known with one", n)
	}
}

// names are those that a tenant may use; of others it is not even told that they are
// there.
func (x *tenants) names(t *testing.T) {
	if _, list := ask(t, x.URL+"/v1/models", x.beta, ""); strings.Count(list, `"id"`) != 2 || strings.Contains(list, "secret") || strings.Contains(list, "pirate") {
		t.Errorf("beta is told of %s", list)
	}
	for there, absent := range map[string]string{
		as("secret", france):                                    as("absent", france),
		as("atlas:pirate", france):                              as("atlas:absent", france),
		strings.Replace(france, "{", `{"adapter":"pirate",`, 1): strings.Replace(france, "{", `{"adapter":"absent",`, 1),
		strings.Replace(france, "{", `{"guest":"beam",`, 1):     strings.Replace(france, "{", `{"guest":"absent",`, 1),
	} {
		status, text := ask(t, x.URL+"/v1/chat/completions", x.beta, there)
		otherStatus, other := ask(t, x.URL+"/v1/chat/completions", x.beta, absent)
		for _, name := range []string{"secret", "pirate", "beam"} {
			text = strings.ReplaceAll(text, name, "absent")
		}
		if status != 404 || status != otherStatus || text != other {
			t.Errorf("%s: %d %s\n%s: %d %s", there, status, text, absent, otherStatus, other)
		}
		if status, text := ask(t, x.URL+"/v1/chat/completions", x.alpha, there); status != 200 {
			t.Errorf("alpha may use it: %d %s", status, text)
		}
	}
	if status, _ := ask(t, x.URL+"/v1/models/secret", x.beta, ""); status != 404 {
		t.Errorf("the model by its name: %d", status)
	}
	// An adapter that is loaded later is told to those who may use it.
	if status, text := ask(t, x.Admin+"/v1/load_lora_adapter", x.beta, `{"lora_name":"sailor","lora_path":"sailor.gguf"}`); status != 403 {
		t.Errorf("beta loads an adapter: %d %s", status, text)
	}
}

// unreachable is a guest that traps: a memory, a realm_abi of version 1, and a realm_run of
// one instruction.
const unreachable = "\x00asm\x01\x00\x00\x00" + "\x01\x05\x01\x60\x00\x01\x7f" + "\x03\x03\x02\x00\x00" + "\x05\x03\x01\x00\x01" +
	"\x07\x22\x03\x06memory\x02\x00\x09realm_run\x00\x00\x09realm_abi\x00\x01" +
	"\x0a\x0c\x02\x03\x00\x00\x0b\x06\x00\x41\x80\x80\x04\x0b"

// guest is alpha's own, which answers alpha alone.
func (x *tenants) guest(t *testing.T) {
	c := socket(t, x.Server, x.beta)
	say(t, c, `{"id":"m","function":"metadata"}`)
	if m := last(t, c, "m"); !strings.Contains(string(m.Data), `"guests":[]`) {
		t.Errorf("beta is told of guests: %s", m.Data)
	}
	say(t, c, `{"id":"g","function":"chat","params":`+strings.Replace(france, "{", `{"guest":"beam",`, 1)+`}`)
	if m := last(t, c, "g"); m.Error.Code != "GUEST_NOT_FOUND" {
		t.Errorf("%+v", m)
	}
	// alpha's fails from now on: beta's answers are as before.
	x.Run("tenant", "set", "alpha", "--config", "realm.toml", "--guest-file", x.Put("broken.wasm", []byte(unreachable)))
	x.Wait("alpha's guest is taken over", func() bool {
		status, text := ask(t, x.URL+"/v1/chat/completions", x.alpha, france)
		return status == 422 && strings.Contains(text, "GUEST_TRAPPED")
	})
	if status, text := ask(t, x.URL+"/v1/chat/completions", x.beta, france); status != 200 || !strings.Contains(text, "Paris") {
		t.Errorf("beta's answer: %d %s", status, text)
	}
}

// state is what says how busy others are, and calls that are others' to cancel.
func (x *tenants) state(t *testing.T) {
	if status, text := ask(t, x.URL+"/metrics", x.beta, ""); status != 403 || strings.Contains(text, "alpha") {
		t.Errorf("metrics: %d %s", status, text)
	}
	alpha, beta := socket(t, x.Server, x.alpha), socket(t, x.Server, x.beta)
	say(t, alpha, `{"id":"mine","function":"generate","params":{"guest":"beam","prompt":"The","ignore_eos":true,"max_tokens":300}}`)
	if m := hear(t, alpha); m.Status != "streaming" {
		t.Fatalf("%+v", m)
	}
	say(t, beta, `{"id":"h","function":"health"}`)
	if m := last(t, beta, "h"); strings.Contains(string(m.Data), "running") {
		t.Errorf("beta is told how busy it is: %s", m.Data)
	}
	say(t, beta, `{"id":"c","function":"cancel","params":{"id":"mine"}}`)
	if m := last(t, beta, "c"); string(m.Data) != `{"cancelled":false}` {
		t.Errorf("beta cancels alpha's call: %s", m.Data)
	}
	if m := last(t, alpha, "mine"); m.Status != "complete" {
		t.Errorf("alpha's call: %+v", m)
	}
}

// usage and what is logged of a request are under the tenant's own name.
func (x *tenants) usage(t *testing.T) {
	count := func(name string) (n int) {
		var out struct {
			Usage []struct{ Requests int }
		}
		text := x.Run("usage", name, "--json", "--config", "realm.toml")
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		for _, u := range out.Usage {
			n += u.Requests
		}
		return n
	}
	// The metrics count at once, and the database every few seconds.
	counted := func(name string) (n int) {
		for _, code := range []string{"ok", "GUEST_TRAPPED"} {
			n += max(0, int(x.Metric(`realm_tenant_requests_total{code="`+code+`",tenant="`+name+`"}`)))
		}
		return n
	}
	alpha, beta := counted("alpha"), counted("beta")
	x.Wait("what went before is written", func() bool { return count("alpha") == alpha && count("beta") == beta })
	if status, text := ask(t, x.URL+"/v1/chat/completions", x.beta, france); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	x.Wait("beta's request is written", func() bool { return count("beta") == beta+1 })
	if n := count("alpha"); n != alpha || counted("alpha") != alpha || alpha == 0 {
		t.Errorf("alpha has %d requests, before beta's one %d", n, alpha)
	}
	var line map[string]any
	for text := range strings.Lines(x.Log()) {
		if strings.Contains(text, `"route":"/v1/chat/completions"`) {
			line = nil
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
		}
	}
	if id := fmt.Sprint(line["tenant"]); id == "" || !strings.Contains(x.Run("tenant", "show", "beta", "--json", "--config", "realm.toml"), id) {
		t.Errorf("the last line is not beta's: %v", line)
	}
}
