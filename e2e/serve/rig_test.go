package serve

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/realm-webgpu/realm/e2e/realm"
)

func TestMain(m *testing.M) { os.Exit(realm.Main(m)) }

const france = `{"temperature":0,"messages":[{"role":"user","content":"What is the capital of France?"}]}`

// ask sends a request with a key, "" for none; a body makes it a POST.
func ask(t *testing.T, url, key, body string) (int, string) {
	t.Helper()
	resp := open(t, url, key, body)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// open is ask for an answer that is read in parts.
func open(t *testing.T, url, key, body string) *http.Response {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	q, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	if key != "" {
		q.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// as puts a model's name into a request.
func as(model, body string) string { return strings.Replace(body, "{", `{"model":"`+model+`",`, 1) }

// socket opens a WebSocket, and gives its key where one is wanted.
func socket(t *testing.T, s *realm.Server, key string) *websocket.Conn {
	t.Helper()
	c, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(realm.Patience)); err != nil {
		t.Fatal(err)
	}
	if key != "" {
		say(t, c, `{"type":"auth","api_key":"`+key+`"}`)
	}
	for {
		if m := hear(t, c); m.Type == "connected" {
			return c
		} else if m.Type == "auth_failed" {
			t.Fatalf("%+v", m)
		}
	}
}

func say(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// message is any message of the server's.
type message struct {
	Type   string          `json:"type"`
	ID     string          `json:"id"`
	Status string          `json:"status"`
	Data   json.RawMessage `json:"data"`
	Error  struct{ Code, Message string }
}

func hear(t *testing.T, c *websocket.Conn) message {
	t.Helper()
	var raw struct {
		message
		Error json.RawMessage `json:"error"` // a string in the hello
	}
	if err := c.ReadJSON(&raw); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal(raw.Error, &raw.message.Error)
	return raw.message
}

// last reads the messages of a call to its end.
func last(t *testing.T, c *websocket.Conn, id string) message {
	t.Helper()
	for {
		if m := hear(t, c); m.ID == id && m.Status != "streaming" {
			return m
		}
	}
}
