package harness

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
)

// Client asks a server over HTTP. It knows of it no more than its API.
type Client struct {
	Base string // the server's address, without a slash at its end
	Key  string // "": none
}

// params are the members of a request.
type params map[string]any

// with returns the request with members besides, which are pairs of a name and a value.
func (p params) with(members ...any) params {
	out := params{}
	for name, value := range p {
		out[name] = value
	}
	for i := 0; i < len(members); i += 2 {
		out[members[i].(string)] = members[i+1]
	}
	return out
}

// asking is a greedy chat of one question.
func asking(question string) params {
	return params{"temperature": 0, "messages": []map[string]string{{"role": "user", "content": question}}}
}

// Refusal is an error of the server's.
type Refusal struct {
	Status  int // of HTTP; 0 on the WebSocket
	Code    string
	Message string
}

// Error implements error.
func (e *Refusal) Error() string {
	return fmt.Sprintf("the server refused: %d %s: %s", e.Status, e.Code, e.Message)
}

// refused wants an error to be a Refusal of a code.
func refused(err error, code string) error {
	var e *Refusal
	if !errors.As(err, &e) || e.Code != code {
		return fmt.Errorf("got %v, want the error %s", err, code)
	}
	return nil
}

// post sends a request whose answer is to be read in parts.
func (c *Client) post(ctx context.Context, url string, body any) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/json")
	if c.Key != "" {
		q.Header.Set("Authorization", "Bearer "+c.Key)
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	var said struct {
		Error struct{ Code, Message string }
	}
	if json.Unmarshal(text, &said) != nil || said.Error.Code == "" {
		return nil, fmt.Errorf("%s: %s, without an error's object: %.300s", url, resp.Status, text)
	}
	return nil, &Refusal{resp.StatusCode, said.Error.Code, said.Error.Message}
}

// Post sends a request and returns the body of its answer.
func (c *Client) Post(ctx context.Context, url string, body any) ([]byte, error) {
	resp, err := c.post(ctx, url, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// choices are the part of an answer that has its text: of a chat, a completion, or a
// part of either.
type choices struct {
	Choices []struct {
		Text           string
		Message, Delta struct{ Content string }
		Finish         string `json:"finish_reason"`
	}
}

func (c choices) text() (text, finish string) {
	if len(c.Choices) == 0 {
		return "", ""
	}
	one := c.Choices[0]
	return one.Text + one.Message.Content + one.Delta.Content, one.Finish
}

// The routes that answer.
const (
	chatPath       = "/v1/chat/completions"
	completionPath = "/v1/completions"
)

// Ask sends a request to a path and returns the text of the answer.
func (c *Client) Ask(ctx context.Context, path string, p params) (string, error) {
	body, err := c.Post(ctx, c.Base+path, p)
	if err != nil {
		return "", err
	}
	var a choices
	if err := json.Unmarshal(body, &a); err != nil {
		return "", fmt.Errorf("%s: answer: %w", path, err)
	}
	text, _ := a.text()
	return text, nil
}

// errBroken is a stream that ended without saying so.
var errBroken = errors.New("the stream broke off")

// Stream sends a request and returns the text of an answer that comes as events. part,
// unless nil, hears of each part of it. Errors: a *Refusal, errBroken.
func (c *Client) Stream(ctx context.Context, path string, p params, part func(text string)) (string, error) {
	resp, err := c.post(ctx, c.Base+path, p.with("stream", true))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		return "", fmt.Errorf("%s: a stream of the type %q", path, kind)
	}
	var whole strings.Builder
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return whole.String(), fmt.Errorf("%s: %w: %w", path, errBroken, err)
		}
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			return whole.String(), nil
		}
		var e struct {
			choices
			Error *struct{ Code, Message string }
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return whole.String(), fmt.Errorf("%s: event %.300s: %w", path, data, err)
		}
		if e.Error != nil {
			return whole.String(), &Refusal{resp.StatusCode, e.Error.Code, e.Error.Message}
		}
		text, _ := e.text()
		whole.WriteString(text)
		if part != nil && text != "" {
			part(text)
		}
	}
}
