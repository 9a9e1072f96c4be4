package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// Way is how a client talks to a server.
type Way string

// The ways.
const (
	HTTP      Way = "http" // the whole answer at once
	SSE       Way = "sse"  // a stream of events
	WebSocket Way = "ws"
)

// Ways are all there are.
func Ways() []Way { return []Way{HTTP, SSE, WebSocket} }

// Request is a completion that is asked for.
type Request struct {
	Model  string
	Prompt []int32
	Tokens int // to write, whatever they are
}

// Answer is what a client saw of an answer.
type Answer struct {
	First  time.Duration // until the first piece was there; of HTTP, all of it
	Total  time.Duration
	Tokens int             // written, as the server counts them
	Gaps   []time.Duration // between pieces
}

// ErrStatus is an answer of another status than 200, or an error of the WebSocket.
var ErrStatus = errors.New("the server refused")

// Client is one client of a server, which asks one thing at a time.
type Client struct {
	URL string // of the server, without a slash at the end
	Key string // "": none
	Way Way

	http   *http.Client
	socket *websocket.Conn
	calls  int
}

// body is a request as OpenAI's API has it.
type body struct {
	Model         string         `json:"model,omitempty"`
	Prompt        []int32        `json:"prompt"`
	MaxTokens     int            `json:"max_tokens"`
	Temperature   float64        `json:"temperature"`
	IgnoreEOS     bool           `json:"ignore_eos"`
	Stream        bool           `json:"stream,omitempty"`
	StreamOptions *streamOptions `json:"stream_options,omitempty"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// usage is the part of an answer that counts.
type usage struct {
	Usage *struct {
		CompletionTokens int `json:"completion_tokens"`
	}
}

// Ask asks for a completion and reads it to its end.
func (c *Client) Ask(ctx context.Context, r Request) (Answer, error) {
	b := body{Model: r.Model, Prompt: r.Prompt, MaxTokens: r.Tokens, IgnoreEOS: true}
	if c.Way == WebSocket {
		return c.askSocket(ctx, b)
	}
	if c.Way == SSE {
		b.Stream, b.StreamOptions = true, &streamOptions{true}
	}
	text, err := json.Marshal(b)
	if err != nil {
		return Answer{}, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/v1/completions", bytes.NewReader(text))
	if err != nil {
		return Answer{}, err
	}
	q.Header.Set("Content-Type", "application/json")
	if c.Key != "" {
		q.Header.Set("Authorization", "Bearer "+c.Key)
	}
	if c.http == nil {
		c.http = &http.Client{Transport: &http.Transport{}} // a connection of its own
	}
	w := watch{start: time.Now()}
	p, err := c.http.Do(q)
	if err != nil {
		return Answer{}, err
	}
	defer p.Body.Close()
	if p.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(p.Body, 4096))
		return Answer{}, fmt.Errorf("load: %s: %s: %w", p.Status, bytes.TrimSpace(text), ErrStatus)
	}
	if c.Way == SSE {
		err = w.events(p.Body)
	} else {
		err = w.whole(p.Body)
	}
	return w.answer(), err
}

// Close ends the client's connections.
func (c *Client) Close() error {
	if c.http != nil {
		c.http.CloseIdleConnections()
	}
	if c.socket != nil {
		return c.socket.Close()
	}
	return nil
}

// watch takes the times of an answer.
type watch struct {
	start, last time.Time
	out         Answer
}

// piece notes that a piece has come.
func (w *watch) piece() {
	now := time.Now()
	if w.last.IsZero() {
		w.out.First = now.Sub(w.start)
	} else {
		w.out.Gaps = append(w.out.Gaps, now.Sub(w.last))
	}
	w.last = now
}

func (w *watch) answer() Answer {
	w.out.Total = time.Since(w.start)
	return w.out
}

// whole reads an answer that comes at once.
func (w *watch) whole(r io.Reader) error {
	var u usage
	if err := json.NewDecoder(r).Decode(&u); err != nil {
		return fmt.Errorf("load: answer: %w", err)
	}
	w.piece()
	if u.Usage == nil {
		return errors.New("load: answer: it has no usage")
	}
	w.out.Tokens = u.Usage.CompletionTokens
	return nil
}

// events reads a stream of events.
func (w *watch) events(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			return nil
		}
		var e struct {
			usage
			Choices []struct{ Text string }
			Error   json.RawMessage
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return fmt.Errorf("load: event: %w", err)
		}
		if len(e.Error) > 0 {
			return fmt.Errorf("load: event: %s: %w", e.Error, ErrStatus)
		}
		if e.Usage != nil {
			w.out.Tokens = e.Usage.CompletionTokens
		}
		if len(e.Choices) > 0 && e.Choices[0].Text != "" {
			w.piece()
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("load: stream: %w", err)
	}
	return fmt.Errorf("load: stream: it broke off: %w", io.ErrUnexpectedEOF)
}
