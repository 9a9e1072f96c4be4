package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/web/config"
	"github.com/realm-webgpu/realm/web/load"
	"github.com/realm-webgpu/realm/web/server"
	"github.com/realm-webgpu/realm/web/tenant"
)

const benchServeHelp = `Serve measures a server as its clients see it, over real sockets. The server is one of
its own, on a free port, with a database of its own; every prompt is another, so that
none is known already.

  streams   tokens a second of all together, the time to the first token and from one
            to the next, for so many clients at a time, over each of --ways
  overhead  the same texts through the server and straight through the engine, by turns
  flood     what a quiet tenant sees alone, and beside one that asks as much as it can
  soak      many tenants, and connections that stream for --duration: what failed, and
            what is left behind`

// benchServeFlags are the flags of realm bench serve.
type benchServeFlags struct {
	model    modelFlags
	device   string
	opening  deviceFlags
	load     loadFlags
	measure  []string
	ways     []string
	streams  []int
	prompt   countValue
	tokens   countValue
	rounds   countValue
	tenants  countValue
	connects countValue
	duration time.Duration
	json     bool
}

// serveMeasurement is a part of realm bench serve. It adds to the report.
type serveMeasurement struct {
	name string
	run  func(*serveBench, context.Context, *serveReport) error
}

// serveMeasurements is the table of all there are, in their order.
func serveMeasurements() []serveMeasurement {
	return []serveMeasurement{
		{"streams", (*serveBench).measureStreams},
		{"overhead", (*serveBench).measureOverhead},
		{"flood", (*serveBench).measureFlood},
		{"soak", (*serveBench).measureSoak},
	}
}

func newBenchServe() *cobra.Command {
	var names, ways []string
	for _, m := range serveMeasurements() {
		names = append(names, m.name)
	}
	for _, w := range load.Ways() {
		ways = append(ways, string(w))
	}
	f := benchServeFlags{prompt: 32, tokens: 24, rounds: 3, tenants: 1000, connects: 200}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Measure a server as its clients see it",
		Long:  benchServeHelp,
		Example: `  realm bench serve --device cpu
  realm bench serve -m model.gguf --measure streams --ways sse --streams 1,8,64
  realm bench serve --measure soak --duration 60s --json`,
		Args: arguments(0, 0, "none: name the file with -m"),
		RunE: f.run,
	}
	flags := c.Flags()
	f.model.add(flags)
	flags.StringVar(&f.device, "device", "auto", deviceHelp)
	flags.StringSliceVar(&f.measure, "measure", names, "`PARTS` to measure")
	flags.StringSliceVar(&f.ways, "ways", ways, "`WAYS` to ask: http, sse, ws")
	flags.IntSliceVar(&f.streams, "streams", []int{1, 2, 4, 8, 16, 32, 64}, "how many clients ask at a time, a list")
	flags.Var(&f.prompt, "prompt", "tokens of each prompt")
	flags.Var(&f.tokens, "tokens", "tokens to write of each text, 2 at least")
	flags.Var(&f.rounds, "rounds", "how often each client asks, and the overhead is measured")
	flags.Var(&f.tenants, "tenants", "tenants of the soak")
	flags.Var(&f.connects, "connections", "connections of the soak")
	flags.DurationVar(&f.duration, "duration", 20*time.Second, "how long to flood, and to soak")
	f.load.addCache(flags)
	f.opening.add(flags)
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	return c
}

// check reports what is wrong with the flags.
func (f *benchServeFlags) check() error {
	for _, n := range []struct {
		flag        string
		value, most countValue
	}{{"prompt", f.prompt, mostBatchTokens}, {"tokens", f.tokens, mostBatchTokens}, {"rounds", f.rounds, 1 << 20}, {"tenants", f.tenants, 1 << 16}, {"connections", f.connects, 1 << 14}} {
		if n.value < 1 || n.value > n.most {
			return fmt.Errorf("--%s %d: want 1 to %d", n.flag, n.value, n.most)
		}
	}
	if f.tokens < 2 {
		return fmt.Errorf("--tokens %d: want 2 at least", f.tokens)
	}
	for _, n := range f.streams {
		if n < 1 || n > mostBatch {
			return fmt.Errorf("--streams %d: want 1 to %d", n, mostBatch)
		}
	}
	for _, name := range f.measure {
		if !slices.ContainsFunc(serveMeasurements(), func(m serveMeasurement) bool { return m.name == name }) {
			return fmt.Errorf("--measure %s: want some of streams, overhead, flood and soak", name)
		}
	}
	for _, way := range f.ways {
		if !slices.Contains(load.Ways(), load.Way(way)) {
			return fmt.Errorf("--ways %s: want some of http, sse and ws", way)
		}
	}
	if f.duration < time.Second {
		return fmt.Errorf("--duration %v: want 1s at least", f.duration)
	}
	return nil
}

func (f *benchServeFlags) run(c *cobra.Command, _ []string) (err error) {
	if err := f.check(); err != nil {
		return &usageError{c.CommandPath(), err}
	}
	b := &serveBench{flags: f, notes: c.ErrOrStderr(), command: c}
	if b.dir, err = os.MkdirTemp("", "realm-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	r := &serveReport{Model: f.model.name(), Option: f.device, PromptTokens: int(f.prompt), Tokens: int(f.tokens)}
	for _, m := range serveMeasurements() {
		if !slices.Contains(f.measure, m.name) {
			continue
		}
		if err := m.run(b, c.Context(), r); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	if f.json {
		return printJSON(c.OutOrStdout(), r)
	}
	return r.print(c.OutOrStdout())
}

// serveBench measures servers.
type serveBench struct {
	flags   *benchServeFlags
	command *cobra.Command
	notes   io.Writer
	dir     string // for databases
	started int
}

// benchServer is a server that runs.
type benchServer struct {
	*server.Server
	url   string
	store *tenant.Store
	stop  context.CancelFunc
	ended chan error
}

// start runs a server. The device that it has is told to the report.
func (b *serveBench) start(ctx context.Context, r *serveReport) (*benchServer, error) {
	quietMesa()
	b.started++
	f, x := b.flags, config.Default()
	x.Listen, x.Device, x.Threads = "127.0.0.1:0", f.device, int(f.opening.threads)
	x.Memory.Total, x.Memory.KV = config.Size(f.opening.memory), config.Size(f.opening.kv)
	x.Database = filepath.Join(b.dir, fmt.Sprintf("%d.db", b.started))
	x.Log.Level = "error"
	x.Queue.Limit, x.Tenants.Queue = 1<<16, 0
	if f.model.path != "" {
		m := modelOf(f.model.path)
		m.Preload, m.Context, m.CacheType = true, int(f.load.context), device.CacheType(f.load.cacheType).String()
		x.Models = []config.Model{m}
	}
	if err := x.Validate(); err != nil {
		return nil, &usageError{b.command.CommandPath(), err}
	}
	level := &slog.LevelVar{}
	s, err := server.New(ctx, x, server.Options{Version: version(), Log: newLog(b.notes, x, level), Level: level})
	if err != nil {
		return nil, err
	}
	r.deviceReport = newDeviceReport(s.Snapshot().Device)
	running, stop := context.WithCancel(ctx)
	z := &benchServer{Server: s, stop: stop, ended: make(chan error, 1)}
	ready := make(chan struct{})
	go func() {
		z.ended <- s.Run(running, func(address, _ net.Addr) {
			z.url = "http://" + address.String()
			close(ready)
		})
	}()
	select {
	case <-ready:
	case err := <-z.ended:
		stop()
		return nil, errors.Join(err, s.Close())
	}
	if z.store, err = tenant.Open(ctx, x.Database, tenant.Options{}); err != nil {
		return nil, errors.Join(err, z.Close())
	}
	return z, nil
}

// Close ends the server.
func (z *benchServer) Close() error {
	z.stop()
	err := <-z.ended
	if z.store != nil {
		err = errors.Join(err, z.store.Close())
	}
	return errors.Join(err, z.Server.Close())
}

// tenants makes n tenants and returns a key of each.
func (z *benchServer) tenants(ctx context.Context, n int, prefix string) ([]string, error) {
	keys := make([]string, n)
	for i := range keys {
		name := fmt.Sprintf("%s-%d", prefix, i)
		if _, err := z.store.Create(ctx, name, tenant.NewSettings()); err != nil {
			return nil, err
		}
		var err error
		if keys[i], _, err = z.store.CreateKey(ctx, name, "bench", time.Time{}); err != nil {
			return nil, err
		}
	}
	if n > 0 {
		time.Sleep(2 * tenant.PollInterval) // until the server has seen them
	}
	return keys, nil
}

// clients returns n clients, with keys by turns; without any, none has one.
func (z *benchServer) clients(n int, way load.Way, keys ...string) []*load.Client {
	all := make([]*load.Client, n)
	for i := range all {
		all[i] = &load.Client{URL: z.url, Way: way}
		if len(keys) > 0 {
			all[i].Key = keys[i%len(keys)]
		}
	}
	return all
}

// closeAll closes clients.
func closeAll(clients []*load.Client) {
	for _, c := range clients {
		_ = c.Close() // the server has ended the answer, or will
	}
}

// request returns what clients ask for.
func (b *serveBench) request(int) load.Request {
	return load.Request{Prompt: load.Prompt(int(b.flags.prompt), benchVocabulary), Tokens: int(b.flags.tokens)}
}

// benchVocabulary is less than any vocabulary has.
const benchVocabulary = 1000

// failure is the error of a measurement in which something failed.
func failure(r load.Result) error {
	if r.Failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d answers failed: %w", r.Failed, r.Answers, r.Err)
}

// waysOf returns the ways of the flags.
func (f *benchServeFlags) waysOf() []load.Way {
	var ways []load.Way
	for _, w := range f.ways {
		ways = append(ways, load.Way(strings.TrimSpace(w)))
	}
	return ways
}
