package config

import (
	"path/filepath"
	"time"

	"github.com/realm-webgpu/realm/web/tenant"
)

// Config is all that can be configured. What has the tag live may change while a server
// runs; a change of anything else is seen when it starts again. See Diff.
type Config struct {
	// Path is the file it was read from, "" if from none.
	Path string `toml:"-"`

	// Listen is the address of the API. Beyond loopback it wants keys, or AllowOpen.
	Listen string `toml:"listen"`
	// AdminListen is the address of the routes for operators, "" for none: pprof,
	// metrics, adapters.
	AdminListen string `toml:"admin-listen"`
	// AllowOpen lets everyone in who reaches Listen, without keys, wherever that is.
	AllowOpen bool `toml:"allow-open"`
	// Database is the file of tenants, keys and usage. "": none, and so no keys.
	Database string `toml:"database"`
	// ModelRoot is the folder of downloaded models.
	ModelRoot string `toml:"model-root"`
	// AdapterRoot is the folder that adapters are loaded from at run time, "" for none.
	AdapterRoot string `toml:"adapter-root"`
	// GuestRoot is the folder whose modules, FILE.wasm, are guests called FILE. "": none.
	GuestRoot string `toml:"guest-root"`
	// Guest is the guest of requests that name none and whose tenant has none. "": the
	// one that is built in.
	Guest string `toml:"guest" live:"true"`
	// Device is as realm's --device has it.
	Device string `toml:"device"`
	// Threads are those of the CPU device. 0: as many as there are cores.
	Threads int `toml:"threads"`
	// DefaultModel is the name of that of requests that name none. "": the first one.
	DefaultModel string `toml:"default-model" live:"true"`
	// Hosts are the names, beside localhost and addresses, that requests may be for
	// while Listen is on loopback and there are no keys: a page of another name may have
	// had that name lead here (DNS rebinding).
	Hosts []string `toml:"hosts" live:"true"`

	// Models are those that are served; none: the ones that are built in.
	Models    []Model   `toml:"models" live:"true"`
	Memory    Memory    `toml:"memory"`
	Queue     Queue     `toml:"queue"`
	Requests  Requests  `toml:"requests" live:"true"`
	Timeouts  Timeouts  `toml:"timeouts"`
	WebSocket WebSocket `toml:"websocket"`
	Tenants   Tenants   `toml:"tenants" live:"true"`
	Log       Log       `toml:"log"`
	Tracing   Tracing   `toml:"tracing"`
}

// Model is one that is served.
type Model struct {
	// Name is what requests call it.
	Name string `toml:"name"`
	// Path is its GGUF file, and Source a reference of the model store, such as
	// hf.co/ORG/REPO:QUANT, or builtin:NAME. One of them is given.
	Path   string `toml:"path"`
	Source string `toml:"source"`
	// Context is in tokens, prompt and answer together. 0: what it was trained for.
	Context int `toml:"context"`
	// CacheType is how keys and values are kept: f16, or f32 with twice the memory.
	CacheType string `toml:"kv-type"`
	// Template is a chat template: the name of one that is built in, @FILE, or its
	// text. "": the model's own.
	Template string `toml:"template"`
	// Draft is the name of the model that drafts for it. "": none.
	Draft string `toml:"draft"`
	// Preload has it loaded before the server is ready, and not when it is first asked
	// for.
	Preload bool `toml:"preload"`
	// DefaultAdapter is the name of that of requests that name none, of tenants that
	// have none. "": none.
	DefaultAdapter string    `toml:"default-adapter"`
	Adapters       []Adapter `toml:"adapters"`
}

// Adapter is a low-rank adapter of a model.
type Adapter struct {
	Name string `toml:"name"`
	// Path is a GGUF or safetensors file or folder, and Source is builtin:NAME. One of
	// them is given.
	Path   string `toml:"path"`
	Source string `toml:"source"`
}

// Memory bounds what is taken on the device, in bytes. 0: no bound.
type Memory struct {
	Total    Size `toml:"total"`
	KV       Size `toml:"kv"`       // keys and values, of all models
	Adapters Size `toml:"adapters"` // of all models
}

// Queue bounds what waits for the device.
type Queue struct {
	Limit int `toml:"limit"` // runs, of all tenants together
}

// Requests bounds what a request may ask for.
type Requests struct {
	Body          Size `toml:"body"`
	Headers       Size `toml:"headers" live:"false"`
	N             int  `toml:"n"`              // answers
	BestOf        int  `toml:"best-of"`        // answers to choose from
	Logprobs      int  `toml:"logprobs"`       // candidates told of a token
	Stops         int  `toml:"stops"`          // stop texts
	StopBytes     Size `toml:"stop-bytes"`     // of each
	Grammar       Size `toml:"grammar"`        // a schema, an expression or a grammar
	Messages      int  `toml:"messages"`       // of a conversation
	Tools         int  `toml:"tools"`          // that may be called
	LogitBiases   int  `toml:"logit-biases"`   // tokens
	Inputs        int  `toml:"inputs"`         // texts to embed; of completions, texts to write of all prompts
	MaxTokens     int  `toml:"max-tokens"`     // to write; 0: what the context has room for
	DefaultTokens int  `toml:"default-tokens"` // written when a request does not say; 0: what the context has room for
}

// Timeouts bounds how long things may take.
type Timeouts struct {
	ReadHeader Duration `toml:"read-header"`
	Read       Duration `toml:"read"`                // a whole request
	Write      Duration `toml:"write"`               // one write: a reader that is slower is dropped
	Idle       Duration `toml:"idle"`                // a connection between requests
	Queue      Duration `toml:"queue" live:"true"`   // waiting for the device
	Request    Duration `toml:"request" live:"true"` // from its end to that of the answer
	Drain      Duration `toml:"drain" live:"true"`   // for what runs when the server is told to end
}

// WebSocket bounds the connections of /ws.
type WebSocket struct {
	// Origins are those of pages that may connect, such as https://example.com; * in
	// one stands for any letters. Pages of the server itself always may.
	Origins     []string `toml:"origins" live:"true"`
	Connections int      `toml:"connections"` // at a time
	MaxFrame    Size     `toml:"max-frame"`
	Calls       int      `toml:"calls"`  // in flight, of a connection
	Buffer      Size     `toml:"buffer"` // not yet sent, of a connection: a reader that is slower is dropped
	Hello       Duration `toml:"hello"`  // until a client has said who it is
	Ping        Duration `toml:"ping"`   // between pings; one that is not answered by the next ends the connection
}

// Tenants are the limits of tenants that have none of their own. 0: no limit.
type Tenants struct {
	RequestsPerMinute int    `toml:"requests-per-minute"`
	TokensPerMinute   int    `toml:"tokens-per-minute"`
	Sequences         int    `toml:"sequences"`
	Queue             int    `toml:"queue"`
	Pages             int    `toml:"pages"`
	Guest             Guests `toml:"guest"`
}

// Guests bounds one instance of a guest. 0: the default of the guests' host.
type Guests struct {
	Memory         Size     `toml:"memory"`
	Fuel           int64    `toml:"fuel"`
	WallTime       Duration `toml:"wall-time"`
	Handles        int      `toml:"handles"`
	Tickets        int      `toml:"tickets"`
	Rows           int      `toml:"rows"`
	Pages          int      `toml:"pages"`
	Tokens         int64    `toml:"tokens"`
	Emit           Size     `toml:"emit"`
	CallsPerSecond int      `toml:"calls-per-second"`
	Buffers        Size     `toml:"buffers"`
}

// Log says what is logged, on standard error.
type Log struct {
	Level  string `toml:"level" live:"true"` // debug, info, warn or error
	Format string `toml:"format"`            // text or json
	// Guests has what guests log, and why their calls failed, in the log too. It may
	// have text of prompts and answers, which is nowhere else in it.
	Guests bool `toml:"guests"`
}

// Tracing says where spans go.
type Tracing struct {
	// Endpoint is the URL of an OTLP collector over HTTP, such as
	// http://localhost:4318. "": no tracing.
	Endpoint string `toml:"endpoint"`
	// Sample is the share of requests that are traced, from 0 to 1.
	Sample float64 `toml:"sample"`
	// Parents lets a request's own traceparent be the parent of its span, and decide
	// whether it is traced: for a server behind a gateway of one's own.
	Parents bool `toml:"parents"`
	// Service is the name that spans go by.
	Service string `toml:"service"`
}

// Limits returns the tenants' limits as package tenant takes them.
func (t Tenants) Limits() tenant.Limits {
	g := t.Guest
	return tenant.Limits{
		RequestsPerMinute: t.RequestsPerMinute, TokensPerMinute: t.TokensPerMinute,
		Sequences: t.Sequences, Queue: t.Queue, Pages: t.Pages,
		Guest: tenant.GuestLimits{
			Memory: int64(g.Memory), Fuel: g.Fuel, WallTime: time.Duration(g.WallTime),
			Handles: g.Handles, Tickets: g.Tickets, Rows: g.Rows, Pages: g.Pages, Tokens: g.Tokens,
			EmitBytes: int64(g.Emit), CallsPerSecond: g.CallsPerSecond, BufferBytes: int64(g.Buffers),
		},
	}
}

// Default returns the configuration of a server that has none: the models that are
// built in, on loopback, and no limits but those of memory and time.
func Default() *Config {
	c := &Config{
		Listen: "127.0.0.1:8080",
		Device: "auto",
		Queue:  Queue{Limit: 1024},
		Requests: Requests{
			Body: 4 << 20, Headers: 64 << 10, N: 16, BestOf: 16, Logprobs: 20, Stops: 16, StopBytes: 256,
			Grammar: 256 << 10, Messages: 2048, Tools: 128, LogitBiases: 1024, Inputs: 2048,
		},
		Timeouts: Timeouts{
			ReadHeader: Duration(10 * time.Second), Read: Duration(time.Minute), Write: Duration(30 * time.Second),
			Idle: Duration(2 * time.Minute), Queue: Duration(2 * time.Minute), Request: Duration(10 * time.Minute),
			Drain: Duration(30 * time.Second),
		},
		WebSocket: WebSocket{
			Connections: 1024, MaxFrame: 1 << 20, Calls: 16, Buffer: 1 << 20,
			Hello: Duration(10 * time.Second), Ping: Duration(20 * time.Second),
		},
		Tenants: Tenants{Queue: 256},
		Log:     Log{Level: "info", Format: "text"},
		Tracing: Tracing{Sample: 1, Service: "realm"},
	}
	c.Database, c.ModelRoot = filepath.Join(DataDir(), "realm.db"), filepath.Join(DataDir(), "models")
	return c
}
