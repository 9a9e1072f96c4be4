package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/realm-webgpu/realm/engine/model"
	"github.com/realm-webgpu/realm/engine/quantize"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// matrix returns the two tables, architectures and formats by devices, and the
// mixes of formats. A device runs all there are: the conformance suite does not
// let it pass with less.
func matrix(root string) (string, error) {
	devices, err := devices(root)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	row := func(cells ...string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	head := func(cells ...string) {
		row(cells...)
		row(slices.Repeat([]string{"---"}, len(cells))...)
	}
	yes := slices.Repeat([]string{"yes"}, len(devices))

	head(append([]string{"architecture"}, devices...)...)
	for _, name := range model.Architectures() {
		row(append([]string{"`" + name + "`"}, yes...)...)
	}
	b.WriteString("\n")
	head(append([]string{"format", "bits a weight", "rows of a multiple of"}, devices...)...)
	for _, f := range quant.All() {
		row(append([]string{f.Name, fmt.Sprintf("%.4g", quantize.BitsPerWeight(f)), fmt.Sprint(f.BlockElements)}, yes...)...)
	}
	var mixes []string
	for _, m := range quantize.Mixes() {
		if !m.Pure && m.Name != m.Format.Name {
			mixes = append(mixes, m.Name)
		}
	}
	fmt.Fprintf(&b, "\nMixes of formats that `realm quantize` makes, by llama.cpp's names: %s.\n", strings.Join(mixes, ", "))
	return b.String(), nil
}

// devices returns the names of the backends: the folders of engine/device but for
// that of their tests.
func devices(root string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(root, "engine", "device"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "conformance" {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
