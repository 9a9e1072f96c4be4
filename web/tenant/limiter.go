package tenant

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limiter has the buckets of all tenants: one of requests and one of tokens for each,
// which hold a minute's worth and fill steadily. It is safe for use by many
// goroutines.
type Limiter struct {
	mu      sync.Mutex
	buckets map[string]*buckets // by tenant ID
	sweep   int                 // how many there are when the full ones are next let go
	now     func() time.Time
}

// buckets are those of one tenant. nil: no limit.
type buckets struct{ requests, tokens *rate.Limiter }

// NewLimiter returns a Limiter whose buckets are full, and fill by a clock: time.Now, but
// for tests.
func NewLimiter(now func() time.Time) *Limiter {
	return &Limiter{buckets: map[string]*buckets{}, sweep: minSweep, now: now}
}

// minSweep is the least number of tenants to look through.
const minSweep = 64

// Window is one limit as the x-ratelimit headers tell of it.
type Window struct {
	Limit     int           // a minute; 0: there is none
	Remaining int           // that could be used at once
	Reset     time.Duration // until all of Limit could
}

// Rates are the limits of a tenant, and what is left of them.
type Rates struct{ Requests, Tokens Window }

// Admit lets a request of a tenant in that may use up to so many tokens: those of the
// prompt, and max_tokens. Limits that have changed since the last request hold from
// now on, and what is in the buckets stays. Nothing is taken from the buckets of who is
// refused. Errors: *RateError, *ReservationError.
func (l *Limiter) Admit(t *Tenant, tokens int) (*Admission, error) {
	tokens = max(tokens, 0)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.of(t, now)
	if b.tokens != nil && tokens > b.tokens.Burst() {
		return nil, &ReservationError{Need: tokens, Limit: b.tokens.Burst()}
	}
	if wait := take(b.requests, now, 1); wait > 0 {
		return nil, &RateError{"requests", b.requests.Burst(), 1, wait, b.rates(now)}
	}
	if wait := take(b.tokens, now, tokens); wait > 0 {
		give(b.requests, now, 1)
		return nil, &RateError{"tokens", b.tokens.Burst(), tokens, wait, b.rates(now)}
	}
	return &Admission{limiter: l, tenant: t.ID, reserved: tokens, Rates: b.rates(now)}, nil
}

// Rates returns what is left to a tenant now.
func (l *Limiter) Rates(t *Tenant) Rates {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	return l.of(t, now).rates(now)
}

// Admission is a request that was let in.
type Admission struct {
	// Rates are what was left right after.
	Rates Rates

	limiter  *Limiter
	tenant   string
	mu       sync.Mutex
	reserved int
	settled  bool
}

// Settle says how many tokens the request has used. What was reserved beyond is given
// back; what is missing is taken, if need be from what comes later. Only the first
// call counts, so that it can be deferred as well with what is known by then.
func (a *Admission) Settle(used int) {
	a.mu.Lock()
	done := a.settled
	a.settled = true
	a.mu.Unlock()
	if done {
		return
	}
	l := a.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[a.tenant]
	if b == nil || b.tokens == nil {
		return // without a limit by now, or full by now
	}
	give(b.tokens, l.now(), a.reserved-max(used, 0))
}

// of returns the buckets of a tenant, brought to its limits.
func (l *Limiter) of(t *Tenant, now time.Time) *buckets {
	b := l.buckets[t.ID]
	if b == nil {
		if len(l.buckets) >= l.sweep {
			l.drop(now)
		}
		b = &buckets{}
		l.buckets[t.ID] = b
	}
	b.requests = adjust(b.requests, now, t.Limits.RequestsPerMinute)
	b.tokens = adjust(b.tokens, now, t.Limits.TokensPerMinute)
	return b
}

// drop lets go of buckets that are full, which are as good as new ones.
func (l *Limiter) drop(now time.Time) {
	for id, b := range l.buckets {
		if full(b.requests, now) && full(b.tokens, now) {
			delete(l.buckets, id)
		}
	}
	l.sweep = max(minSweep, 2*len(l.buckets))
}

func full(b *rate.Limiter, now time.Time) bool {
	return b == nil || b.TokensAt(now) >= float64(b.Burst())
}

// adjust brings a bucket to a limit a minute; 0: no bucket.
func adjust(b *rate.Limiter, now time.Time, limit int) *rate.Limiter {
	switch {
	case limit <= 0:
		return nil
	case b == nil:
		return rate.NewLimiter(perMinute(limit), limit)
	case b.Burst() != limit:
		b.SetLimitAt(now, perMinute(limit))
		b.SetBurstAt(now, limit)
	}
	return b
}

func perMinute(limit int) rate.Limit { return rate.Limit(float64(limit) / 60) }

// take takes n out of a bucket, or returns how long it would have to be waited for.
func take(b *rate.Limiter, now time.Time, n int) (wait time.Duration) {
	if b == nil {
		return 0
	}
	if b.AllowN(now, n) {
		return 0
	}
	missing := float64(n) - b.TokensAt(now)
	return max(time.Millisecond, time.Duration(math.Ceil(missing/float64(b.Limit())*float64(time.Second))))
}

// give puts n back into a bucket, which does not hold more than its burst for it; a
// negative n is taken, and what is not there is owed. A reservation of a negative
// number is what adds to a rate.Limiter: one that was made is not to be cancelled once
// its time has come.
func give(b *rate.Limiter, now time.Time, n int) {
	if b == nil {
		return
	}
	for n < 0 {
		part := min(-n, b.Burst()) // more than a burst cannot be reserved
		b.ReserveN(now, part)
		n += part
	}
	if n > 0 {
		b.ReserveN(now, -n)
	}
}

func (b *buckets) rates(now time.Time) Rates {
	return Rates{window(b.requests, now), window(b.tokens, now)}
}

func window(b *rate.Limiter, now time.Time) Window {
	if b == nil {
		return Window{}
	}
	there := min(b.TokensAt(now), float64(b.Burst()))
	missing := float64(b.Burst()) - there
	return Window{
		Limit:     b.Burst(),
		Remaining: max(0, int(there)),
		Reset:     time.Duration(missing / float64(b.Limit()) * float64(time.Second)),
	}
}
