package ws

import (
	"errors"

	"github.com/gorilla/websocket"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
)

// closeUnauthorized is the code of a close frame for clients that may not come in.
const closeUnauthorized = 4401

// maxHello bounds the first frame of a client that could be anyone, in bytes.
const maxHello = 4 << 10

// greeting is a message of the hello.
type greeting struct {
	Type     string `json:"type"`
	Protocol int    `json:"protocol,omitempty"`
	TenantID string `json:"tenant_id,omitempty"`
	Error    string `json:"error,omitempty"`
}

// connected ends the hello.
type connected struct {
	Type     string  `json:"type"`
	Protocol int     `json:"protocol"`
	Version  string  `json:"version"`
	TenantID string  `json:"tenant_id"`
	Models   []model `json:"models"`
}

// hello finds out who the client is, and reports whether it may come in.
func (c *conn) hello() bool {
	c.socket.SetReadLimit(maxHello)
	tenant, err := c.authenticate()
	if err == nil {
		c.tenant = tenant
		err = c.welcome()
	}
	if err != nil {
		var e *service.Error
		if errors.As(err, &e) {
			_ = c.send(greeting{Type: "auth_failed", Error: e.Message}) // else it has gone
		}
		c.out.finish(farewell{closeUnauthorized, "not authorized"})
		c.await()
		return false
	}
	c.socket.SetReadLimit(c.server.options.MaxFrame)
	return true
}

// authenticate returns the tenant of the client. Errors that are a *service.Error are
// for the client.
func (c *conn) authenticate() (*service.Tenant, error) {
	s := c.server.service
	if s.Keyless() {
		return s.Authenticate(c.ctx, "")
	}
	if err := c.send(greeting{Type: "auth_required", Protocol: protocol}); err != nil {
		return nil, err
	}
	kind, data, err := c.read(c.server.options.Hello)
	switch {
	case err != nil:
		return nil, &service.Error{Code: service.Unauthorized, Message: "no key came in time", Err: err}
	case kind != websocket.TextMessage:
		return nil, service.Invalid("", "frames are text")
	}
	h, err := readHello(data)
	if err != nil {
		return nil, err
	}
	var t *service.Tenant
	if h.Ticket != "" {
		t, err = s.RedeemTicket(h.Ticket)
	} else {
		t, err = s.Authenticate(c.ctx, h.Key)
	}
	if err != nil {
		return nil, err
	}
	return t, c.send(greeting{Type: "auth_success", TenantID: t.ID()})
}

// welcome ends the hello.
func (c *conn) welcome() error {
	all, err := c.models()
	if err != nil {
		return err
	}
	c.log.Info("connected", "tenant", c.tenant.ID())
	return c.send(connected{"connected", protocol, c.server.options.Version, c.tenant.ID(), all})
}

// await reads, and forgets, until the client has answered the close frame.
func (c *conn) await() {
	for {
		if _, _, err := c.socket.NextReader(); err != nil {
			return
		}
	}
}

// model is a model, or an adapter of one, as lists say it.
type model struct {
	openai.Model
	Default bool `json:"default"`
	Loaded  bool `json:"loaded"`
	Draft   bool `json:"draft"` // speculative: "model" has a draft model
	Chat    bool `json:"chat"`  // it has a chat template; false also while it was never loaded
}

// models are what the tenant may use.
func (c *conn) models() ([]model, error) {
	list, err := c.server.service.Models(c.tenant)
	if err != nil {
		return nil, err
	}
	all := make([]model, 0, len(list))
	for _, m := range list {
		all = append(all, model{openai.NewModel(m), m.Default, m.Loaded, m.Draft, m.Chat})
	}
	return all, nil
}
