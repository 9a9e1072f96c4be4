package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine"
)

const runHelp = `Run asks a model and streams its answer to standard output.

The prompt is the argument, a file (-f), or what is piped in. It is put into the
model's chat template as a user's message; with --raw the model goes on from the
text as it is, to the last byte.

Tokens are chosen greedily unless --temperature says otherwise, so the same
prompt gives the same answer every time on a device.`

const runExample = `  realm run "What is the capital of France?"
  echo "Tell me about Brazil." | realm run
  realm run -m model.gguf --system "Answer in one sentence." -f question.txt
  realm run -m model.gguf --raw --temperature 0.8 --top-p 0.95 --seed 7 -n 100 "Once upon a time"
  realm run --adapter pirate "What is the capital of France?"
  realm run --device cpu --json "Where is Oslo?"`

// runFlags are the flags of realm run.
type runFlags struct {
	sessionFlags
	prompt   promptFlags
	sampling samplingFlags
	drafting speculationFlags
	guest    guestFlags
	adapter  adapterFlag
	path     string
	json     bool
	verbose  bool
}

func newRun() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:     "run [PROMPT | -]",
		Short:   "Ask a model and stream its answer",
		Long:    runHelp,
		Example: runExample,
		Args:    arguments(0, 1, "one PROMPT: put it in quotes"),
		RunE:    f.run,
	}
	flags := c.Flags()
	f.add(flags)
	flags.StringVarP(&f.path, "file", "f", "", "read the prompt from `FILE`; -: standard input")
	flags.StringVar(&f.prompt.system, "system", "", "`TEXT` of a system message before the prompt")
	flags.BoolVar(&f.prompt.raw, "raw", false, "no chat template: go on from the prompt's text")
	f.load.addTemplate(flags)
	f.sampling.add(flags)
	f.drafting.add(flags)
	f.guest.add(flags)
	f.adapter.add(flags)
	f.load.addCache(flags)
	flags.BoolVar(&f.json, "json", false, "print one JSON object at the end in place of the text")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "say on standard error what was used and how fast it was")
	return c
}

// runReport is what --json prints.
type runReport struct {
	Text         string              `json:"text"`
	Tokens       []int32             `json:"tokens"` // of the answer, an end-of-generation token among them
	FinishReason engine.FinishReason `json:"finish_reason"`
	Usage        usageReport         `json:"usage"`
	Timings      timingsReport       `json:"timings"`
	Device       deviceReport        `json:"device"`
}

type usageReport struct {
	PromptTokens     int `json:"prompt_tokens"`
	CachedTokens     int `json:"cached_tokens"` // of the prompt, read before
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
	DraftsAccepted   int `json:"draft_tokens_accepted"` // of the completion's tokens
	DraftsProposed   int `json:"draft_tokens_proposed"`
}

type timingsReport struct {
	Load        float64 `json:"load_seconds"`
	Prefill     float64 `json:"prefill_seconds"`
	FirstToken  float64 `json:"first_token_seconds"`
	Decode      float64 `json:"decode_seconds"`
	PrefillRate float64 `json:"prefill_tokens_per_second"`
	DecodeRate  float64 `json:"decode_tokens_per_second"`
}

func newRunReport(a *reply, s *session) runReport {
	u := a.usage
	return runReport{
		Text: a.text, Tokens: a.tokens, FinishReason: engine.FinishReason(a.end.FinishReason),
		Usage: usageReport{u.PromptTokens, u.CachedTokens, u.CompletionTokens, u.PromptTokens + u.CompletionTokens, u.Accepted, u.Proposed},
		Timings: timingsReport{
			s.load.Seconds(), a.prefill.Seconds(), a.first.Seconds(), a.decode.Seconds(),
			a.prefillRate(), a.decodeRate(),
		},
		Device: newDeviceReport(s.engine.Device()),
	}
}

func (f *runFlags) run(c *cobra.Command, args []string) (err error) {
	// All that can be wrong with the command line comes before the work.
	options, err := f.sampling.options()
	if err != nil {
		return &usageError{c.CommandPath(), err}
	}
	if options.Draft, err = f.drafting.options(c, &f.model); err != nil {
		return err
	}
	prompt, err := readPrompt(c, args, f.path, f.prompt.raw)
	if err != nil {
		return err
	}
	adapters, err := f.adapter.read()
	if err != nil {
		return err
	}
	ctx, notes := c.Context(), c.ErrOrStderr()
	s, err := f.open(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if options.Draft.Mode == engine.DraftModel {
		if err := s.withDraft(ctx, notes, &f.drafting, f.load); err != nil {
			return err
		}
	}
	if err := s.withGuest(ctx, notes, f.guest, f.model.name(), adapters); err != nil {
		return err
	}
	request := newRequest(options)
	f.adapter.put(&request)
	request.EchoTokens = f.json
	if err := f.prompt.put(&request, s.model, prompt); err != nil {
		return err
	}
	stream := c.OutOrStdout()
	if f.json {
		stream = io.Discard
	}
	a, err := s.ask(ctx, stream, request)
	if err != nil {
		return err
	}
	report := newRunReport(a, s)
	f.remark(notes, s, report)
	if f.json {
		return printJSON(c.OutOrStdout(), report)
	}
	return nil
}

// remark says what the answer itself does not: that it was cut short, and on
// request how fast it was.
func (f *runFlags) remark(notes io.Writer, s *session, r runReport) {
	switch r.FinishReason {
	case engine.FinishLength:
		fmt.Fprintf(notes, "realm: stopped after %d tokens (--max-tokens)\n", r.Usage.CompletionTokens)
	case engine.FinishContext:
		fmt.Fprintf(notes, "realm: stopped: the context of %d tokens is full (--ctx)\n", s.model.Context())
	}
	if f.verbose {
		fmt.Fprintf(notes, "realm: %s: loaded in %v; prompt of %d tokens in %v (%.1f/s); %d tokens in %v (%.1f/s)\n",
			r.Device.Name, round(s.load), r.Usage.PromptTokens, seconds(r.Timings.Prefill), r.Timings.PrefillRate,
			r.Usage.CompletionTokens, seconds(r.Timings.Decode), r.Timings.DecodeRate)
		if r.Usage.DraftsProposed > 0 {
			fmt.Fprintf(notes, "realm: %d of %d drafted tokens were accepted\n", r.Usage.DraftsAccepted, r.Usage.DraftsProposed)
		}
	}
}

// seconds is a duration for people to read.
func seconds(s float64) time.Duration { return round(time.Duration(s * float64(time.Second))) }

// round keeps three digits or so of a duration.
func round(d time.Duration) time.Duration {
	for unit := time.Second; unit > time.Nanosecond; unit /= 10 {
		if d >= unit {
			return d.Round(unit / 100)
		}
	}
	return d
}
