package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// frame is a message of the WebSocket: what either side sends of what is used here.
type frame struct {
	Type   string          `json:"type,omitempty"`
	APIKey string          `json:"api_key,omitempty"`
	ID     string          `json:"id,omitempty"`
	Do     string          `json:"function,omitempty"`
	Params *body           `json:"params,omitempty"`
	Status string          `json:"status,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
}

// connect opens the socket and says who it is.
func (c *Client) connect(ctx context.Context) error {
	socket, p, err := websocket.DefaultDialer.DialContext(ctx, "ws"+strings.TrimPrefix(c.URL, "http")+"/ws", nil)
	if err != nil {
		return fmt.Errorf("load: connect: %w", err)
	}
	_ = p.Body.Close() // the connection is the socket's
	c.socket = socket
	for {
		var f frame
		if err := socket.ReadJSON(&f); err != nil {
			return fmt.Errorf("load: hello: %w", err)
		}
		switch f.Type {
		case "auth_required":
			if err := socket.WriteJSON(frame{Type: "auth", APIKey: c.Key}); err != nil {
				return fmt.Errorf("load: hello: %w", err)
			}
		case "auth_failed":
			return fmt.Errorf("load: hello: %s: %w", f.Error, ErrStatus)
		case "connected":
			return nil
		}
	}
}

// askSocket asks over the WebSocket. A client whose ctx ends in the midst of an answer
// has no socket any more.
func (c *Client) askSocket(ctx context.Context, b body) (Answer, error) {
	if c.socket == nil {
		if err := c.connect(ctx); err != nil {
			return Answer{}, err
		}
	}
	socket := c.socket
	stop := context.AfterFunc(ctx, func() { _ = socket.Close() })
	defer stop()
	c.calls++
	id := strconv.Itoa(c.calls)
	w := watch{start: time.Now()}
	if err := socket.WriteJSON(frame{ID: id, Do: "generate", Params: &b}); err != nil {
		return Answer{}, fmt.Errorf("load: ask: %w", err)
	}
	for {
		var f frame
		if err := socket.ReadJSON(&f); err != nil {
			return w.answer(), fmt.Errorf("load: reply: %w", errors.Join(ctx.Err(), err))
		}
		if f.ID != id {
			continue
		}
		switch f.Status {
		case "streaming":
			w.piece()
		case "complete":
			var u usage
			if err := json.Unmarshal(f.Data, &u); err != nil || u.Usage == nil {
				return w.answer(), fmt.Errorf("load: reply: no usage in %.200s", f.Data)
			}
			w.out.Tokens = u.Usage.CompletionTokens
			return w.answer(), nil
		default:
			return w.answer(), fmt.Errorf("load: reply: %s %s: %w", f.Status, f.Error, ErrStatus)
		}
	}
}
