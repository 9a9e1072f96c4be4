package tenant

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a time that a test moves on.
type clock struct{ at time.Time }

// newClock returns a Limiter and the clock that it goes by.
func newClock() (*Limiter, *clock) {
	c := &clock{time.Unix(1e9, 0)}
	return NewLimiter(func() time.Time { return c.at }), c
}

func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }

// limited returns a tenant with limits a minute.
func limited(id string, requests, tokens int) *Tenant {
	return &Tenant{ID: id, Settings: Settings{Limits: Limits{RequestsPerMinute: requests, TokensPerMinute: tokens}}}
}

func TestRequestsAMinute(t *testing.T) {
	l, c := newClock()
	a, b := limited("a", 3, 0), limited("b", 3, 0)
	for i := range 3 {
		admission, err := l.Admit(a, 1000)
		if err != nil {
			t.Fatal(err)
		}
		want := Window{Limit: 3, Remaining: 2 - i, Reset: time.Duration(i+1) * 20 * time.Second}
		if admission.Rates.Requests != want || admission.Rates.Tokens != (Window{}) {
			t.Errorf("rates %+v, want %+v", admission.Rates, want)
		}
	}
	_, err := l.Admit(a, 1)
	var e *RateError
	if !errors.As(err, &e) || !errors.Is(err, ErrRateLimit) || e.Kind != "requests" || e.Limit != 3 || e.RetryAfter != 20*time.Second || e.Rates.Requests.Remaining != 0 {
		t.Fatalf("%+v", err)
	}
	if _, err := l.Admit(b, 1); err != nil {
		t.Errorf("another tenant: %v", err)
	}
	c.pass(e.RetryAfter - time.Millisecond)
	if _, err := l.Admit(a, 1); err == nil {
		t.Error("admitted before the time that was told")
	}
	c.pass(time.Millisecond)
	if _, err := l.Admit(a, 1); err != nil {
		t.Errorf("at the time that was told: %v", err)
	}
	c.pass(time.Hour)
	if r := l.Rates(a).Requests; r != (Window{Limit: 3, Remaining: 3}) {
		t.Errorf("after an hour: %+v", r)
	}
}

func TestTokensAMinute(t *testing.T) {
	l, c := newClock()
	a := limited("a", 100, 600) // ten tokens a second
	tokens := func() int { t.Helper(); return l.Rates(a).Tokens.Remaining }
	admit := func(n int) *Admission {
		t.Helper()
		admission, err := l.Admit(a, n)
		if err != nil {
			t.Fatal(err)
		}
		return admission
	}
	first := admit(500)
	if n := first.Rates.Tokens; n.Remaining != 100 || n.Reset != 50*time.Second {
		t.Errorf("after a reservation of 500: %+v", n)
	}
	// What is refused costs nothing: no request either.
	before := l.Rates(a)
	_, err := l.Admit(a, 200)
	var e *RateError
	if !errors.As(err, &e) || e.Kind != "tokens" || e.Need != 200 || e.RetryAfter != 10*time.Second {
		t.Fatalf("%+v", err)
	}
	if now := l.Rates(a); now != before {
		t.Errorf("rates %+v after a refusal, %+v before", now, before)
	}
	// Giving back, once.
	first.Settle(120)
	first.Settle(0)
	if n := tokens(); n != 480 {
		t.Errorf("%d tokens after giving back 380 of 500, want 480", n)
	}
	// Taking more, into what comes later.
	admit(80).Settle(1180) // owes 700
	if n := l.Rates(a).Tokens; n.Remaining != 0 || n.Reset != 130*time.Second {
		t.Errorf("owing 700: %+v", n)
	}
	if _, err := l.Admit(a, 1); !errors.As(err, &e) || e.RetryAfter != 70*time.Second+100*time.Millisecond {
		t.Errorf("owing 700: %+v", err)
	}
	c.pass(80 * time.Second)
	if n := tokens(); n != 100 {
		t.Errorf("%d tokens after 80 s, want 100", n)
	}
	// More than a minute has is told so, and not waited for.
	_, err = l.Admit(a, 601)
	var r *ReservationError
	if !errors.As(err, &r) || !errors.Is(err, ErrReservation) || errors.Is(err, ErrRateLimit) || *r != (ReservationError{601, 600}) {
		t.Errorf("%+v", err)
	}
	// Giving back does not fill a bucket beyond its burst.
	c.pass(time.Hour)
	one := admit(300)
	c.pass(time.Hour)
	one.Settle(0)
	if n := tokens(); n != 600 {
		t.Errorf("%d tokens after giving back to a full bucket", n)
	}
	if _, err := l.Admit(a, -5); err != nil || tokens() != 600 {
		t.Errorf("a negative estimate: %v, %d tokens", err, tokens())
	}
}

// TestLimitsChange keeps what is in the buckets when limits change.
func TestLimitsChange(t *testing.T) {
	l, c := newClock()
	a := limited("a", 10, 600)
	admission, err := l.Admit(a, 600)
	if err != nil {
		t.Fatal(err)
	}
	if r := l.Rates(limited("a", 20, 1200)); r.Requests.Remaining != 9 || r.Tokens.Remaining != 0 || r.Tokens.Limit != 1200 {
		t.Errorf("raised: %+v", r)
	}
	c.pass(10 * time.Second)
	if r := l.Rates(limited("a", 20, 1200)); r.Tokens.Remaining != 200 {
		t.Errorf("it fills at %+v in 10 s, want 200", r.Tokens)
	}
	if r := l.Rates(limited("a", 2, 60)); r.Requests.Remaining != 2 || r.Tokens.Remaining != 60 {
		t.Errorf("lowered: %+v", r)
	}
	if r := l.Rates(limited("a", 0, 0)); r != (Rates{}) {
		t.Errorf("without limits: %+v", r)
	}
	admission.Settle(1) // of a bucket that is gone
	if _, err := l.Admit(limited("a", 0, 0), 1<<30); err != nil {
		t.Error(err)
	}
}

// TestIdleTenants keeps no buckets that are full.
func TestIdleTenants(t *testing.T) {
	l, c := newClock()
	for i := range 10_000 {
		if _, err := l.Admit(limited(fmt.Sprint(i), 60, 0), 1); err != nil {
			t.Fatal(err)
		}
		c.pass(100 * time.Millisecond)
	}
	// Each is full again after a second: ten others later.
	if n := len(l.buckets); n > minSweep+1 {
		t.Errorf("%d buckets", n)
	}
}

// TestAdmitsAtTheSameTime never lets more in than there is.
func TestAdmitsAtTheSameTime(t *testing.T) {
	l, _ := newClock()
	a := limited("a", 500, 10_000)
	var in, tokens atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				admission, err := l.Admit(a, 50)
				if err != nil {
					continue
				}
				in.Add(1)
				used := 20 + i%60
				tokens.Add(int64(used))
				admission.Settle(used)
			}
		})
	}
	wg.Wait()
	r := l.Rates(a)
	if in.Load() > 500 || r.Requests.Remaining != 500-int(in.Load()) {
		t.Errorf("%d requests were let in, %d remain of 500", in.Load(), r.Requests.Remaining)
	}
	if left := max(0, 10_000-tokens.Load()); int64(r.Tokens.Remaining) != left {
		t.Errorf("%d tokens were used, %d remain of 10000, want %d", tokens.Load(), r.Tokens.Remaining, left)
	}
	if in.Load() < 100 {
		t.Errorf("%d requests only", in.Load())
	}
}

func BenchmarkAdmit(b *testing.B) {
	l := NewLimiter(time.Now)
	a := limited("a", 1<<30, 1<<30)
	b.ReportAllocs()
	for b.Loop() {
		admission, err := l.Admit(a, 1)
		if err != nil {
			b.Fatal(err)
		}
		admission.Settle(1)
	}
}
