package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/model"
)

const benchBatchHelp = `Batch measures what a device does for many sequences at a time:

  sequences    tokens a second of all together, for so many texts written side by
               side, each behind a prompt of its own
  stall        the time from one token of a text to the next, alone and while the
               long prompt of another is read
  speculation  how much sooner the same texts come with drafts of a smaller model,
               beside what Leviathan's formula allows for the share of drafts that
               are right and the price of one
  fork         the time that forking a long sequence takes, and the pages
  adapters     what adapters of rank 8, one a text, add to a step, and what those that
               are there and nobody uses do
  cycles       what is left after a thousand sequences that were opened, written on
               and closed

The long prompt is cut to what the context has room for. Speculation asks for an
answer in the model's chat template, and needs a draft model: --draft, or for
atlas the one that is built in.`

// benchBatchFlags are the flags of realm bench batch.
type benchBatchFlags struct {
	model     modelFlags
	devices   []string
	opening   deviceFlags
	load      loadFlags
	drafting  speculationFlags
	measure   []string
	sequences []int
	prompt    countValue
	tokens    countValue
	long      countValue
	rounds    countValue
	json      bool
}

// batchMeasurement is a part of realm bench batch. It adds to the report of a device.
type batchMeasurement struct {
	name string
	run  func(*batchBench, context.Context, *batchDevice) error
}

// batchMeasurements is the table of all there are, in their order.
func batchMeasurements() []batchMeasurement {
	return []batchMeasurement{
		{"sequences", (*batchBench).measureSequences},
		{"stall", (*batchBench).measureStall},
		{"speculation", (*batchBench).measureSpeculation},
		{"fork", (*batchBench).measureFork},
		{"adapters", (*batchBench).measureAdapters},
		{"cycles", (*batchBench).measureCycles},
	}
}

func batchMeasurementNames() []string {
	var names []string
	for _, m := range batchMeasurements() {
		names = append(names, m.name)
	}
	return names
}

// The most of what can be asked for.
const (
	mostBatch       = 1024    // sequences
	mostBatchTokens = 1 << 16 // of a sequence, and of the long prompt
)

func newBenchBatch() *cobra.Command {
	f := benchBatchFlags{prompt: 32, tokens: 24, long: 2000, rounds: 3}
	c := &cobra.Command{
		Use:   "batch",
		Short: "Measure many sequences at a time",
		Long:  benchBatchHelp,
		Example: `  realm bench batch --device cpu
  realm bench batch -m model.gguf --device webgpu --measure sequences,stall
  realm bench batch -m model.gguf --draft small.gguf --measure speculation --json`,
		Args: arguments(0, 0, "none: name the file with -m"),
		RunE: f.run,
	}
	flags := c.Flags()
	f.model.add(flags)
	f.drafting.addDraft(flags)
	flags.StringSliceVar(&f.devices, "device", []string{"auto"}, deviceHelp+"; may be repeated, to compare")
	flags.StringSliceVar(&f.measure, "measure", batchMeasurementNames(), "`PARTS` to measure")
	flags.IntSliceVar(&f.sequences, "sequences", []int{1, 2, 4, 8, 16, 32}, "how many texts are written side by side, a list")
	flags.Var(&f.prompt, "prompt", "tokens of the prompt of each")
	flags.Var(&f.tokens, "tokens", "tokens to write of each, 2 at least")
	flags.Var(&f.long, "long", "tokens of the long prompt, and of the sequence that is forked")
	flags.Var(&f.rounds, "rounds", "how often to measure")
	f.load.addCache(flags)
	f.opening.add(flags)
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	return c
}

// check reports what is wrong with the flags.
func (f *benchBatchFlags) check() error {
	for _, n := range []struct {
		flag               string
		value, least, most countValue
	}{{"prompt", f.prompt, 1, mostBatchTokens}, {"tokens", f.tokens, 2, mostBatchTokens}, {"long", f.long, 1, mostBatchTokens}, {"rounds", f.rounds, 1, math.MaxInt32}} {
		if n.value < n.least || n.value > n.most {
			return fmt.Errorf("--%s %d: want %d to %d", n.flag, n.value, n.least, n.most)
		}
	}
	for _, n := range f.sequences {
		if n < 1 || n > mostBatch {
			return fmt.Errorf("--sequences %d: want 1 to %d", n, mostBatch)
		}
	}
	if len(f.sequences) == 0 {
		return errors.New("--sequences: want a number at least")
	}
	names := batchMeasurementNames()
	for _, name := range f.measure {
		if !slices.Contains(names, name) {
			return fmt.Errorf("--measure %s: want some of %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}

// batchReport is what realm bench batch prints, in JSON or for people.
type batchReport struct {
	Model        string        `json:"model"`
	Draft        string        `json:"draft_model,omitempty"`
	PromptTokens int           `json:"prompt_tokens"`
	Tokens       int           `json:"tokens"`
	Rounds       int           `json:"rounds"`
	CacheType    string        `json:"kv_type"`
	Devices      []batchDevice `json:"devices"`
}

// batchDevice are the measurements of one device. Those that were not asked for are
// left out.
type batchDevice struct {
	Option string `json:"option"` // as --device named it
	deviceReport
	Sequences   []sequencesReport  `json:"sequences,omitempty"`
	Stall       *stallReport       `json:"stall,omitempty"`
	Speculation *speculationReport `json:"speculation,omitempty"`
	Fork        *forkReport        `json:"fork,omitempty"`
	Adapters    []adaptersReport   `json:"adapters,omitempty"`
	Cycles      *cyclesReport      `json:"cycles,omitempty"`
	Skipped     []string           `json:"skipped,omitempty"` // what was not measured, and why
}

func (f *benchBatchFlags) run(c *cobra.Command, _ []string) error {
	if err := f.check(); err != nil {
		return &usageError{c.CommandPath(), err}
	}
	file, err := f.model.open()
	if err != nil {
		return err
	}
	defer file.Close()
	r := batchReport{
		Model: f.model.name(), PromptTokens: int(f.prompt), Tokens: int(f.tokens), Rounds: int(f.rounds),
		CacheType: device.CacheType(f.load.cacheType).String(),
	}
	if f.drafts() {
		r.Draft = f.drafting.name()
	}
	for _, option := range f.devices {
		d, err := f.measureDevice(c, file, option)
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

// drafts reports whether there is a draft model, and use for it.
func (f *benchBatchFlags) drafts() bool {
	return slices.Contains(f.measure, "speculation") && (f.drafting.path != "" || f.model.path == "")
}

// batchBench measures one device.
type batchBench struct {
	*session
	flags  *benchBatchFlags
	file   *gguf.File
	long   int // tokens of the long prompt
	random *rand.Rand
}

// measureDevice makes the measurements of one device.
func (f *benchBatchFlags) measureDevice(c *cobra.Command, file *gguf.File, option string) (d batchDevice, err error) {
	ctx, notes := c.Context(), c.ErrOrStderr()
	b := &batchBench{flags: f, file: file, random: rand.New(rand.NewPCG(1, 0))} // the same tokens in every run
	load := f.load
	if load.cacheTokens, err = f.cacheTokens(file); err != nil {
		return d, &modelError{err}
	}
	if b.session, err = openSession(ctx, notes, file, option, f.opening, load); err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if need := int(f.prompt) + int(f.tokens); need > b.model.Context() {
		return d, &usageError{c.CommandPath(), fmt.Errorf("--prompt and --tokens need %d tokens, the context has %d", need, b.model.Context())}
	}
	b.long = min(int(f.long), b.model.Context()-1)
	d = batchDevice{Option: option, deviceReport: newDeviceReport(b.engine.Device())}
	if f.drafts() {
		if err := b.withDraft(ctx, notes, &f.drafting, f.load); err != nil {
			return d, err
		}
	}
	for _, m := range batchMeasurements() {
		if !slices.Contains(f.measure, m.name) {
			continue
		}
		if err := m.run(b, ctx, &d); err != nil {
			return d, fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return d, nil
}

// cacheTokens returns how many tokens the cache is to have room for.
func (f *benchBatchFlags) cacheTokens(file *gguf.File) (int, error) {
	config, err := model.ReadConfig(file)
	if err != nil {
		return 0, err
	}
	length := f.load.contextOf(file, f.opening.kv, io.Discard)
	if length == 0 {
		length = config.ContextLength
	}
	need := length
	if slices.Contains(f.measure, "stall") {
		need += min(int(f.long), length)
	}
	each := (int(f.prompt) + int(f.tokens) + device.PageTokens - 1) / device.PageTokens * device.PageTokens
	for name, texts := range map[string][]int{"sequences": f.sequences, "adapters": adapterTexts()} {
		if slices.Contains(f.measure, name) {
			need = max(need, slices.Max(texts)*each)
		}
	}
	return need, nil
}

// tokens returns n random ones.
func (b *batchBench) tokens(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = b.random.Int32N(int32(b.model.Tokenizer().Len()))
	}
	return ids
}

// read returns a sequence that has read n random tokens.
func (b *batchBench) read(ctx context.Context, n int) (*engine.Sequence, error) {
	s, err := b.model.NewSequence()
	if err != nil {
		return nil, err
	}
	s.NoPrefix()
	if err := drain(ctx, b.engine.Start(ctx, engine.Request{Sequence: s, Tokens: b.tokens(n)})...); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// drain takes all that runs have, side by side. It returns their first error.
func drain(ctx context.Context, runs ...*engine.Run) error {
	errs := make(chan error, len(runs))
	for _, run := range runs {
		go func() {
			for {
				if _, err := run.Next(ctx); err != nil {
					run.Cancel()
					errs <- err
					return
				}
			}
		}()
	}
	var first error
	for range runs {
		if err := <-errs; err != io.EOF && first == nil {
			first = err
		}
	}
	return first
}
