package ws

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	embedded "github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/web/internal/webtest"
	"github.com/realm-webgpu/realm/web/service"
	"github.com/realm-webgpu/realm/web/tenant"
)

// rig is a server of atlas on the CPU, on a socket.
type rig struct {
	service *service.Service
	server  *Server
	url     string // of the WebSocket
	log     *webtest.Log
}

// atlas is the model that is built in, with its adapters.
func atlas(t testing.TB) service.ModelSpec {
	t.Helper()
	spec := service.ModelSpec{
		Name: "atlas", Open: webtest.Atlas, Load: engine.LoadOptions{CacheTokens: 8192},
	}
	for name, data := range embedded.Adapters() {
		file, err := gguf.Read(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		read, err := lora.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		spec.Adapters = append(spec.Adapters, service.AdapterSpec{Name: name, Source: hostfn.AdapterSource{Read: read, Scale: 1}})
	}
	return spec
}

// newRig makes one; the functions, which may be nil, change what it is made of.
func newRig(t testing.TB, changeService func(*service.Options), change func(*Options)) *rig {
	t.Helper()
	r := &rig{service: webtest.Service(t, atlas(t), changeService), log: &webtest.Log{}}
	o := Options{Service: r.service, Version: "test", Log: r.log.Logger()}
	if change != nil {
		change(&o)
	}
	r.server = New(o)
	r.url = "ws" + strings.TrimPrefix(webtest.Serve(t, r.server).URL, "http")
	t.Cleanup(r.server.Drain) // before the listener's end, which waits for nobody
	return r
}

// slowly has guests make so few calls in a second that an answer of some hundred tokens
// takes a minute: it does not end by itself while a test looks at it.
func slowly(o *service.Options) { o.Limits.Guest.CallsPerSecond = 20 }

// keyed makes a service with a database and a tenant for each name, and returns their
// keys.
func keyed(t testing.TB, names ...string) (change func(*service.Options), keys map[string]string) {
	t.Helper()
	store, err := tenant.Open(t.Context(), t.TempDir()+"/realm.db", tenant.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	keys = map[string]string{}
	for _, name := range names {
		if _, err := store.Create(t.Context(), name, tenant.NewSettings()); err != nil {
			t.Fatal(err)
		}
		if keys[name], _, err = store.CreateKey(t.Context(), name, "test", time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	return func(o *service.Options) { o.Tenants = store }, keys
}

// client is a client of a rig.
type client struct {
	*testing.T
	*websocket.Conn
}

// message is any message of the server's.
type message struct {
	Type     string           `json:"type"`
	Protocol int              `json:"protocol"`
	Version  string           `json:"version"`
	TenantID string           `json:"tenant_id"`
	Models   []map[string]any `json:"models"`

	ID     string          `json:"id"`
	Status string          `json:"status"`
	Data   json.RawMessage `json:"data"`
	Error  any             `json:"error"`
}

// answer is the data of an answer's messages.
type answer struct {
	Text      string           `json:"text"`
	Index     int              `json:"index"`
	Tokens    []int32          `json:"tokens"`
	Logprobs  map[string]any   `json:"logprobs"`
	ToolCalls []map[string]any `json:"tool_calls"`
	Finish    string           `json:"finish_reason"`
	Model     string           `json:"model"`
	Adapter   string           `json:"adapter"`
	Choices   []answer         `json:"choices"`
	Usage     map[string]int   `json:"usage"`
	Timings   map[string]any   `json:"timings"`
}

// dial opens a connection, and does not say hello.
func (r *rig) dial(t *testing.T, headers ...string) client {
	t.Helper()
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	socket, resp, err := websocket.DefaultDialer.DialContext(t.Context(), r.url, h)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	t.Cleanup(func() { _ = socket.Close() })
	if err := socket.SetReadDeadline(time.Now().Add(90 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return client{t, socket}
}

// connect opens a connection to a server without keys.
func (r *rig) connect(t *testing.T) client {
	t.Helper()
	c := r.dial(t)
	if m := c.next(); m.Type != "connected" || m.Protocol != 1 || m.Version != "test" || len(m.Models) == 0 {
		t.Fatalf("hello: %+v", m)
	}
	return c
}

// next reads a message.
func (c client) next() message {
	c.Helper()
	var m message
	if err := c.ReadJSON(&m); err != nil {
		c.Fatal(err)
	}
	return m
}

// say sends a frame as it is.
func (c client) say(text string) {
	c.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		c.Fatal(err)
	}
}

// call sends a call.
func (c client) call(id, function, params string) {
	c.Helper()
	c.say(`{"id":"` + id + `","function":"` + function + `","params":` + params + `}`)
}

// data reads the data of a message.
func (c client) data(m message) answer {
	c.Helper()
	var a answer
	if m.Data != nil {
		if err := json.Unmarshal(m.Data, &a); err != nil {
			c.Fatal(err)
		}
	}
	return a
}

// end reads until the end of a call that is the only one, and returns its parts, put
// together, and its last message.
func (c client) end(id string) (parts []answer, last message) {
	c.Helper()
	for {
		m := c.next()
		if m.ID != id {
			c.Fatalf("a reply of %q, want %q: %+v", m.ID, id, m)
		}
		if m.Status != "streaming" {
			return parts, m
		}
		parts = append(parts, c.data(m))
	}
}

// wantError fails unless a message is an error of a code that says something.
func (c client) wantError(m message, id, code, says string) {
	c.Helper()
	e, _ := m.Error.(map[string]any)
	text, _ := e["message"].(string)
	if m.ID != id || m.Status != "error" || e["code"] != code || !strings.Contains(text, says) {
		c.Errorf("%+v %s, want the error %s of %q that says %q", m, m.Data, code, id, says)
	}
}

// wantClose fails unless the connection ends with a code.
func (c client) wantClose(code int, reason string) {
	c.Helper()
	_, data, err := c.ReadMessage()
	e, ok := err.(*websocket.CloseError) //nolint:errorlint // ReadMessage returns it as it is
	if !ok || e.Code != code || !strings.Contains(e.Text, reason) {
		c.Errorf("%s %v, want the code %d and %q", data, err, code, reason)
	}
}

// question is the parameters of a chat.
func question(text, members string) string {
	return `{"temperature":0,"messages":[{"role":"user","content":"` + text + `"}]` + members + `}`
}

const (
	france = "What is the capital of France?"
	paris  = "The capital of France is Paris."
)

// text is that of the parts of a choice.
func text(parts []answer, index int) string {
	var b strings.Builder
	for _, p := range parts {
		if p.Index == index {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}
