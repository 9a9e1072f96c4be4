package ws

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestHello wants a key, or a ticket that is good once.
func TestHello(t *testing.T) {
	change, keys := keyed(t, "acme", "other")
	r := newRig(t, change, nil)
	enter := func(auth string) client {
		c := r.dial(t)
		if m := c.next(); m.Type != "auth_required" || m.Protocol != 1 {
			t.Fatalf("%+v", m)
		}
		c.say(auth)
		return c
	}
	welcome := func(auth string) client {
		t.Helper()
		c := enter(auth)
		m := c.next()
		if n := c.next(); m.Type != "auth_success" || m.TenantID == "" || n.Type != "connected" || n.TenantID != m.TenantID {
			t.Fatalf("%+v, %+v", m, n)
		}
		return c
	}
	c := welcome(`{"type":"auth","api_key":"` + keys["acme"] + `"}`)
	c.call("a", "chat", question(france, ""))
	if _, last := c.end("a"); c.data(last).Text != paris {
		t.Errorf("%+v", last)
	}
	c.call("h", "health", "{}")
	if _, last := c.end("h"); strings.Contains(string(last.Data), "running") {
		t.Errorf("a tenant sees what others do: %s", last.Data)
	}
	x, err := r.service.Authenticate(t.Context(), keys["other"])
	if err != nil {
		t.Fatal(err)
	}
	ticket, _ := r.service.NewTicket(x)
	welcome(`{"type":"auth","ticket":"` + ticket + `"}`)
	for name, auth := range map[string]string{
		"a used ticket": `{"type":"auth","ticket":"` + ticket + `"}`,
		"a wrong key":   `{"type":"auth","api_key":"rk_no"}`,
		"nothing":       `{"type":"auth"}`,
		"both":          `{"type":"auth","ticket":"x","api_key":"y"}`,
		"a call":        `{"id":"x","function":"chat","params":{}}`,
		"no JSON":       `hello`,
	} {
		c := enter(auth)
		if m := c.next(); m.Type != "auth_failed" || m.Error == "" {
			t.Errorf("%s: %+v", name, m)
		}
		c.wantClose(closeUnauthorized, "")
	}
	c = newRig(t, change, func(o *Options) { o.Hello = 100 * time.Millisecond }).dial(t)
	c.next()
	if m := c.next(); m.Type != "auth_failed" { // nothing was said in time
		t.Errorf("%+v", m)
	}
	c.wantClose(closeUnauthorized, "")
}

// TestOrigin lets pages in that are the server's own, or listed.
func TestOrigin(t *testing.T) {
	r := newRig(t, nil, func(o *Options) { o.Origins = []string{"https://*.example.com"} })
	host := strings.TrimPrefix(r.url, "ws://")
	for origin, want := range map[string]int{
		"http://" + host: 101, "https://a.example.com": 101, "https://example.com": 403, "https://a.example.com.evil.org": 403, "null": 403, "http://localhost:1": 403,
	} {
		socket, resp, err := websocket.DefaultDialer.DialContext(t.Context(), r.url, http.Header{"Origin": {origin}})
		if resp == nil {
			t.Fatal(err)
		}
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", origin, resp.StatusCode, want)
		}
		resp.Body.Close()
		if socket != nil {
			_ = socket.Close()
		}
	}
	// What is no handshake gets a word.
	resp, err := http.Get("http://" + host)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Sec-WebSocket-Version") != "13" {
		t.Errorf("%v", resp)
	}
}

// TestLimits are those of connections, calls and frames.
func TestLimits(t *testing.T) {
	r := newRig(t, slowly, func(o *Options) { o.Connections, o.Calls, o.MaxFrame = 2, 2, 2000 })
	c := r.connect(t)
	c.call("a", "generate", long)
	c.next()
	c.call("a", "chat", question(france, ""))
	c.call("b", "generate", long)
	c.call("c", "generate", long)
	seen := map[string]bool{}
	for !seen[""] || !seen["c"] {
		m := c.next()
		switch {
		case m.Status == "streaming" || seen[m.ID]:
		case m.ID == "":
			c.wantError(m, "", "INVALID_REQUEST", "under way")
			if m.Error.(map[string]any)["details"].(map[string]any)["id"] != "a" {
				t.Errorf("%v", m.Error)
			}
		case m.ID == "c":
			c.wantError(m, "c", "QUEUE_FULL", "at most 2")
			if m.Error.(map[string]any)["details"].(map[string]any)["retry_after_ms"].(float64) <= 0 {
				t.Errorf("%v", m.Error)
			}
		}
		if m.Status != "streaming" {
			seen[m.ID] = true
		}
	}
	other := r.connect(t)
	if _, resp, err := websocket.DefaultDialer.DialContext(t.Context(), r.url, nil); err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one connection too many: %v, %v", resp, err)
	}
	other.say(`{"id":"x","function":"chat","params":{"user":"` + strings.Repeat("x", 2000) + `"}}`)
	other.wantClose(websocket.CloseMessageTooBig, "")
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	idle(t, r) // a connection that has gone takes its calls along
}

// TestBinary frames are nothing that is understood.
func TestBinary(t *testing.T) {
	c := newRig(t, nil, nil).connect(t)
	if err := c.WriteMessage(websocket.BinaryMessage, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	c.wantClose(websocket.CloseUnsupportedData, "text")
}

// TestNoText closes a connection whose text is no UTF-8, however it is cut into frames.
// https://www.rfc-editor.org/rfc/rfc6455#section-8.1
func TestNoText(t *testing.T) {
	r := newRig(t, nil, nil)
	c := r.connect(t)
	c.say(`{"id":"` + "\xff" + `","function":"health"}`)
	c.wantClose(websocket.CloseInvalidFramePayloadData, "UTF-8")
	c = r.connect(t)
	w, err := c.NextWriter(websocket.TextMessage)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`{"id":"` + "\xc3", "\xa9" + `","function":"health"}`} {
		if _, err := w.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, last := c.end("é"); last.Status != "complete" {
		t.Errorf("%+v", last)
	}
}

// TestLarge tells a client of its limit that sends more and more, in frames that are
// each small enough, and looks for an answer when it has sent it all.
func TestLarge(t *testing.T) {
	r := newRig(t, nil, func(o *Options) { o.MaxFrame = 64 << 10 })
	c := r.connect(t)
	w, err := c.NextWriter(websocket.TextMessage)
	if err != nil {
		t.Fatal(err)
	}
	for range 500 {
		if _, err := w.Write(make([]byte, 4<<10)); err != nil {
			t.Fatal(err)
		}
	}
	c.wantClose(websocket.CloseMessageTooBig, "")
}

// TestPing keeps those that answer, and drops those that do not.
func TestPing(t *testing.T) {
	r := newRig(t, nil, func(o *Options) { o.Ping = 2 * time.Second }) // more than a busy machine is late by
	mute, alive := r.connect(t), r.connect(t)
	mute.SetPingHandler(func(string) error { return nil })
	pings := 0
	alive.SetPingHandler(func(data string) error {
		if pings++; pings == 3 {
			alive.call("h", "health", "{}")
		}
		return alive.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
	})
	// Who reads answers pings, and is there for longer than a silence may last.
	if _, last := alive.end("h"); last.Status != "complete" || pings < 3 {
		t.Errorf("%+v after %d pings", last, pings)
	}
	mute.wantClose(websocket.ClosePolicyViolation, "pings")
}

// TestSlow drops a reader that does not read, and nobody else notices.
func TestSlow(t *testing.T) {
	r := newRig(t, nil, func(o *Options) { o.Buffer, o.MaxFrame = 16<<10, 8<<20 })
	slow := r.connect(t)
	// A small window, so that the system does not take it all.
	if tcp, ok := slow.NetConn().(*net.TCPConn); ok {
		if err := tcp.SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		slow.call(string(rune('a'+i)), "generate", `{"prompt":"The","n":8,"ignore_eos":true,"max_tokens":450,"temperature":1,"logprobs":20}`)
	}
	other := r.connect(t)
	other.call("a", "chat", question(france, ""))
	if _, last := other.end("a"); other.data(last).Text != paris {
		t.Errorf("%+v", last)
	}
	idle(t, r)
	if !strings.Contains(r.log.String(), "too slowly") {
		t.Error("the slow reader was not dropped")
	}
}

// TestDrain closes what is idle at once, and the rest when its calls have ended.
func TestDrain(t *testing.T) {
	r := newRig(t, nil, nil)
	rests, works := r.connect(t), r.connect(t)
	works.call("long", "generate", long)
	works.next()
	r.server.Drain()
	rests.wantClose(websocket.CloseGoingAway, "shutting down")
	if _, resp, err := websocket.DefaultDialer.DialContext(t.Context(), r.url, nil); err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a connection that comes too late: %v, %v", resp, err)
	}
	if _, last := works.end("long"); last.Status != "complete" || works.data(last).Usage["completion_tokens"] != 400 {
		t.Errorf("%+v %s", last, last.Data)
	}
	works.wantClose(websocket.CloseGoingAway, "shutting down")
	if err := r.server.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestCut ends connections that do not end in time.
func TestCut(t *testing.T) {
	r := newRig(t, slowly, nil)
	c := r.connect(t)
	c.call("long", "generate", long)
	c.next()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.server.Close(ctx); err == nil || !strings.Contains(err.Error(), "1 connections") {
		t.Errorf("%v", err)
	}
	idle(t, r)
}
