package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/engine/model"
)

// infoFlags are the flags of realm info.
type infoFlags struct {
	model   modelFlags
	load    loadFlags
	device  string
	opening deviceFlags
	tensors bool
	json    bool
}

func newInfo() *cobra.Command {
	var f infoFlags
	c := &cobra.Command{
		Use:   "info",
		Short: "Look into a model file or an adapter",
		Long: `Info prints what a GGUF file says of itself, what its tensors take, and the memory
that it needs on a device. It reads the header only: no weights. With --device it opens
that one, and says to the byte what weights, keys and values take there, and whether all
fits, beside --memory and --kv-memory where they are given. Of a LoRA adapter, in GGUF or in a PEFT folder, it reads all, and says what it changes and how.`,
		Example: `  realm info
  realm info -m model.gguf --ctx 8192 --kv-type f16
  realm info -m model.gguf --device auto --memory 8GB
  realm info -m model.gguf --tensors
  realm info -m model.gguf --json
  realm info -m adapter.gguf`,
		Args: arguments(0, 0, "none: name the file with -m"),
		RunE: f.run,
	}
	flags := c.Flags()
	f.model.add(flags)
	f.load.addCache(flags)
	flags.StringVar(&f.device, "device", "", deviceHelp+"; to say whether the model fits (default: none is opened)")
	f.opening.add(flags)
	flags.BoolVar(&f.tensors, "tensors", false, "list every tensor")
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	return c
}

func (f *infoFlags) run(c *cobra.Command, _ []string) error {
	if info, err := os.Stat(f.model.path); err == nil && info.IsDir() {
		return f.folder(c)
	}
	file, err := f.model.open()
	if err != nil {
		return err
	}
	defer file.Close()
	r := newInfoReport(f.model.name(), file)
	if f.tensors {
		r.listTensors(file)
	}
	if lora.IsAdapter(file) {
		r.describeAdapter(lora.Read(file))
	} else if err := r.planMemory(file, int(f.load.context), device.CacheType(f.load.cacheType)); err != nil {
		return err
	} else if f.device != "" && r.Memory != nil {
		if err := f.plan(c, file, r.Memory); err != nil {
			return err
		}
	}
	if f.json {
		return printJSON(c.OutOrStdout(), r)
	}
	return r.print(c.OutOrStdout(), file)
}

// infoReport is what realm info prints, in JSON or for people.
type infoReport struct {
	File       string         `json:"file"`
	Version    uint32         `json:"gguf_version"`
	Parameters int            `json:"parameters"` // weights of all tensors
	Metadata   map[string]any `json:"metadata"`
	Types      []typeReport   `json:"types"`
	Tensors    []tensorReport `json:"tensors,omitempty"`
	Memory     *memoryReport  `json:"memory,omitempty"`
	Adapter    *adapterReport `json:"adapter,omitempty"`
	// Unsupported says why there is no Memory, or no Adapter: Realm cannot run the file.
	Unsupported string `json:"unsupported,omitempty"`
}

// typeReport sums up the tensors of one type.
type typeReport struct {
	Type       string  `json:"type"`
	Tensors    int     `json:"tensors"`
	Weights    int     `json:"weights"`
	Bytes      int64   `json:"bytes"`
	BitsWeight float64 `json:"bits_per_weight"`
}

type tensorReport struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Dims  []int  `json:"dims"` // the fastest first
	Bytes int64  `json:"bytes"`
}

// memoryReport is what a model takes on a device, in bytes: see model.MemoryPlan.
type memoryReport struct {
	Context    int    `json:"context_tokens"`
	CacheType  string `json:"kv_type"`
	Weights    int64  `json:"weights_bytes"`
	Cache      int64  `json:"kv_bytes"`
	CacheToken int64  `json:"kv_bytes_per_token"`
	Scratch    int64  `json:"activations_bytes"`
	Adapter    int64  `json:"adapter_bytes"` // each of rank 8, and not in Total
	Total      int64  `json:"total_bytes"`
	// Of a device that was asked for:
	Device *deviceReport `json:"device,omitempty"`
	Budget int64         `json:"budget_bytes,omitempty"` // 0: there is none
	Fits   *bool         `json:"fits,omitempty"`
	Short  string        `json:"short,omitempty"` // why it does not fit
}

// plan says what a model takes on the device that was named.
func (f *infoFlags) plan(c *cobra.Command, file *gguf.File, r *memoryReport) error {
	quietMesa()
	e, err := engine.Open(engine.Options{
		Device: f.device, Memory: int64(f.opening.memory), CacheMemory: int64(f.opening.kv), Threads: int(f.opening.threads),
		Notice: func(line string) { fmt.Fprintln(c.ErrOrStderr(), "realm: "+line) },
	})
	if err != nil {
		return err
	}
	p, err := e.Plan(file, engine.LoadOptions{Context: int(f.load.context), CacheType: device.CacheType(f.load.cacheType)})
	info, budget := newDeviceReport(e.Device()), e.Usage().Total.Budget
	if err = errors.Join(err, e.Close()); err != nil {
		return err
	}
	fits := p.Err == nil
	r.Weights, r.Cache, r.Scratch, r.Adapter, r.Total = p.Weights, p.Cache, p.Scratch, p.Adapter, p.Total()
	r.Device, r.Budget, r.Fits = &info, budget, &fits
	if !fits {
		r.Short = p.Err.Error()
	}
	return nil
}

func newInfoReport(name string, f *gguf.File) *infoReport {
	r := &infoReport{File: name, Version: f.Version, Metadata: map[string]any{}}
	for key, v := range f.All() {
		r.Metadata[key] = jsonValue(v)
	}
	byType := map[string]int{}
	for _, t := range f.Tensors {
		i, ok := byType[t.TypeName()]
		if !ok {
			i = len(r.Types)
			byType[t.TypeName()] = i
			r.Types = append(r.Types, typeReport{Type: t.TypeName()})
		}
		r.Types[i].Tensors++
		r.Types[i].Weights += t.Elements()
		r.Types[i].Bytes += t.Size
		r.Parameters += t.Elements()
	}
	for i := range r.Types {
		r.Types[i].BitsWeight = 8 * float64(r.Types[i].Bytes) / float64(r.Types[i].Weights)
	}
	return r
}

func (r *infoReport) listTensors(f *gguf.File) {
	for _, t := range f.Tensors {
		r.Tensors = append(r.Tensors, tensorReport{t.Name, t.TypeName(), t.Dims, t.Size})
	}
}

// planMemory says what the model takes with a context, 0 for its own. A file
// that Realm cannot run has no plan, but a reason.
func (r *infoReport) planMemory(f *gguf.File, context int, t device.CacheType) error {
	plan, err := model.Plan(f, context, t)
	switch {
	case errors.Is(err, model.ErrContext):
		return err
	case err != nil:
		r.Unsupported = err.Error()
		return nil
	}
	r.Memory = &memoryReport{
		Context: plan.Context, CacheType: t.String(), Weights: plan.Weights, Cache: plan.Cache, CacheToken: plan.CachePerToken,
		Scratch: plan.Scratch, Adapter: plan.Adapter, Total: plan.Total(),
	}
	return nil
}

func (r *infoReport) print(w io.Writer, f *gguf.File) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	size := int64(0)
	for _, s := range r.Types {
		size += s.Bytes
	}
	fmt.Fprintf(t, "%s: GGUF version %d, %s weights in %s\n", printable(r.File), r.Version,
		count(r.Parameters), humanize.IBytes(uint64(size)))

	fmt.Fprintln(t, "\nMetadata")
	for key, v := range f.All() {
		fmt.Fprintf(t, "  %s\t%s\n", printable(key), v)
	}
	fmt.Fprintln(t, "\nTensors\tcount\tweights\tbytes\tbits a weight")
	for _, s := range r.Types {
		fmt.Fprintf(t, "  %s\t%d\t%s\t%s\t%.4g\n", s.Type, s.Tensors, count(s.Weights), humanize.IBytes(uint64(s.Bytes)), s.BitsWeight)
	}
	for i, x := range r.Tensors {
		if i == 0 {
			fmt.Fprintln(t, "\nTensor\ttype\tdimensions\tbytes")
		}
		fmt.Fprintf(t, "  %s\t%s\t%v\t%d\n", printable(x.Name), x.Type, x.Dims, x.Bytes)
	}
	if r.Adapter != nil {
		fmt.Fprintln(t)
		r.Adapter.print(t)
	} else if m := r.Memory; m != nil {
		on := "a device"
		if m.Device != nil {
			on = m.Device.Name
		}
		fmt.Fprintf(t, "\nMemory on %s, for %d tokens of context with %s keys and values\n", on, m.Context, m.CacheType)
		for _, part := range []struct {
			name  string
			bytes int64
		}{{"weights", m.Weights}, {"keys and values", m.Cache}, {"activations, about", m.Scratch}, {"together", m.Total}, {"an adapter, rank 8", m.Adapter}} {
			fmt.Fprintf(t, "  %s\t%s\n", part.name, humanize.IBytes(uint64(part.bytes)))
		}
		switch {
		case m.Fits == nil:
		case !*m.Fits:
			fmt.Fprintf(t, "It does not fit: %s\n", m.Short)
		case m.Budget == 0:
			fmt.Fprintln(t, "It fits, as far as is known: nobody has said how much memory there is (--memory)")
		default:
			fmt.Fprintf(t, "It fits: %s may be taken\n", humanize.IBytes(uint64(m.Budget)))
		}
	} else {
		fmt.Fprintf(t, "\nRealm cannot run this file: %s\n", r.Unsupported)
	}
	return t.Flush()
}

// count is a number of weights for people to read.
func count(n int) string { return humanize.SIWithDigits(float64(n), 1, "") }
