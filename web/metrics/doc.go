// Package metrics shows a service to Prometheus, under the names that vLLM gave
// (https://docs.vllm.ai/en/stable/usage/metrics/), so that routers and dashboards made
// for vLLM, such as llm-d and the Gateway API's inference extension, read them.
//
//	m := metrics.New(metrics.Options{})
//	s, err := service.New(ctx, service.Options{Observer: m, ...})
//	m.Watch(s)
//	http.Handle("/metrics", m.Handler())
//
// What is not per model here, the number of runs in steps and in the queue, has no
// label model_name: one scheduler serves all models of a device. What vLLM has no name
// for begins with realm_.
package metrics
