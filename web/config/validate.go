package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The most that may be configured.
const (
	maxModels   = 256
	maxAdapters = 1024 // of a model
	maxName     = 256  // bytes
	maxContext  = 1 << 24
	maxTime     = Duration(30 * 24 * time.Hour)
	maxBytes    = Size(1 << 30) // of a request, a frame or a buffer
)

// What the default guest takes (docs/guest-request.md): more would be let in here to
// be refused there.
const (
	maxChoices   = 128
	maxLogprobs  = 20
	maxStops     = 16
	maxStopBytes = 256
	maxBiases    = 1024
)

// Validate checks everything that can be checked without opening anything. Its error
// joins all that is wrong, each an ErrInvalid with the key and its limits.
func (c *Config) Validate() error {
	v := &validator{}
	v.address("listen", c.Listen, false)
	v.address("admin-listen", c.AdminListen, true)
	if c.AdminListen != "" && c.AdminListen == c.Listen && !strings.HasSuffix(c.Listen, ":0") {
		v.wrong("admin-listen", "%s is what listen is", c.Listen)
	}
	v.count("threads", c.Threads, 0, 4096)
	if c.ModelRoot == "" {
		v.wrong("model-root", "a folder is wanted")
	}
	for _, host := range c.Hosts {
		if _, _, err := net.SplitHostPort(host); err == nil || host == "" || strings.ContainsAny(host, "/ *") {
			v.wrong("hosts", "%.80q: want a name without scheme and port, such as realm.example.com", host)
		}
	}
	v.text("guest", c.Guest, maxName)
	v.text("device", c.Device, maxName)

	v.models(c)
	v.size("memory.total", c.Memory.Total, 0, math.MaxInt64)
	v.size("memory.kv", c.Memory.KV, 0, math.MaxInt64)
	v.size("memory.adapters", c.Memory.Adapters, 0, math.MaxInt64)
	if t := c.Memory.Total; t > 0 && c.Memory.KV > t {
		v.wrong("memory.kv", "%v is more than memory.total, %v", c.Memory.KV, t)
	} else if t > 0 && c.Memory.Adapters > t {
		v.wrong("memory.adapters", "%v is more than memory.total, %v", c.Memory.Adapters, t)
	}
	v.count("queue.limit", c.Queue.Limit, 1, 1<<20)

	r := c.Requests
	v.size("requests.body", r.Body, 1<<10, maxBytes)
	v.size("requests.headers", r.Headers, 1<<10, 16<<20)
	v.count("requests.n", r.N, 1, maxChoices)
	v.count("requests.best-of", r.BestOf, 1, maxChoices)
	v.count("requests.logprobs", r.Logprobs, 0, maxLogprobs)
	v.count("requests.stops", r.Stops, 0, maxStops)
	v.size("requests.stop-bytes", r.StopBytes, 1, maxStopBytes)
	v.size("requests.grammar", r.Grammar, 0, 1<<20)
	v.count("requests.messages", r.Messages, 1, 1<<20)
	v.count("requests.tools", r.Tools, 0, 4096)
	v.count("requests.logit-biases", r.LogitBiases, 0, maxBiases)
	v.count("requests.inputs", r.Inputs, 1, 1<<20)
	v.count("requests.max-tokens", r.MaxTokens, 0, maxContext)
	v.count("requests.default-tokens", r.DefaultTokens, 0, maxContext)
	if r.MaxTokens > 0 && r.DefaultTokens > r.MaxTokens {
		v.wrong("requests.default-tokens", "%d is more than requests.max-tokens, %d", r.DefaultTokens, r.MaxTokens)
	}

	t := c.Timeouts
	for _, d := range []struct {
		key   string
		value Duration
	}{
		{"read-header", t.ReadHeader}, {"read", t.Read}, {"write", t.Write}, {"idle", t.Idle},
		{"queue", t.Queue}, {"request", t.Request},
	} {
		v.time("timeouts."+d.key, d.value, Duration(100*time.Millisecond))
	}
	v.time("timeouts.drain", t.Drain, 0)

	w := c.WebSocket
	for _, origin := range w.Origins {
		if u, err := url.Parse(origin); origin != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil) {
			v.wrong("websocket.origins", "%.80q: want a scheme and a host, such as https://example.com", origin)
		}
	}
	v.count("websocket.connections", w.Connections, 1, 1<<20)
	v.size("websocket.max-frame", w.MaxFrame, 1<<10, maxBytes)
	v.count("websocket.calls", w.Calls, 1, 4096)
	v.size("websocket.buffer", w.Buffer, 4<<10, maxBytes)
	v.time("websocket.hello", w.Hello, Duration(100*time.Millisecond))
	v.time("websocket.ping", w.Ping, Duration(100*time.Millisecond))

	v.tenants(c.Tenants)
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "text", "json")
	if e := c.Tracing.Endpoint; e != "" {
		if u, err := url.Parse(e); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			v.wrong("tracing.endpoint", "%.80q: want a URL such as http://localhost:4318", e)
		}
	}
	if s := c.Tracing.Sample; !(s >= 0 && s <= 1) { // NaN too
		v.wrong("tracing.sample", "%v: from 0 to 1", s)
	}
	if c.Tracing.Service == "" {
		v.wrong("tracing.service", "a name is wanted")
	}
	return errors.Join(v.errs...)
}

// Exposed reports whether an address is one that other machines may reach.
func Exposed(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return true
	}
	if strings.EqualFold(host, "localhost") {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err != nil || !ip.Unmap().IsLoopback()
}

// validator collects what is wrong.
type validator struct{ errs []error }

func (v *validator) wrong(key, what string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf("%s: "+what+": %w", append(append([]any{key}, args...), ErrInvalid)...))
}

func (v *validator) count(key string, n, least, most int) {
	if n < least || n > most {
		v.wrong(key, "%d: from %d to %d", n, least, most)
	}
}

func (v *validator) size(key string, n, least, most Size) {
	if n < least || n > most {
		v.wrong(key, "%d bytes: from %v to %v", int64(n), least, most)
	}
}

func (v *validator) time(key string, d, least Duration) {
	if d < least || d > maxTime {
		v.wrong(key, "%v: from %v to %v", d, least, maxTime)
	}
}

func (v *validator) text(key, s string, most int) {
	if len(s) > most {
		v.wrong(key, "%d bytes: at most %d", len(s), most)
	}
}

func (v *validator) oneOf(key, s string, all ...string) {
	if !slices.Contains(all, s) {
		v.wrong(key, "%.80q: want one of %s", s, strings.Join(all, ", "))
	}
}

// address wants HOST:PORT, with a port from 0, for any that is free.
func (v *validator) address(key, s string, optional bool) {
	if s == "" && optional {
		return
	}
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		v.wrong(key, "%.80q: want HOST:PORT, such as 127.0.0.1:8080", s)
	}
}

// name wants what can stand in a request, apart from the colon that is between a
// model's name and an adapter's.
func (v *validator) name(key, s string) bool {
	good := s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/@", r))
	})
	if !good {
		v.wrong(key, "%.80q: 1 to %d letters, digits and . _ - / @", s, maxName)
	}
	return good
}

// oneSource wants either a path or a source.
func (v *validator) oneSource(key, path, source string) {
	switch {
	case path == "" && source == "":
		v.wrong(key, "path or source is wanted")
	case path != "" && source != "":
		v.wrong(key, "path and source: one of them")
	case strings.ContainsAny(source, " \t\r\n"):
		v.wrong(key+".source", "%.80q: white space", source)
	}
}

func (v *validator) models(c *Config) {
	if len(c.Models) > maxModels {
		v.wrong("models", "%d: at most %d", len(c.Models), maxModels)
		return
	}
	names := map[string]bool{}
	for i, m := range c.Models {
		key := fmt.Sprintf("models[%d]", i)
		if v.name(key+".name", m.Name) {
			key = "models." + m.Name
		}
		if names[m.Name] {
			v.wrong(key+".name", "another model has it")
		}
		names[m.Name] = true
		v.oneSource(key, m.Path, m.Source)
		v.count(key+".context", m.Context, 0, maxContext)
		if m.CacheType != "" {
			v.oneOf(key+".kv-type", m.CacheType, "f16", "f32")
		}
		v.adapters(key, m)
	}
	for _, m := range c.Models {
		switch {
		case m.Draft == "":
		case m.Draft == m.Name:
			v.wrong("models."+m.Name+".draft", "a model does not draft for itself")
		case !names[m.Draft]:
			v.wrong("models."+m.Name+".draft", "no model is called %.80q", m.Draft)
		}
	}
	if len(c.Models) > 0 && c.DefaultModel != "" && !names[c.DefaultModel] {
		v.wrong("default-model", "no model is called %.80q", c.DefaultModel)
	}
}

func (v *validator) adapters(key string, m Model) {
	if len(m.Adapters) > maxAdapters {
		v.wrong(key+".adapters", "%d: at most %d", len(m.Adapters), maxAdapters)
		return
	}
	names := map[string]bool{}
	for i, a := range m.Adapters {
		at := fmt.Sprintf("%s.adapters[%d]", key, i)
		if v.name(at+".name", a.Name) {
			at = key + ".adapters." + a.Name
		}
		if names[a.Name] {
			v.wrong(at+".name", "another adapter of the model has it")
		}
		names[a.Name] = true
		if v.oneSource(at, a.Path, a.Source); a.Source != "" && !strings.HasPrefix(a.Source, "builtin:") {
			v.wrong(at+".source", "%.80q: adapters have a path, or are builtin:NAME", a.Source)
		}
	}
	if m.DefaultAdapter != "" && !names[m.DefaultAdapter] {
		v.wrong(key+".default-adapter", "no adapter of the model is called %.80q", m.DefaultAdapter)
	}
}

func (v *validator) tenants(t Tenants) {
	g := t.Guest
	for _, f := range []struct {
		key         string
		value, most int64
	}{
		{"requests-per-minute", int64(t.RequestsPerMinute), math.MaxInt32},
		{"tokens-per-minute", int64(t.TokensPerMinute), math.MaxInt32},
		{"sequences", int64(t.Sequences), math.MaxInt32},
		{"queue", int64(t.Queue), math.MaxInt32},
		{"pages", int64(t.Pages), math.MaxInt32},
		{"guest.fuel", g.Fuel, math.MaxInt64},
		{"guest.handles", int64(g.Handles), math.MaxInt32},
		{"guest.tickets", int64(g.Tickets), math.MaxInt32},
		{"guest.rows", int64(g.Rows), 1024},
		{"guest.pages", int64(g.Pages), math.MaxInt32},
		{"guest.tokens", g.Tokens, math.MaxInt64},
		{"guest.calls-per-second", int64(g.CallsPerSecond), math.MaxInt32},
	} {
		if f.value < 0 || f.value > f.most {
			v.wrong("tenants."+f.key, "%d: from 0 to %d", f.value, f.most)
		}
	}
	v.size("tenants.guest.memory", g.Memory, 0, 4<<30-1<<16)
	v.size("tenants.guest.emit", g.Emit, 0, math.MaxInt64)
	v.size("tenants.guest.buffers", g.Buffers, 0, math.MaxInt64)
	v.time("tenants.guest.wall-time", g.WallTime, 0)
}
