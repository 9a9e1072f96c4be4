// Package trace sends traces of requests to OpenTelemetry's collectors, over OTLP and
// HTTP. It is off unless an endpoint is configured. Spans have no text of prompts or
// answers: routes, statuses, models, counts of tokens and times.
package trace

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/realm-webgpu/realm/web/service"
)

// Options say where traces go.
type Options struct {
	// Endpoint is the URL of a collector, such as http://localhost:4318, with or without
	// the path /v1/traces; "": there are no traces.
	Endpoint string
	// Sample is the share of requests that are traced, 0 to 1.
	Sample float64
	// Parents lets a request's own traceparent be the parent of its span, and decide
	// whether it is traced: for a server behind a gateway. Without, they are linked.
	Parents          bool
	Service, Version string
	Log              *slog.Logger // of what a collector did not take; nil: nowhere
}

// Tracer makes traces.
type Tracer struct {
	options  Options
	provider *sdk.TracerProvider // nil: off
}

// Open begins to send traces, in the background. What a collector does not take is
// dropped: requests never wait for it.
func Open(ctx context.Context, o Options) (*Tracer, error) {
	if o.Endpoint == "" {
		return &Tracer{}, nil
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("trace: open: %q is no URL of a collector, such as http://localhost:4318", o.Endpoint)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces" // https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.String()))
	if err != nil {
		return nil, fmt.Errorf("trace: open %s: %w", o.Endpoint, err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Tracer{options: o, provider: sdk.NewTracerProvider(
		sdk.WithBatcher(&sender{exporter, o.Log}),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(o.Sample))),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", o.Service), attribute.String("service.version", o.Version))),
	)}, nil
}

// sender sends spans, and logs where that fails: else the SDK writes it to standard
// error.
type sender struct {
	sdk.SpanExporter
	log *slog.Logger
}

// ExportSpans implements sdk.SpanExporter.
func (s *sender) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if err := s.SpanExporter.ExportSpans(ctx, spans); err != nil {
		s.log.Warn("spans were dropped: the collector did not take them", "spans", len(spans), "error", err)
	}
	return nil
}

// Close sends what has not been sent, until ctx is done.
func (t *Tracer) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("trace: close: %w", err)
	}
	return nil
}

// Handler traces requests, but for those of probes and scrapes.
func (t *Tracer) Handler(next http.Handler) http.Handler {
	if t.provider == nil {
		return next
	}
	options := []otelhttp.Option{
		otelhttp.WithTracerProvider(t.provider),
		otelhttp.WithMeterProvider(metricnoop.NewMeterProvider()),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithFilter(func(r *http.Request) bool {
			switch r.URL.Path {
			case "/health", "/ready", "/metrics", "/version":
				return false
			}
			return true
		}),
	}
	if !t.options.Parents {
		options = append(options, otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true }))
	}
	return otelhttp.NewHandler(next, "request", options...)
}

// Route names the span of a request, and has its id and tenant.
func Route(ctx context.Context, method, route, id, tenant string) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetName(method + " " + route)
	span.SetAttributes(attribute.String("http.route", route), attribute.String("realm.request.id", id), attribute.String("realm.tenant.id", tenant))
}

// Call begins the span of a call on a WebSocket, whose handshake ctx is of: a connection
// is no request, and may live for days. The function ends it.
func Call(ctx context.Context, function, id, tenant string) (context.Context, func()) {
	handshake := trace.SpanFromContext(ctx)
	ctx, span := handshake.TracerProvider().Tracer(name).Start(ctx, "WS "+function,
		trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: handshake.SpanContext()}), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("realm.request.id", id), attribute.String("realm.tenant.id", tenant)))
	return ctx, func() { span.End() }
}

// name is what spans of this package say made them.
const name = "github.com/realm-webgpu/realm/web/trace"

// Fail tells the span of a request the code of the error that it ended with.
func Fail(ctx context.Context, code service.Code) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(attribute.String("error.type", string(code)))
	if code.Status() >= http.StatusInternalServerError { // else it is the caller's
		span.SetStatus(codes.Error, "")
	}
}

// Answer tells the span of a request what an answer took that has just ended, in the
// words of https://opentelemetry.io/docs/specs/semconv/gen-ai/.
func Answer(ctx context.Context, r service.Result) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(
		attribute.String("gen_ai.request.model", r.Model), attribute.String("realm.adapter", r.Adapter),
		attribute.Int("gen_ai.usage.input_tokens", r.Usage.Prompt), attribute.Int("gen_ai.usage.output_tokens", r.Usage.Completion),
		attribute.Int("realm.usage.cached_tokens", r.Usage.Cached), attribute.StringSlice("gen_ai.response.finish_reasons", r.Finish),
	)
	start := time.Now().Add(-r.Timings.Total)
	for _, e := range []struct {
		name string
		at   time.Duration
	}{{"first step", r.Timings.Queue}, {"first token", r.Timings.FirstToken}} {
		if e.at > 0 {
			span.AddEvent(e.name, trace.WithTimestamp(start.Add(e.at)))
		}
	}
}
