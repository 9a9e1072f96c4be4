// Package shaders composes the WGSL text of Realm's compute kernels.
//
// A kernel is a template in kernels/; what it knows of a weight format is the
// codec (codec.go), which is generated from the format's row in the table of
// package quant. All text keeps to what both naga of early 2024 and Chromium's
// Tint accept, and to WebGPU's default limits: float32 arithmetic, no
// extensions, no overrides.
//
// WGSL: https://www.w3.org/TR/WGSL/
package shaders

import (
	"embed"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"github.com/realm-webgpu/realm/shaders/quant"
)

//go:embed kernels/*.wgsl
var kernelFiles embed.FS

// ErrKernel reports a kernel, or a constant of it, that does not exist.
var ErrKernel = errors.New("no such kernel")

// Constants are the numbers that are written into a kernel's text: tile
// sizes, head sizes, flags. Each kernel's file says which it takes.
type Constants map[string]int

// Compose returns the WGSL text of a kernel with entry point "main". format is
// nil for kernels that read no weights.
func Compose(kernel string, format *quant.Format, constants Constants) (string, error) {
	t := template.New(kernel + ".wgsl").Option("missingkey=error").Funcs(template.FuncMap{
		"seq": seq, "add": func(a, b int) int { return a + b }, "mul": func(a, b int) int { return a * b },
		"div": func(a, b int) int { return a / b },
	})
	t, err := t.ParseFS(kernelFiles, "kernels/"+kernel+".wgsl", "kernels/include.wgsl")
	if err != nil {
		return "", fmt.Errorf("shaders: compose %q: %w: %v", kernel, ErrKernel, err)
	}
	data := map[string]any{}
	for name, value := range constants {
		data[name] = value
	}
	if format != nil {
		data["Codec"] = newCodec(format, rowsOfWord(kernel))
	}
	var text strings.Builder
	if err := t.Execute(&text, data); err != nil {
		return "", fmt.Errorf("shaders: compose %q: %w: %v", kernel, ErrKernel, err)
	}
	return text.String(), nil
}

// rowsOfWord is the rows that the type W of a kernel holds a word of.
func rowsOfWord(kernel string) int {
	if kernel == "embed" {
		return 1 // it reads a single row
	}
	return 4
}

// Kernels returns the names of all kernels.
func Kernels() []string {
	entries, err := kernelFiles.ReadDir("kernels")
	if err != nil {
		return nil // the files are embedded: they can be read
	}
	var names []string
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), ".wgsl"); name != "include" {
			names = append(names, name)
		}
	}
	return names
}

// seq returns from, ..., to-1.
func seq(from, to int) []int {
	var s []int
	for i := from; i < to; i++ {
		s = append(s, i)
	}
	return s
}
