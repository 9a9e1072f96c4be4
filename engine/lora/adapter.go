package lora

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/realm-webgpu/realm/engine/gguf"
)

// MaxRank bounds the rank of a pair: several times that of any adapter that pays.
const MaxRank = 1024

// Adapter is what a file or a folder has. It is not yet held to a model.
type Adapter struct {
	Format       string // "GGUF" or "PEFT"
	Name         string // what it calls itself; "" where it does not
	Architecture string // general.architecture of its model; "" of PEFT
	Alpha        float64
	Pairs        []Pair // sorted by name
}

// Pair is the change of one matrix: Scale * B · A.
type Pair struct {
	Name          string // of the matrix, as the file has it, without what marks a pair
	Rank          int
	Columns, Rows int       // n_in and n_out of the matrix
	Scale         float32   // alpha / rank, or with rsLoRA alpha / sqrt(rank)
	A             []float32 // [Rank, Columns]
	B             []float32 // [Rows, Rank]
}

// Open reads the adapter at path: a GGUF file, or a PEFT folder. Its errors wrap
// [ErrFormat] or [ErrUnsupported], those of package gguf, or are those of the files.
func Open(path string) (*Adapter, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("lora: open: %w", err)
	}
	if info.IsDir() {
		return openFolder(path)
	}
	f, err := gguf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("lora: open: %w", err)
	}
	defer f.Close()
	a, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, path)
	}
	return a, nil
}

// Exists reports whether there is something at path that could be an adapter: a
// file, or a folder with PEFT's config.
func Exists(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	if !info.IsDir() {
		return true
	}
	_, err = os.Stat(configPath(path))
	return !errors.Is(err, fs.ErrNotExist)
}

// Ranks returns the smallest and the largest rank of the pairs.
func (a *Adapter) Ranks() (low, high int) {
	for i, p := range a.Pairs {
		if i == 0 || p.Rank < low {
			low = p.Rank
		}
		high = max(high, p.Rank)
	}
	return low, high
}

// Parameters returns the numbers of all pairs.
func (a *Adapter) Parameters() int {
	n := 0
	for _, p := range a.Pairs {
		n += len(p.A) + len(p.B)
	}
	return n
}

// finish checks what both formats have in common.
func (a *Adapter) finish() error {
	if len(a.Pairs) == 0 {
		return fmt.Errorf("%w: it has no tensors", ErrFormat)
	}
	slices.SortFunc(a.Pairs, func(x, y Pair) int { return strings.Compare(x.Name, y.Name) })
	for i := range a.Pairs {
		p := &a.Pairs[i]
		if p.Rank < 1 || p.Rank > MaxRank {
			return fmt.Errorf("tensor %q: %w: rank %d, at most %d", p.Name, ErrUnsupported, p.Rank, MaxRank)
		}
		for _, half := range []struct {
			of     string
			values []float32
		}{{"A", p.A}, {"B", p.B}} {
			for _, v := range half.values {
				if v != v || math.IsInf(float64(v), 0) {
					return fmt.Errorf("tensor %q: %w: %s has %v in it", p.Name, ErrFormat, half.of, v)
				}
			}
		}
	}
	return nil
}

// checkAlpha reports an alpha that no scale comes from.
func checkAlpha(name string, alpha float64) error {
	if !(alpha > 0 && alpha <= maxAlpha) {
		return fmt.Errorf("%s: %w: %v is not a number over 0 and up to %v", name, ErrFormat, alpha, float64(maxAlpha))
	}
	return nil
}

const maxAlpha = 1 << 20
