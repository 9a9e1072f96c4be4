package service

import (
	"crypto/rand"
	"sync"
	"time"
)

// Tickets stand in for keys, so that a page needs to hold none.
const (
	ticketLife = time.Minute
	maxTickets = 4096 // that have not been used; the oldest give way
)

// tickets are those that were given out and have not been used.
type tickets struct {
	mu   sync.Mutex
	open map[string]ticket
}

type ticket struct {
	tenant  *Tenant
	expires time.Time
}

// NewTicket returns a ticket of a tenant, which is good once, until it expires.
func (s *Service) NewTicket(t *Tenant) (text string, expires time.Time) {
	x := &s.tickets
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now()
	oldest := ""
	for text, t := range x.open {
		if now.After(t.expires) {
			delete(x.open, text)
		} else if oldest == "" || t.expires.Before(x.open[oldest].expires) {
			oldest = text
		}
	}
	if len(x.open) >= maxTickets {
		delete(x.open, oldest)
	}
	if x.open == nil {
		x.open = map[string]ticket{}
	}
	text, expires = "rt_"+rand.Text(), now.Add(ticketLife)
	x.open[text] = ticket{s.tenantOf(t), expires}
	return text, expires
}

// RedeemTicket returns the tenant of a ticket, which is no good any more. The error is
// Unauthorized.
func (s *Service) RedeemTicket(text string) (*Tenant, error) {
	x := &s.tickets
	x.mu.Lock()
	defer x.mu.Unlock()
	t, ok := x.open[text]
	delete(x.open, text)
	if !ok || time.Now().After(t.expires) {
		return nil, &Error{Code: Unauthorized, Message: "the ticket is unknown, used or expired"}
	}
	return t.tenant, nil
}
