package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/adrg/xdg"

	"github.com/realm-webgpu/realm/web/tenant"
)

const example = "../../docs/realm.example.toml"

// TestExample holds the example to the defaults, and to naming every key.
func TestExample(t *testing.T) {
	c, err := Load(example)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Path = c.Path
	want.WebSocket.Origins, want.Hosts = c.WebSocket.Origins, c.Hosts // empty, and not nil
	if len(c.WebSocket.Origins) > 0 || len(c.Hosts) > 0 || !reflect.DeepEqual(c, want) {
		t.Errorf("the example is\n%+v\nthe defaults are\n%+v", c, want)
	}
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	// What is commented out is an example, and valid too: all but prose.
	uncommented := regexp.MustCompile(`(?m)^# ( *[\[a-z-]+(\[|\]| =).*)$`).ReplaceAllString(string(text), "$1")
	models := regexp.MustCompile(`(?s)\n\[\[models\]\].*?\n\n`).FindString(uncommented)
	rest := strings.Replace(uncommented, models, "\n", 1)
	full, err := Parse([]byte(rest+models), "/etc/realm")
	if err != nil {
		t.Fatalf("%v in\n%s", err, rest+models)
	}
	if len(full.Models) != 3 || full.Models[2].Path != "/etc/realm/llama-3.2-1b-q4_k_m.gguf" || len(full.Models[0].Adapters) != 1 || full.Database != "/var/lib/realm/realm.db" {
		t.Errorf("%+v", full)
	}
	for _, key := range keys(reflect.TypeFor[Config]()) {
		if !regexp.MustCompile(`(?m)^[# ]*` + key + ` = `).Match(text) {
			t.Errorf("the example does not name %s", key)
		}
	}
	// What is live is said to be so, and nothing else is.
	if live, want := strings.Count(string(text), "(live)"), 13; live != want {
		t.Errorf("(live) stands in it %d times, want %d: with the legend, one for each tag of Config", live, want)
	}
}

// keys returns the last parts of all keys that are values.
func keys(t reflect.Type) []string {
	var all []string
	for i := range t.NumField() {
		f := t.Field(i)
		typ := f.Type
		if typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		switch key := f.Tag.Get("toml"); {
		case key == "-":
		case typ.Kind() == reflect.Struct:
			all = append(all, keys(typ)...)
		default:
			all = append(all, key)
		}
	}
	return all
}

func TestDefault(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	if Exposed(Default().Listen) {
		t.Error("it is reached from other machines")
	}
	c, err := Parse(nil, "/")
	if err != nil || !reflect.DeepEqual(c, Default()) {
		t.Errorf("an empty file: %+v, %v", c, err)
	}
}

func TestParse(t *testing.T) {
	c, err := Parse([]byte(`
listen = "0.0.0.0:80"
database = "tenants.db"
guest-root = "/guests"
[memory]
total = "2GiB"
kv = 1073741824
[timeouts]
drain = "1m30s"
[tenants]
tokens-per-minute = 5000
queue = 0
sequences = 2
pages = 3
requests-per-minute = 4
[tenants.guest]
wall-time = "20s"
memory = "8MB"
fuel = 5
handles = 6
tickets = 7
rows = 8
pages = 9
tokens = 10
emit = 11
calls-per-second = 12
buffers = 13
[[models]]
name = "org/m"
path = "m.gguf"
template = "@chat.jinja"
default-adapter = "a"
adapters = [{ name = "a", path = "a.gguf" }, { name = "b", source = "builtin:b" }]
`), "/srv")
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "0.0.0.0:80" || c.Database != "/srv/tenants.db" || c.GuestRoot != "/guests" || c.Memory.Total != 2<<30 || c.Memory.KV != 1<<30 ||
		time.Duration(c.Timeouts.Drain) != 90*time.Second || c.Timeouts.Read != Default().Timeouts.Read {
		t.Errorf("%+v", c)
	}
	if l, want := c.Tenants.Limits(), (tenant.Limits{
		TokensPerMinute: 5000, Sequences: 2, Pages: 3, RequestsPerMinute: 4, Guest: tenant.GuestLimits{
			WallTime: 20 * time.Second, Memory: 8e6, Fuel: 5, Handles: 6, Tickets: 7, Rows: 8, Pages: 9, Tokens: 10,
			EmitBytes: 11, CallsPerSecond: 12, BufferBytes: 13,
		},
	}); l != want {
		t.Errorf("%+v, want %+v", l, want)
	}
	if m := c.Models[0]; m.Path != "/srv/m.gguf" || m.Template != "@/srv/chat.jinja" || m.Adapters[0].Path != "/srv/a.gguf" || m.Adapters[1].Source != "builtin:b" {
		t.Errorf("%+v", m)
	}
}

// TestErrors holds each error to naming its key, and where it is or what its limit is.
func TestErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"lisen = 1", "line 1, column 1: unknown key lisen"},
		{"\n[requests]\nn = 1\n  m = 2", "line 4, column 3: unknown key requests.m"},
		{"[[models]]\nname = 'a'\npth = 'x'", "unknown key models.pth"},
		{"[nothing]\na = 1", "unknown key nothing"},
		{"listen = ", "line 1, column"},
		{"listen = 'a\n", "line 1, column"},
		{"listen = 8080", "listen"},
		{"[requests]\nn = 'many'", "line 2, column 5: requests.n"},
		{"[requests]\nn = 99999999999999999999", "requests.n"},
		{"[requests]\nn = 1\nn = 2", "line 3"},
		{"listen = 'x'\n[requests]\n[requests]", "line 3"},
		{"listen = '8080'", `listen: "8080": want HOST:PORT`},
		{"listen = ''", "listen"},
		{"listen = 'localhost:99999'", "listen"},
		{"admin-listen = '127.0.0.1:8080'", "admin-listen: 127.0.0.1:8080 is what listen is"},
		{"[requests]\nn = 0", "requests.n: 0: from 1 to 128"},
		{"[requests]\nbody = '10TB'", "requests.body: 10000000000000 bytes: from 1.0 KiB to 1.0 GiB"},
		{"[requests]\nbody = -5", "requests.body"},
		{"[requests]\nbody = 'large'", `line 2, column 8: requests.body: "large" is no size`},
		{"[requests]\nmax-tokens = 5\ndefault-tokens = 6", "requests.default-tokens: 6 is more than requests.max-tokens, 5"},
		{"[timeouts]\nread = '0s'", "timeouts.read: 0s: from 100ms to 720h0m0s"},
		{"[timeouts]\nread = 5", "timeouts.read"},
		{"[timeouts]\nread = 'soon'", `timeouts.read: "soon" is no time`},
		{"[memory]\ntotal = '1GiB'\nkv = '2GiB'", "memory.kv: 2.0 GiB is more than memory.total, 1.0 GiB"},
		{"model-root = ''", "model-root"},
		{"hosts = ['https://a.example']", `hosts: "https://a.example"`},
		{"hosts = ['a.example:80']", `hosts: "a.example:80"`},
		{"[websocket]\norigins = ['example.com']", `websocket.origins: "example.com"`},
		{"[websocket]\norigins = ['https://example.com/page']", `websocket.origins`},
		{"[tenants]\nqueue = -1", "tenants.queue: -1: from 0"},
		{"[tenants.guest]\nmemory = '5GiB'", "tenants.guest.memory"},
		{"[log]\nlevel = 'loud'", `log.level: "loud": want one of debug, info, warn, error`},
		{"[tracing]\nendpoint = 'localhost:4318'", "tracing.endpoint"},
		{"[tracing]\nsample = nan", "tracing.sample"},
		{"[[models]]\npath = 'x'", `models[0].name: ""`},
		{"[[models]]\nname = 'a:b'\npath = 'x'", `models[0].name: "a:b"`},
		{"[[models]]\nname = 'a'", "models.a: path or source is wanted"},
		{"[[models]]\nname = 'a'\npath = 'x'\nsource = 'y'", "models.a: path and source: one of them"},
		{"[[models]]\nname = 'a'\npath = 'x'\n[[models]]\nname = 'a'\npath = 'y'", "models.a.name: another model has it"},
		{"[[models]]\nname = 'a'\npath = 'x'\ndraft = 'b'", `models.a.draft: no model is called "b"`},
		{"[[models]]\nname = 'a'\npath = 'x'\ndraft = 'a'", "models.a.draft"},
		{"[[models]]\nname = 'a'\npath = 'x'\nkv-type = 'q4'", "models.a.kv-type"},
		{"[[models]]\nname = 'a'\npath = 'x'\ndefault-adapter = 'b'", `models.a.default-adapter: no adapter of the model is called "b"`},
		{"[[models]]\nname = 'a'\npath = 'x'\nadapters = [{ name = 'p' }]", "models.a.adapters.p: path or source is wanted"},
		{"[[models]]\nname = 'a'\npath = 'x'\nadapters = [{ name = 'p', source = 'hf.co/o/r' }]", `models.a.adapters.p.source: "hf.co/o/r"`},
		{"default-model = 'b'\n[[models]]\nname = 'a'\npath = 'x'", `default-model: no model is called "b"`},
	} {
		_, err := Parse([]byte(c.text), "/")
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
	// All that is wrong is told at once.
	_, err := Parse([]byte("[requests]\nn = 0\nstops = -1\n[log]\nformat = 'xml'"), "/")
	for _, key := range []string{"requests.n", "requests.stops", "log.format"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%v: want %s too", err, key)
		}
	}
}

// TestLoad looks for the file where the user has it.
func TestLoad(t *testing.T) {
	home := t.TempDir()
	t.Cleanup(xdg.Reload) // behind the environment's being as it was
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "config"))
	t.Setenv("XDG_DATA_HOME", filepath.Join(home, "data"))
	xdg.Reload()
	path := DefaultPath()
	if want := filepath.Join(home, "config", "realm", "realm.toml"); path != want {
		t.Errorf("the file is %s, want %s", path, want)
	}
	if d := Default(); d.Database != filepath.Join(home, "data", "realm", "realm.db") || d.ModelRoot != filepath.Join(home, "data", "realm", "models") {
		t.Errorf("%s, %s", d.Database, d.ModelRoot)
	}
	c, err := Load("")
	if err != nil || c.Path != "" || !reflect.DeepEqual(c, Default()) {
		t.Errorf("without a file: %+v, %v", c, err)
	}
	if _, err := Load(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is named and absent: %v", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("adapter-root = 'adapters'\n")
	if c, err := Load(""); err != nil || c.Path != path || c.AdapterRoot != filepath.Join(filepath.Dir(path), "adapters") {
		t.Errorf("%+v, %v", c, err)
	}
	write("nothing = 1\n")
	if _, err := Load(""); err == nil || !strings.HasPrefix(err.Error(), "config: "+path+": line 1, column 1: ") {
		t.Errorf("%v", err)
	}
	write(strings.Repeat("#\n", maxFile))
	if _, err := Load(""); !errors.Is(err, ErrInvalid) {
		t.Errorf("a file too large: %v", err)
	}
}

func TestDiff(t *testing.T) {
	a, b := Default(), Default()
	if d := a.Diff(b); len(d) != 0 {
		t.Errorf("the same: %v", d)
	}
	b.Path = "elsewhere"
	b.Listen = "127.0.0.1:1"
	b.Models = []Model{{Name: "a", Path: "x"}}
	b.Requests.N, b.Requests.Headers = 3, 1<<20
	b.Timeouts.Read, b.Timeouts.Drain = 5, 6
	b.WebSocket.Origins = []string{"*"}
	b.Tenants.Guest.Fuel = 9
	b.Log.Level, b.Log.Format = "debug", "json"
	want := []Change{
		{"listen", false}, {"models", true}, {"requests.headers", false}, {"requests.n", true}, {"timeouts.read", false}, {"timeouts.drain", true},
		{"websocket.origins", true}, {"tenants.guest.fuel", true}, {"log.level", true}, {"log.format", false},
	}
	if d := a.Diff(b); !slices.Equal(d, want) {
		t.Errorf("%v, want %v", d, want)
	}
	// What was taken over differs no more, and of what is live nothing else does.
	c := a.Adopt(b)
	var left []string
	for _, d := range c.Diff(b) {
		left = append(left, d.Key)
	}
	if want := []string{"listen", "requests.headers", "timeouts.read", "log.format"}; !slices.Equal(left, want) || c.Path != a.Path {
		t.Errorf("%v is not taken over, want %v", left, want)
	}
	if d := a.Diff(Default()); len(d) != 0 {
		t.Errorf("the one before has changed: %v", d)
	}
}

func TestExposed(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:80": false, "127.9.9.9:80": false, "[::1]:80": false, "localhost:80": false, "LocalHost:80": false, "[::ffff:127.0.0.1]:80": false,
		":80": true, "0.0.0.0:80": true, "[::]:80": true, "10.0.0.1:80": true, "example.com:80": true, "localhost.example.com:80": true, "nonsense": true,
	} {
		if got := Exposed(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

// FuzzParse reads any bytes: it ends with a configuration that is valid, or an error
// that is an ErrInvalid.
func FuzzParse(f *testing.F) {
	text, err := os.ReadFile(example)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("[[models]]\nname = 'a'\npath = 'x'\nadapters = [{ name = 'p', path = '../p' }]"))
	f.Add([]byte("[requests]\nbody = 1e9"))
	f.Add([]byte("timeouts.read = 'x'\nmemory.kv = '1QiB'"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, "/srv")
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%v", err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("parsed, and not valid: %v", err)
		}
		for _, m := range c.Models {
			if m.Path != "" && !filepath.IsAbs(m.Path) {
				t.Errorf("%q is relative", m.Path)
			}
		}
	})
}
