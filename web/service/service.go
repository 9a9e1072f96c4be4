package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/web/tenant"
)

// Options are what a service is made of. Engine is wanted, and of Live a model and a
// guest.
type Options struct {
	Engine *engine.Engine
	// Tenants has the keys; nil: there are none, and all requests are of one tenant.
	Tenants *tenant.Store
	// Open lets everyone in as one tenant as long as Tenants has no key.
	Open bool
	// Usage takes what is used; nil: it is not kept.
	Usage *tenant.Recorder
	// AdapterRoot is the folder that adapters are loaded from while the server runs;
	// "": none are.
	AdapterRoot string
	// SavedSequences is how many sequences of a tenant are kept between requests.
	SavedSequences int
	Observer       Observer // nil: nobody looks
	Log            *slog.Logger
	// GuestLog takes what guests log, and why their calls failed, which may have text of
	// prompts. nil: it is dropped.
	GuestLog *slog.Logger
	Live
}

// Live are the options that may change while a service runs.
type Live struct {
	// Models are those that are offered. The first that is not hidden is that of
	// requests that name none.
	Models []ModelSpec
	// Limits are those of the tenant without keys. Tenants with keys have theirs, and
	// the defaults of them, from their store.
	Limits tenant.Limits
	// Guest is the module that answers where nothing else is asked for.
	Guest []byte
	// Guests are others that requests may name.
	Guests map[string][]byte
	// RequestTimeout bounds an answer, waiting included. 0: ten minutes.
	RequestTimeout time.Duration
	// QueueTimeout bounds how long an answer waits until the device first takes it in.
	// 0: as long as RequestTimeout says.
	QueueTimeout time.Duration
	// MaxTokens bounds what a request may have written, a text each, and DefaultTokens
	// is that of requests that do not say. 0: what the context has room for.
	MaxTokens, DefaultTokens int
}

// Observer looks at calls, for metrics. It must not wait.
type Observer interface {
	// Gap is told of the time between two pieces of the answers of a call.
	Gap(model string, gap time.Duration)
	// End is told of each call that has ended, and of those that were not let in.
	End(Observation)
}

// Observation is a call that has ended.
type Observation struct {
	Call   *Call
	Tenant *Tenant // nil: unknown
	Result Result
	Error  *Error // nil: it went well
}

// defaultTimeout bounds an answer that nobody has bounded otherwise.
const defaultTimeout = 10 * time.Minute

// Service answers what tenants ask. Its methods may be called from many goroutines.
type Service struct {
	options Options
	log     *slog.Logger
	models  *models
	guests  *guests
	tenants tenants
	tickets tickets
	limiter *tenant.Limiter
	live    atomic.Pointer[Live]

	mu       sync.Mutex
	draining bool
	answers  map[*Answer]struct{}
	idle     chan struct{} // closed when there are none any more; nil: nobody waits for it
	totals   totals
}

// New makes a service. Models are loaded when they are asked for.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Engine == nil {
		return nil, errors.New("service: new: Engine is missing")
	}
	silent := slog.New(slog.DiscardHandler)
	if o.Log == nil {
		o.Log = silent
	}
	if o.GuestLog == nil {
		o.GuestLog = silent
	}
	s := &Service{options: o, log: o.Log, answers: map[*Answer]struct{}{}, limiter: tenant.NewLimiter(time.Now)}
	var err error
	if s.guests, err = newGuests(ctx, o.Tenants); err != nil {
		return nil, fmt.Errorf("service: new: %w", err)
	}
	if s.models, err = newModels(s); err != nil {
		return nil, errors.Join(fmt.Errorf("service: new: %w", err), s.guests.close())
	}
	if err := s.Update(ctx, o.Live); err != nil {
		return nil, errors.Join(err, s.models.library.Close(), s.guests.close())
	}
	return s, nil
}

// Update takes over other options. Requests that were let in go on as they began. A
// model that is as before stays loaded; one that is not there any more, or another, is
// unloaded once no request holds it. An error changes nothing.
func (s *Service) Update(ctx context.Context, l Live) error {
	if l.RequestTimeout == 0 {
		l.RequestTimeout = defaultTimeout
	}
	if err := checkModels(l.Models); err != nil {
		return err
	}
	if err := s.guests.check(ctx, l.Guest, l.Guests); err != nil {
		return fmt.Errorf("service: %w", err)
	}
	kept, err := s.keptAdapters(ctx)
	if err != nil {
		return fmt.Errorf("service: %w", err)
	}
	s.live.Store(&l)
	s.options.Engine.SetQueueTimeout(l.QueueTimeout)
	s.models.set(l.Models, kept)
	return nil
}

// Close ends what runs and gives back what was loaded. The engine stays open.
func (s *Service) Close() error {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Drain(ended) // it says that it has cancelled what ran
	s.tenants.close()
	return errors.Join(s.models.library.Close(), s.guests.close())
}

// Ready says whether requests are taken: nil, or why not.
func (s *Service) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return errDraining
	}
	return nil
}

// DeviceReady says whether the device computes: nil, or that it was lost. Calls are
// taken all the same while it is being opened again, and wait for it.
func (s *Service) DeviceReady() error {
	if err := s.options.Engine.Ready(); err != nil {
		return errorOf(err)
	}
	return nil
}

// errDraining is what a call gets that comes too late.
var errDraining = &Error{Code: Unavailable, Message: "the server is shutting down", RetryAfter: retryAfter}

// enter begins an answer, which has to be closed.
func (s *Service) enter(ctx context.Context, c Call) (*Answer, error) {
	t, err := s.current(c.Tenant)
	if err != nil {
		return nil, err
	}
	a := &Answer{service: s, call: c, tenant: t}
	most := s.live.Load().RequestTimeout
	ctx, stop := context.WithTimeoutCause(ctx, most, &Error{Code: Timeout, Message: fmt.Sprintf("the answer was not there after %v", most)})
	var cancel context.CancelCauseFunc
	a.ctx, cancel = context.WithCancelCause(ctx)
	a.cancel = func(cause error) { cancel(cause); stop() }
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		a.cancel(nil)
		return nil, errDraining
	}
	s.answers[a] = struct{}{}
	return a, nil
}

// leave forgets an answer.
func (s *Service) leave(a *Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.answers, a)
	if s.idle != nil && len(s.answers) == 0 {
		close(s.idle)
		s.idle = nil
	}
}

// Drain refuses new calls and waits for those that run. When ctx is done it cancels
// them, waits until they have ended, and returns why.
func (s *Service) Drain(ctx context.Context) error {
	s.mu.Lock()
	s.draining = true
	idle := s.idle
	if len(s.answers) > 0 && idle == nil {
		idle = make(chan struct{})
		s.idle = idle
	}
	s.mu.Unlock()
	if idle == nil {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	n := len(s.answers)
	for a := range s.answers {
		a.cancel(errDraining)
	}
	s.mu.Unlock()
	<-idle
	return fmt.Errorf("service: drain: %d answers were cut short: %w", n, ctx.Err())
}

// Preload loads a model before it is asked for.
func (s *Service) Preload(ctx context.Context, name string) error {
	m := s.models.find(name)
	if m == nil {
		return fmt.Errorf("service: preload: there is no model %q", name)
	}
	l, err := s.models.acquire(ctx, m, "")
	if err != nil {
		return err
	}
	l.release()
	return nil
}

// Models returns the models and adapters that a tenant may use.
func (s *Service) Models(t *Tenant) ([]ModelInfo, error) {
	t, err := s.current(t)
	if err != nil {
		return nil, err
	}
	return s.models.list(t), nil
}

// observe counts a call that has ended.
func (s *Service) observe(a *Answer, r Result, err *Error) {
	s.mu.Lock()
	s.totals.add(r)
	s.mu.Unlock()
	s.record(a.tenant, r, err)
	if o := s.options.Observer; o != nil {
		o.End(Observation{Call: &a.call, Tenant: a.tenant, Result: r, Error: err})
	}
	if err != nil && err.Code == InternalError {
		s.log.Error("a request failed", "request", a.call.ID, "tenant", a.tenant.ID(), "error", err.Err)
	}
}
