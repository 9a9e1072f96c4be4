package metrics

import (
	"io"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/web/internal/webtest"
	"github.com/realm-webgpu/realm/web/service"
)

// scrape returns what Prometheus reads, by name and labels.
func scrape(t *testing.T, m *Metrics) map[string]float64 {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatal(w.Code, err, string(text))
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(strings.TrimSpace(line[i+1:]), 64)
		if err != nil {
			t.Fatal(line, err)
		}
		all[line[:i]] = v
	}
	return all
}

// TestMetrics has real calls counted, and the state of a real service.
func TestMetrics(t *testing.T) {
	m := New(Options{})
	model := service.ModelSpec{Name: "atlas", Open: webtest.Atlas, Load: engine.LoadOptions{CacheTokens: 4096}}
	s := webtest.Service(t, model, func(o *service.Options) { o.Observer = m })
	if _, ok := scrape(t, m)["vllm:num_requests_running"]; ok {
		t.Error("there is a state of no service")
	}
	m.Watch(s)
	ask := func(c service.Call, deliver func(service.Delta) error) error {
		c.Chat = &service.Chat{Messages: []byte(`[{"role":"user","content":"` + strings.Repeat("What is the capital of France? ", 6) + `"}]`)}
		c.Deliver = deliver
		a, err := s.Start(t.Context(), c)
		if err != nil {
			return err
		}
		defer a.Close()
		_, err = a.Run()
		return err
	}
	taken := func(service.Delta) error { return nil }
	for range 2 {
		if err := ask(service.Call{Request: guest.Request{MaxTokens: 4, IgnoreEOS: true, N: 2, Speculative: &guest.Speculation{Mode: "lookup"}}}, taken); err != nil {
			t.Fatal(err)
		}
	}
	// A client that goes when the first text comes.
	gone := func(service.Delta) error { return &service.Error{Code: service.Cancelled} }
	if ask(service.Call{}, gone) == nil || ask(service.Call{Model: "none"}, taken) == nil {
		t.Error("calls went well that cannot")
	}
	all := scrape(t, m)
	for name, want := range map[string]float64{
		`vllm:request_success_total{finished_reason="length",model_name="atlas"}`: 4,
		`vllm:e2e_request_latency_seconds_count{model_name="atlas"}`:              3,
		`vllm:request_success_total{finished_reason="abort",model_name="atlas"}`:  1,
		`vllm:time_to_first_token_seconds_count{model_name="atlas"}`:              3,
		`vllm:num_requests_running`:                                               0,
		`vllm:num_requests_waiting`:                                               0,
		`realm_request_errors_total{code="MODEL_NOT_FOUND"}`:                      1,
		`realm_tenant_requests_total{code="ok",tenant="local"}`:                   2,
		`realm_memory_bytes{kind="adapters"}`:                                     0,
	} {
		if got, ok := all[name]; !ok || got != want {
			t.Errorf("%s is %g (%v), want %g", name, got, ok, want)
		}
	}
	for _, name := range []string{
		`vllm:generation_tokens_total{model_name="atlas"}`, `realm_tenant_tokens_total{kind="generation",tenant="local"}`,
		`vllm:prompt_tokens_total{model_name="atlas"}`, `vllm:prefix_cache_queries_total{model_name="atlas"}`, `vllm:prefix_cache_hits_total{model_name="atlas"}`,
		`vllm:inter_token_latency_seconds_count{model_name="atlas"}`, `realm_memory_bytes{kind="weights"}`, `realm_steps_total`,
		`vllm:cache_config_info{block_size="32",enable_prefix_caching="True",model_name="atlas",num_gpu_blocks="128"}`,
	} {
		if !(all[name] > 0) {
			t.Errorf("%s is %g", name, all[name])
		}
	}
	if _, ok := all[`vllm:kv_cache_usage_perc{model_name="atlas"}`]; !ok {
		t.Error("the cache is not shown")
	}
	if !slices.ContainsFunc(slicesOf(all), regexp.MustCompile(`^vllm:lora_requests_info\{max_lora="\d+",running_lora_adapters="",waiting_lora_adapters=""\}$`).MatchString) {
		t.Error("adapters are not shown")
	}
	if problems, err := testutil.GatherAndLint(m.registry); err != nil {
		t.Error(err)
	} else {
		for _, p := range problems {
			if !strings.HasPrefix(p.Metric, "vllm:") {
				t.Errorf("%s: %s", p.Metric, p.Text)
			}
		}
	}
}

func slicesOf(all map[string]float64) []string {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	return names
}

// TestTenants bounds the labels of tenants.
func TestTenants(t *testing.T) {
	m := New(Options{Tenants: 2})
	for _, c := range [][2]string{{"a", "a"}, {"b", "b"}, {"c", other}, {"a", "a"}, {"d", other}} {
		if got := m.label(c[0]); got != c[1] {
			t.Errorf("%s is %s", c[0], got)
		}
	}
	m.Gap("x", time.Millisecond)
	if n := testutil.CollectAndCount(m.gap); n != 1 {
		t.Errorf("%d histograms", n)
	}
}
