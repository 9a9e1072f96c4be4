package metrics

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-webgpu/realm/engine"
)

// pageTokens is how many tokens a page of the cache has.
const pageTokens = 32

// descriptions of what is read at each scrape.
var (
	running  = describe("vllm:num_requests_running", "Runs that are taken into steps.")
	waiting  = describe("vllm:num_requests_waiting", "Runs that wait to be.")
	cache    = describe("vllm:kv_cache_usage_perc", "Share of the cache's pages that are held, 0 to 1.", model)
	config   = describe("vllm:cache_config_info", "The cache: tokens of a page, and pages.", model, "block_size", "num_gpu_blocks", "enable_prefix_caching")
	adapters = describe("vllm:lora_requests_info", "The time of the scrape, and the adapters that requests use now.", "max_lora", "waiting_lora_adapters", "running_lora_adapters")
	preempts = describe("vllm:num_preemptions_total", "Runs that had to give way and were computed again.")
	memory   = describe("realm_memory_bytes", "The device's memory that is in use.", "kind")
	budget   = describe("realm_memory_budget_bytes", "How much of it there may be; 0: no bound of its own.", "kind")
	losses   = describe("realm_device_losses_total", "Times that the device was lost and opened again.")
	steps    = describe("realm_steps_total", "Steps of the scheduler.")
	rows     = describe("realm_step_rows_total", "Rows of all steps: tokens that were read or chosen.")
	requests = describe("realm_model_requests", "Requests that hold a model.", model)
	answers  = describe("realm_answers", "Calls that have been let in and have not ended.")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (s *state) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{running, waiting, cache, config, adapters, preempts, losses, memory, budget, steps, rows, requests, answers} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (s *state) Collect(out chan<- prometheus.Metric) {
	watched := s.service.Load()
	if watched == nil {
		return
	}
	x := watched.Snapshot()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v int64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	gauge(running, float64(x.Running))
	gauge(waiting, float64(x.Waiting))
	gauge(answers, float64(x.Answers))
	counter(preempts, x.Totals.Preemptions)
	counter(losses, x.Totals.Recoveries)
	counter(steps, x.Totals.Steps)
	counter(rows, x.Totals.Rows)
	for kind, a := range map[string]engine.Amount{
		"weights": x.Memory.Weights, "cache": x.Memory.Cache, "scratch": x.Memory.Scratch, "adapters": x.Memory.Adapters, "total": x.Memory.Total,
	} {
		gauge(memory, float64(a.Used), kind)
		gauge(budget, float64(a.Budget), kind)
	}
	inUse := map[string]bool{}
	for _, m := range x.Models {
		gauge(requests, float64(m.Leases), m.Name)
		if m.Cache.Pages > 0 {
			gauge(cache, float64(m.Cache.Pages-m.Cache.Free)/float64(m.Cache.Pages), m.Name)
			gauge(config, 1, m.Name, strconv.Itoa(pageTokens), strconv.Itoa(m.Cache.Pages), "True")
		}
		for name, n := range m.Adapters {
			if n > 0 {
				inUse[m.Name+":"+name] = true
			}
		}
	}
	// Requests that wait and those that run are not told apart by adapter. A step takes
	// any number of adapters: there is always room for one more, until memory is full.
	gauge(adapters, float64(time.Now().UnixNano())/1e9, strconv.Itoa(len(inUse)+1), "", strings.Join(slices.Sorted(maps.Keys(inUse)), ","))
}
