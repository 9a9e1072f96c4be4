package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gorilla/websocket"
)

// socket is a WebSocket of a client that makes one call at a time.
type socket struct {
	conn  *websocket.Conn
	leave func() bool // the context's end is of no concern any more
}

// message is any message of the server's.
type message struct {
	Type   string          `json:"type"`
	ID     string          `json:"id"`
	Status string          `json:"status"`
	Data   json.RawMessage `json:"data"`
	Error  json.RawMessage `json:"error"` // a string in the hello, an object afterwards
}

// connect opens a WebSocket and says who it is. It ends with ctx.
func (c *Client) connect(ctx context.Context) (*socket, error) {
	conn, resp, err := websocket.DefaultDialer.DialContext(ctx, "ws"+strings.TrimPrefix(c.Base, "http")+"/ws", nil)
	if err != nil {
		return nil, fmt.Errorf("websocket: connect: %w", err)
	}
	_ = resp.Body.Close() // the connection is the socket's
	s := &socket{conn, context.AfterFunc(ctx, func() { _ = conn.Close() })}
	for {
		var m message
		if err := conn.ReadJSON(&m); err != nil {
			return nil, fmt.Errorf("websocket: hello: %w", err)
		}
		switch m.Type {
		case "auth_required":
			if err := conn.WriteJSON(params{"type": "auth", "api_key": c.Key}); err != nil {
				return nil, fmt.Errorf("websocket: hello: %w", err)
			}
		case "auth_failed":
			return nil, &Refusal{Code: "UNAUTHORIZED", Message: string(m.Error)}
		case "connected":
			return s, nil
		}
	}
}

// ending is the data of the reply that ends a call.
type ending struct {
	Text    string `json:"text"`
	Adapter string `json:"adapter"`
	Finish  string `json:"finish_reason"`
	Usage   struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Cached     int `json:"cached_tokens"`
	}
	Timings struct {
		Accepted int `json:"draft_accepted"`
		Proposed int `json:"draft_proposed"`
	}
}

// call calls a function and reads its replies to the end, and returns what came in parts,
// and the end.
func (s *socket) call(function string, p params) (parts []string, end ending, err error) {
	const id = "1"
	if err := s.conn.WriteJSON(params{"id": id, "function": function, "params": p}); err != nil {
		return nil, end, fmt.Errorf("websocket: %s: %w", function, err)
	}
	for {
		var m message
		if err := s.conn.ReadJSON(&m); err != nil {
			return parts, end, fmt.Errorf("websocket: %s: %w", function, err)
		}
		switch {
		case m.ID != id:
		case m.Status == "streaming":
			var part struct{ Text string }
			if err := json.Unmarshal(m.Data, &part); err != nil {
				return parts, end, fmt.Errorf("websocket: %s: part: %w", function, err)
			}
			parts = append(parts, part.Text)
		case m.Status == "complete":
			return parts, end, json.Unmarshal(m.Data, &end)
		default:
			var e struct{ Code, Message string }
			_ = json.Unmarshal(m.Error, &e) // without a code it is none that anyone expects
			return parts, end, &Refusal{Code: e.Code, Message: e.Message}
		}
	}
}

func (s *socket) close() {
	s.leave()
	_ = s.conn.Close() // nothing is under way
}
