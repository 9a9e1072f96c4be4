package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/hostfn"
)

// adapterFlag is the adapter that answers are made with.
type adapterFlag struct {
	text  string // as it was given; "": none
	name  string // a file, a folder, or one that is built in
	scale float32
}

func (a *adapterFlag) add(flags *pflag.FlagSet) {
	flags.Var(a, "adapter", "LoRA adapter: a GGUF file, a PEFT folder, or a built-in one ("+strings.Join(adapterNames(), ", ")+"), and how strong it is (default 1): pirate:0.5")
}

// adapterNames are those of the adapters that are built in.
func adapterNames() []string { return slices.Sorted(maps.Keys(models.Adapters())) }

// Type implements pflag.Value.
func (a *adapterFlag) Type() string { return "NAME[:SCALE]" }

// String implements pflag.Value.
func (a *adapterFlag) String() string { return a.text }

// Set implements pflag.Value. A text has one adapter: a second one is refused.
func (a *adapterFlag) Set(text string) error {
	if a.text != "" {
		return fmt.Errorf("%s was given already, and a text goes by one adapter", a.text)
	}
	if text == "" {
		return errors.New("it has no name")
	}
	a.text, a.name, a.scale = text, text, 1
	i := strings.LastIndexByte(text, ':')
	if i < 1 || lora.Exists(text) {
		return nil
	}
	scale, err := strconv.ParseFloat(text[i+1:], 32)
	if err != nil {
		return nil // part of a path
	}
	if math.IsNaN(scale) || math.IsInf(scale, 0) {
		return fmt.Errorf("scale %q is not a number", text[i+1:])
	}
	a.name, a.scale = text[:i], float32(scale)
	return nil
}

// read reads the adapter, nil where there is none. Its errors are modelErrors.
func (a *adapterFlag) read() (hostfn.NamedAdapters, error) {
	if a.text == "" {
		return hostfn.NamedAdapters{}, nil
	}
	read, err := readAdapter(a.name)
	if err != nil {
		return nil, &modelError{err}
	}
	return hostfn.NamedAdapters{a.text: {Read: read, Scale: a.scale}}, nil
}

// readAdapter reads a file, a folder, or an adapter that is built in.
func readAdapter(name string) (*lora.Adapter, error) {
	data, ok := models.Adapters()[name]
	if lora.Exists(name) || !ok {
		a, err := lora.Open(name)
		if err != nil && !ok && !strings.ContainsAny(name, "./\\") {
			err = fmt.Errorf("%w (built in are %s)", err, strings.Join(adapterNames(), ", "))
		}
		return a, err
	}
	f, err := gguf.Read(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return lora.Read(f)
}

// put has a request be answered with the adapter.
func (a *adapterFlag) put(r *guest.Request) { r.Adapter = a.text }
