package metrics

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/realm-webgpu/realm/web/service"
)

// Options say how much there is to count.
type Options struct {
	// Tenants is how many tenants have labels of their own; those that come later are
	// counted together, as "other". 0: 256.
	Tenants int
}

// other is the label of tenants past the bound.
const other = "other"

// Metrics counts what calls do, and looks at a service when it is scraped. It is a
// service.Observer.
type Metrics struct {
	registry *prometheus.Registry
	state    state

	prompt, generation       *prometheus.CounterVec
	queries, hits            *prometheus.CounterVec
	drafted, accepted        *prometheus.CounterVec
	success, failures        *prometheus.CounterVec
	first, gap, mean         *prometheus.HistogramVec
	whole, queue             *prometheus.HistogramVec
	promptSize, writtenSize  *prometheus.HistogramVec
	tenantCalls, tenantToken *prometheus.CounterVec

	mu      sync.Mutex
	tenants map[string]bool
	most    int
}

// model is the label that vLLM's metrics have.
const model = "model_name"

// Buckets in seconds and tokens: vLLM's, so that its dashboards' quantiles are as good.
var (
	firstBuckets = []float64{.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560}
	gapBuckets   = []float64{.001, .0025, .005, .01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80}
	wholeBuckets = []float64{.3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680}
	sizeBuckets  = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000}
)

// New returns metrics of which all are zero.
func New(o Options) *Metrics {
	if o.Tenants == 0 {
		o.Tenants = 256
	}
	m := &Metrics{registry: prometheus.NewRegistry(), tenants: map[string]bool{}, most: o.Tenants}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{model})
		m.registry.MustRegister(h)
		return h
	}
	m.prompt = counter("vllm:prompt_tokens_total", "Tokens of prompts.", model)
	m.generation = counter("vllm:generation_tokens_total", "Tokens that were chosen.", model)
	m.queries = counter("vllm:prefix_cache_queries_total", "Tokens of prompts that the cache was asked for.", model)
	m.hits = counter("vllm:prefix_cache_hits_total", "Of those, the ones that it had.", model)
	m.drafted = counter("vllm:spec_decode_num_draft_tokens_total", "Tokens that were drafted.", model)
	m.accepted = counter("vllm:spec_decode_num_accepted_tokens_total", "Of those, the ones that were chosen.", model)
	m.success = counter("vllm:request_success_total", "Choices that have ended: stop, length, abort (the client went) or error.", model, "finished_reason")
	m.failures = counter("realm_request_errors_total", "Calls that ended with an error, or were not let in, by its code.", "code")
	m.first = histogram("vllm:time_to_first_token_seconds", "From a call to its first token.", firstBuckets)
	m.gap = histogram("vllm:inter_token_latency_seconds", "Between two tokens of a call.", gapBuckets)
	m.mean = histogram("vllm:request_time_per_output_token_seconds", "The mean of that over a call.", gapBuckets)
	m.whole = histogram("vllm:e2e_request_latency_seconds", "From a call to its end.", wholeBuckets)
	m.queue = histogram("vllm:request_queue_time_seconds", "From a call to its first step.", wholeBuckets)
	m.promptSize = histogram("vllm:request_prompt_tokens", "Tokens of a prompt.", sizeBuckets)
	m.writtenSize = histogram("vllm:request_generation_tokens", "Tokens that a call has written.", sizeBuckets)
	m.tenantCalls = counter("realm_tenant_requests_total", "Calls of a tenant, by their end: ok, or the code of an error.", "tenant", "code")
	m.tenantToken = counter("realm_tenant_tokens_total", "Tokens of a tenant: prompt (cached ones among them), cached, generation.", "tenant", "kind")
	m.registry.MustRegister(&m.state, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Watch shows the state of a service from now on.
func (m *Metrics) Watch(s *service.Service) { m.state.service.Store(s) }

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, Registry: m.registry})
}

// Gap implements service.Observer.
func (m *Metrics) Gap(name string, gap time.Duration) {
	m.gap.WithLabelValues(name).Observe(gap.Seconds())
}

// End implements service.Observer.
func (m *Metrics) End(o service.Observation) {
	m.tenant(o)
	if o.Error != nil {
		m.failures.WithLabelValues(string(o.Error.Code)).Inc()
	}
	name := o.Result.Model
	if name == "" {
		return // it was not let in, and no model has done anything
	}
	u, t := o.Result.Usage, o.Result.Timings
	m.prompt.WithLabelValues(name).Add(float64(u.Prompt))
	m.generation.WithLabelValues(name).Add(float64(u.Completion))
	m.queries.WithLabelValues(name).Add(float64(u.Prompt))
	m.hits.WithLabelValues(name).Add(float64(u.Cached))
	m.drafted.WithLabelValues(name).Add(float64(u.Proposed))
	m.accepted.WithLabelValues(name).Add(float64(u.Accepted))
	m.promptSize.WithLabelValues(name).Observe(float64(u.Prompt))
	if t.Total == 0 {
		return // embeddings
	}
	m.writtenSize.WithLabelValues(name).Observe(float64(u.Completion))
	m.whole.WithLabelValues(name).Observe(t.Total.Seconds())
	m.queue.WithLabelValues(name).Observe(t.Queue.Seconds())
	if t.FirstToken > 0 {
		m.first.WithLabelValues(name).Observe(t.FirstToken.Seconds())
	}
	if t.Decode > 0 {
		m.mean.WithLabelValues(name).Observe(1 / t.Decode)
	}
	for _, reason := range reasons(o) {
		m.success.WithLabelValues(name, reason).Inc()
	}
}

// reasons are why the choices of a call have ended, in vLLM's words.
func reasons(o service.Observation) []string {
	if o.Error != nil {
		if o.Error.Code == service.Cancelled {
			return []string{"abort"}
		}
		return []string{"error"}
	}
	var all []string
	for _, f := range o.Result.Finish {
		if f != "length" {
			f = "stop" // calls of tools are a way to stop
		}
		all = append(all, f)
	}
	return all
}

// tenant counts for a tenant.
func (m *Metrics) tenant(o service.Observation) {
	if o.Tenant == nil {
		return
	}
	name := m.label(o.Tenant.Name())
	code := "ok"
	if o.Error != nil {
		code = string(o.Error.Code)
	}
	m.tenantCalls.WithLabelValues(name, code).Inc()
	u := o.Result.Usage
	m.tenantToken.WithLabelValues(name, "prompt").Add(float64(u.Prompt))
	m.tenantToken.WithLabelValues(name, "cached").Add(float64(u.Cached))
	m.tenantToken.WithLabelValues(name, "generation").Add(float64(u.Completion))
}

// label is the label of a tenant, or that of those past the bound.
func (m *Metrics) label(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.tenants[name]:
	case len(m.tenants) < m.most:
		m.tenants[name] = true
	default:
		return other
	}
	return name
}

// state shows what a service is doing now. It is a prometheus.Collector.
type state struct {
	service atomic.Pointer[service.Service]
}
