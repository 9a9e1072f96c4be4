package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
)

const benchHelp = `Bench measures how fast a device reads a prompt (prefill) and writes tokens
(decode), for one sequence; bench batch measures many. Every repetition has a prompt of its own, of random
tokens, and one that is not counted comes first, for what is compiled then.

The weights that a token needs are all matrices but the embedding's table, of
which it takes a row. GB/s is how fast they are read while decoding: compare it
with the bandwidth of the device's memory.

With --tune it runs no model. It measures ways to cut matrix products into threads
on WebGPU adapters, which takes up to some minutes, and remembers the best for
every later command in the folder realm of the user's caches. Answers stay the
same.`

// benchFlags are the flags of realm bench.
type benchFlags struct {
	model       modelFlags
	devices     []string
	opening     deviceFlags
	load        loadFlags
	prompt      countValue
	tokens      countValue
	repetitions countValue
	tune        bool
	json        bool
}

func newBench() *cobra.Command {
	f := benchFlags{prompt: 64, tokens: 32, repetitions: 5}
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast a model runs",
		Long:  benchHelp,
		Example: `  realm bench
  realm bench -m model.gguf --prompt 512 --tokens 64
  realm bench -m model.gguf --device webgpu:0,cpu --json
  realm bench --tune --device webgpu:0
  realm bench batch --device cpu`,
		Args: arguments(0, 0, "none: name the file with -m"),
		RunE: f.run,
	}
	flags := c.Flags()
	f.model.add(flags)
	flags.StringSliceVar(&f.devices, "device", []string{"auto"}, deviceHelp+"; may be repeated, to compare")
	flags.Var(&f.prompt, "prompt", "tokens of the prompt")
	flags.Var(&f.tokens, "tokens", "tokens to write, 2 at least")
	flags.Var(&f.repetitions, "repetitions", "how often to measure")
	f.load.addCache(flags)
	f.opening.add(flags)
	flags.BoolVar(&f.tune, "tune", false, "find the fastest kernels for an adapter and remember them")
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	c.AddCommand(newBenchBatch(), newBenchServe())
	return c
}

// benchReport is what realm bench prints, in JSON or for people.
type benchReport struct {
	Model        string        `json:"model"`
	Weights      int           `json:"weights"` // of all tensors
	BytesToken   int64         `json:"weight_bytes_per_token"`
	PromptTokens int           `json:"prompt_tokens"`
	Tokens       int           `json:"tokens"`
	Repetitions  int           `json:"repetitions"`
	CacheType    string        `json:"kv_type"`
	Devices      []benchDevice `json:"devices"`
}

// benchDevice are the measurements of one device.
type benchDevice struct {
	Option string `json:"option"` // as --device named it
	deviceReport
	Load       float64  `json:"load_seconds"`
	Ready      float64  `json:"ready_seconds"` // from opening the device to the first token, what is compiled included
	Memory     int64    `json:"memory_bytes"`
	Prefill    spread   `json:"prefill_tokens_per_second"`
	Decode     spread   `json:"decode_tokens_per_second"`
	Bandwidth  spread   `json:"decode_weight_gb_per_second"` // 10^9 bytes
	FirstToken spread   `json:"first_token_seconds"`
	PerToken   perToken `json:"per_token"` // while decoding
}

// perToken is what a token costs, by the counters of the device.
type perToken struct {
	Dispatches float64 `json:"dispatches"`
	Submits    float64 `json:"submits"`
	Written    float64 `json:"written_bytes"`
	ReadBack   float64 `json:"read_back_bytes"`
}

// spread sums up the repetitions.
type spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

func newSpread(x []float64) spread {
	x = slices.Sorted(slices.Values(x))
	n := len(x)
	return spread{x[0], (x[(n-1)/2] + x[n/2]) / 2, x[n-1]}
}

// scaled returns the spread in another unit.
func (s spread) scaled(by float64) spread { return spread{s.Min * by, s.Median * by, s.Max * by} }

func (f *benchFlags) run(c *cobra.Command, _ []string) error {
	if f.tune {
		return runTune(c, f.devices, f.json)
	}
	for _, n := range []struct {
		flag         string
		value, least countValue
	}{{"prompt", f.prompt, 1}, {"tokens", f.tokens, 2}, {"repetitions", f.repetitions, 1}} {
		if n.value < n.least {
			return &usageError{c.CommandPath(), fmt.Errorf("--%s %d: want %d or more", n.flag, n.value, n.least)}
		}
	}
	file, err := f.model.open()
	if err != nil {
		return err
	}
	defer file.Close()
	r := benchReport{
		Model: f.model.name(), PromptTokens: int(f.prompt), Tokens: int(f.tokens), Repetitions: int(f.repetitions),
		CacheType: device.CacheType(f.load.cacheType).String(),
	}
	for _, t := range file.Tensors {
		r.Weights += t.Elements()
	}
	if r.BytesToken, err = weightBytes(file); err != nil {
		return &modelError{err}
	}
	for _, option := range f.devices {
		d, err := f.measure(c, file, option, r.BytesToken)
		if err != nil {
			return fmt.Errorf("%s: %w", option, err)
		}
		r.Devices = append(r.Devices, d)
	}
	if f.json {
		return printJSON(c.OutOrStdout(), r)
	}
	return r.print(c.OutOrStdout())
}

// weightBytes returns the bytes of weights that the device reads for one token:
// all but the embedding's table, where the output does not use it too, and of
// experts the share that a token is sent to.
func weightBytes(f *gguf.File) (int64, error) {
	architecture, err := f.String("general.architecture")
	if err != nil {
		return 0, err
	}
	experts, errAll := gguf.Or(f.Uint, architecture+".expert_count", 0)
	used, errUsed := gguf.Or(f.Uint, architecture+".expert_used_count", 0)
	if err := errors.Join(errAll, errUsed); err != nil {
		return 0, err
	}
	var bytes int64
	for _, t := range f.Tensors {
		switch {
		case t.Name == "token_embd.weight" && f.HasTensor("output.weight"):
		case len(t.Dims) == 3 && experts > 0:
			bytes += int64(float64(t.Size) * float64(used) / float64(experts))
		default:
			bytes += t.Size
		}
	}
	return bytes, nil
}

// measure runs the repetitions on one device.
func (f *benchFlags) measure(c *cobra.Command, file *gguf.File, option string, bytesToken int64) (d benchDevice, err error) {
	ctx, start := c.Context(), time.Now()
	s, err := openSession(ctx, c.ErrOrStderr(), file, option, f.opening, f.load)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if need := int(f.prompt) + int(f.tokens); need > s.model.Context() {
		return d, &usageError{c.CommandPath(), fmt.Errorf("--prompt and --tokens need %d tokens, the context has %d", need, s.model.Context())}
	}
	d = benchDevice{Option: option, deviceReport: newDeviceReport(s.engine.Device()), Load: s.load.Seconds()}
	if d.PerToken, d.Ready, err = f.count(ctx, s, start); err != nil {
		return d, err
	}
	var prefill, decode, first []float64
	for i := range int(f.repetitions) {
		stats, err := f.repetition(ctx, s, uint64(i)+1)
		if err != nil {
			return d, err
		}
		prefill = append(prefill, stats.PrefillRate())
		decode = append(decode, stats.DecodeRate())
		first = append(first, stats.FirstToken.Seconds())
	}
	d.Memory = s.engine.Memory().Total()
	d.Prefill, d.Decode, d.FirstToken = newSpread(prefill), newSpread(decode), newSpread(first)
	d.Bandwidth = d.Decode.scaled(float64(bytesToken) / 1e9)
	return d, nil
}

// count has the device count what tokens cost. It is the run that compiles, and
// is not timed. The first token is read on its own, so that no step of the
// prompt, nor one that was begun before the counters are read, is among them; ready is
// how long it took from a start until that token, in seconds.
func (f *benchFlags) count(ctx context.Context, s *session, start time.Time) (cost perToken, ready float64, err error) {
	sequence, err := f.sequence(s, 0)
	if err != nil {
		return cost, 0, err
	}
	defer sequence.Close()
	if err := write(ctx, sequence, 1); err != nil {
		return cost, 0, err
	}
	ready = time.Since(start).Seconds()
	tokens := float64(f.tokens - 1)
	before := s.engine.Counters()
	if err := write(ctx, sequence, int(f.tokens-1)); err != nil {
		return cost, 0, err
	}
	after := s.engine.Counters()
	return perToken{
		float64(after.Dispatches-before.Dispatches) / tokens, float64(after.Submits-before.Submits) / tokens,
		float64(after.Written-before.Written) / tokens, float64(after.ReadBack-before.ReadBack) / tokens,
	}, ready, nil
}

// repetition measures once.
func (f *benchFlags) repetition(ctx context.Context, s *session, number uint64) (stats engine.Stats, err error) {
	sequence, err := f.sequence(s, number)
	if err != nil {
		return stats, err
	}
	defer sequence.Close()
	if err := write(ctx, sequence, int(f.tokens)); err != nil {
		return stats, err
	}
	return sequence.Stats(), nil
}

// sequence returns a sequence with the prompt of a repetition: random tokens,
// the same in every run.
func (f *benchFlags) sequence(s *session, number uint64) (*engine.Sequence, error) {
	random := rand.New(rand.NewPCG(number, 0))
	ids := make([]int32, f.prompt)
	for i := range ids {
		ids[i] = random.Int32N(int32(s.model.Tokenizer().Len()))
	}
	sequence, err := s.model.NewSequence()
	if err != nil {
		return nil, err
	}
	if err := sequence.Append(ids...); err != nil {
		sequence.Close()
		return nil, err
	}
	return sequence, nil
}

// write has a sequence written on by so many tokens.
func write(ctx context.Context, sequence *engine.Sequence, tokens int) error {
	for _, err := range sequence.Generate(ctx, engine.GenerateOptions{MaxTokens: tokens, IgnoreEOS: true}) {
		if err != nil {
			return err
		}
	}
	return nil
}
