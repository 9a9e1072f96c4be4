package main

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/web/load"
	"github.com/realm-webgpu/realm/web/service"
)

// serveReport is what realm bench serve prints, in JSON or for people.
type serveReport struct {
	Model  string `json:"model"`
	Option string `json:"option"` // as --device named it
	deviceReport
	PromptTokens int             `json:"prompt_tokens"`
	Tokens       int             `json:"tokens"`
	Streams      []streamsReport `json:"streams,omitempty"`
	Overhead     *overheadReport `json:"overhead,omitempty"`
	Flood        *floodReport    `json:"flood,omitempty"`
	Soak         *soakReport     `json:"soak,omitempty"`
}

// timesReport is the spread of times, in seconds.
type timesReport struct {
	P50 float64 `json:"p50_seconds"`
	P99 float64 `json:"p99_seconds"`
	Max float64 `json:"max_seconds"`
}

func newTimesReport(t load.Times) timesReport {
	return timesReport{t.P50.Seconds(), t.P99.Seconds(), t.Max.Seconds()}
}

// streamsReport is what so many clients see at a time.
type streamsReport struct {
	Way     load.Way    `json:"way"`
	Clients int         `json:"clients"`
	Rate    float64     `json:"tokens_per_second"` // of all together
	First   timesReport `json:"time_to_first_token"`
	Gap     timesReport `json:"inter_token"`
}

func (b *serveBench) measureStreams(ctx context.Context, r *serveReport) error {
	z, err := b.start(ctx, r)
	if err != nil {
		return err
	}
	for _, way := range b.flags.waysOf() {
		for _, n := range b.flags.streams {
			result, err := b.measureClients(ctx, z, way, n)
			if err != nil {
				return errors.Join(err, z.Close())
			}
			r.Streams = append(r.Streams, streamsReport{way, n, result.Rate(), newTimesReport(result.First), newTimesReport(result.Gap)})
		}
	}
	return z.Close()
}

// measureClients has n clients ask. What they ask first compiles what is needed.
func (b *serveBench) measureClients(ctx context.Context, z *benchServer, way load.Way, n int) (load.Result, error) {
	clients := z.clients(n, way)
	defer closeAll(clients)
	if warm := load.Run(ctx, clients, 1, time.Time{}, b.request); warm.Failed > 0 {
		return warm, failure(warm)
	}
	result := load.Run(ctx, clients, int(b.flags.rounds), time.Time{}, b.request)
	return result, failure(result)
}

// overheadReport compares the server with the engine by itself.
type overheadReport struct {
	Clients int    `json:"clients"`
	Engine  spread `json:"engine_tokens_per_second"`
	Server  spread `json:"server_tokens_per_second"`
	Share   spread `json:"overhead"` // of each pair: 1 less the server's rate over the engine's
}

// overheadClients is how many texts are written at a time to find the overhead.
const overheadClients = 8

func (b *serveBench) measureOverhead(ctx context.Context, r *serveReport) (err error) {
	f := b.flags
	file, err := f.model.open()
	if err != nil {
		return err
	}
	defer file.Close()
	l := f.load
	l.cacheTokens = overheadClients * (int(f.prompt) + int(f.tokens) + 64)
	own, err := openSession(ctx, b.notes, file, f.device, f.opening, l)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, own.Close()) }()
	z, err := b.start(ctx, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, z.Close()) }()
	clients := z.clients(overheadClients, load.SSE)
	defer closeAll(clients)
	var engineRates, serverRates, shares []float64
	for round := range int(f.rounds) + 1 {
		rate, err := b.straight(ctx, own)
		if err != nil {
			return err
		}
		result := load.Run(ctx, clients, 1, time.Time{}, b.request)
		if err := failure(result); err != nil {
			return err
		}
		if round == 0 {
			continue // it compiled what the others need
		}
		engineRates, serverRates = append(engineRates, rate), append(serverRates, result.Rate())
		shares = append(shares, 1-result.Rate()/rate)
	}
	r.Overhead = &overheadReport{overheadClients, newSpread(engineRates), newSpread(serverRates), newSpread(shares)}
	return nil
}

// straight has texts written by an engine without a server, and returns the tokens a
// second.
func (b *serveBench) straight(ctx context.Context, s *session) (float64, error) {
	requests := make([]engine.Request, overheadClients)
	start := time.Now()
	for i := range requests {
		q, err := s.model.NewSequence()
		if err != nil {
			return 0, err
		}
		defer q.Close()
		ask := b.request(i)
		requests[i] = engine.Request{Sequence: q, Tokens: ask.Prompt, MaxTokens: ask.Tokens}
	}
	if err := drain(ctx, s.engine.Start(ctx, requests...)...); err != nil {
		return 0, err
	}
	return float64(overheadClients*int(b.flags.tokens)) / time.Since(start).Seconds(), nil
}

// floodReport is what a quiet tenant sees.
type floodReport struct {
	Clients     int         `json:"flooding_clients"`
	Alone       timesReport `json:"alone_time_to_first_token"`
	Beside      timesReport `json:"beside_time_to_first_token"`
	TimesAlone  float64     `json:"p99_times_alone"`
	AloneRate   float64     `json:"quiet_alone_tokens_per_second"`
	QuietRate   float64     `json:"quiet_tokens_per_second"`
	FloodRate   float64     `json:"flooding_tokens_per_second"`
	QuietShare  float64     `json:"quiet_share"` // of the tokens; what it asks for, up to a half, is fair
	QuietFailed int         `json:"quiet_failed"`
}

// The clients of a flood.
const (
	quietClients = 4
	floodClients = 32
)

func (b *serveBench) measureFlood(ctx context.Context, r *serveReport) error {
	z, err := b.start(ctx, r)
	if err != nil {
		return err
	}
	report, err := b.flood(ctx, z)
	if err == nil {
		r.Flood = report
	}
	return errors.Join(err, z.Close())
}

func (b *serveBench) flood(ctx context.Context, z *benchServer) (*floodReport, error) {
	keys, err := z.tenants(ctx, 2, "flood")
	if err != nil {
		return nil, err
	}
	quiet, loud := z.clients(quietClients, load.SSE, keys[0]), z.clients(floodClients, load.SSE, keys[1])
	defer closeAll(quiet)
	defer closeAll(loud)
	half := b.flags.duration / 2
	// All programs are compiled before anything is measured.
	warm := load.Run(ctx, append(append([]*load.Client(nil), quiet...), loud...), 1, time.Time{}, b.request)
	if err := failure(warm); err != nil {
		return nil, err
	}
	alone := load.Run(ctx, quiet, 0, time.Now().Add(half), b.request)
	if err := failure(alone); err != nil {
		return nil, err
	}
	until := time.Now().Add(half)
	flooding := make(chan load.Result, 1)
	go func() { flooding <- load.Run(ctx, loud, 0, until, b.request) }()
	beside := load.Run(ctx, quiet, 0, until, b.request)
	flood := <-flooding
	x := &floodReport{
		Clients: floodClients, Alone: newTimesReport(alone.First), Beside: newTimesReport(beside.First),
		AloneRate: alone.Rate(), QuietRate: beside.Rate(), FloodRate: flood.Rate(), QuietFailed: beside.Failed,
	}
	if x.Alone.P99 > 0 {
		x.TimesAlone = x.Beside.P99 / x.Alone.P99
	}
	if all := x.QuietRate + x.FloodRate; all > 0 {
		x.QuietShare = x.QuietRate / all
	}
	return x, nil
}

// soakReport is what many tenants and connections leave behind.
type soakReport struct {
	Tenants     int         `json:"tenants"`
	Connections int         `json:"connections"`
	Seconds     float64     `json:"seconds"`
	Answers     int         `json:"answers"`
	Failed      int         `json:"failed"`
	Rate        float64     `json:"tokens_per_second"`
	First       timesReport `json:"time_to_first_token"`
	Goroutines  [2]int      `json:"goroutines"`   // before and after
	DeviceBytes [2]int64    `json:"device_bytes"` // likewise
	PagesHeld   int         `json:"pages_held"`   // after
	Answering   int         `json:"answering"`    // after
	FirstError  string      `json:"first_error,omitempty"`
}

func (b *serveBench) measureSoak(ctx context.Context, r *serveReport) error {
	z, err := b.start(ctx, r)
	if err != nil {
		return err
	}
	report, err := b.soak(ctx, z)
	if err == nil {
		r.Soak = report
	}
	return errors.Join(err, z.Close())
}

func (b *serveBench) soak(ctx context.Context, z *benchServer) (*soakReport, error) {
	f := b.flags
	keys, err := z.tenants(ctx, int(f.tenants), "soak")
	if err != nil {
		return nil, err
	}
	// As many at once as later: what is taken once for all is taken now.
	warm := z.clients(int(f.connects), load.SSE, keys...)
	if first := load.Run(ctx, warm, 1, time.Time{}, b.request); first.Failed > 0 {
		return nil, failure(first)
	}
	closeAll(warm)
	z.settle()
	x := &soakReport{Tenants: len(keys), Connections: int(f.connects), Seconds: f.duration.Seconds()}
	before := z.Snapshot()
	x.Goroutines[0], x.DeviceBytes[0] = runtime.NumGoroutine(), before.Memory.Total.Used
	clients := z.clients(int(f.connects), load.SSE, keys...)
	result := load.Run(ctx, clients, 0, time.Now().Add(f.duration), b.request)
	closeAll(clients)
	after := z.settle()
	x.Goroutines[1], x.DeviceBytes[1] = runtime.NumGoroutine(), after.Memory.Total.Used
	x.Answering, x.PagesHeld = after.Answers, pagesHeld(after)
	x.Answers, x.Failed, x.Rate, x.First = result.Answers, result.Failed, result.Rate(), newTimesReport(result.First)
	if result.Err != nil {
		x.FirstError = result.Err.Error()
	}
	return x, nil
}

// The time that connections which were closed need to be seen to be, and how long is
// waited for answers that do not end.
const (
	settleTime     = 2 * time.Second
	settlePatience = time.Minute
)

// settle waits until nothing is under way any more, or for long enough.
func (z *benchServer) settle() service.Snapshot {
	time.Sleep(settleTime)
	now := z.Snapshot()
	for end := time.Now().Add(settlePatience); (now.Answers > 0 || pagesHeld(now) > 0) && time.Now().Before(end); now = z.Snapshot() {
		time.Sleep(time.Millisecond)
	}
	runtime.GC()
	return now
}

func pagesHeld(s service.Snapshot) (n int) {
	for _, m := range s.Models {
		n += m.Cache.Pages - m.Cache.Free
	}
	return n
}
