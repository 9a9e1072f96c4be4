package lora

import (
	"errors"
	"fmt"
	"strings"

	"github.com/realm-webgpu/realm/engine/gguf"
)

// The metadata of an adapter (gguf-py/gguf/constants.py of llama.cpp).
const (
	typeKey         = "general.type"
	nameKey         = "general.name"
	architectureKey = "general.architecture"
	adapterKey      = "adapter.type"
	alphaKey        = "adapter.lora.alpha"
	invocationKey   = "adapter.alora.invocation_tokens"
)

// IsAdapter reports whether a GGUF file says that it is an adapter, of any kind.
func IsAdapter(f *gguf.File) bool {
	kind, err := f.String(typeKey)
	return err == nil && kind == "adapter"
}

// Read reads the adapter of a GGUF file, and all of its tensors. The file may be
// closed then. Its errors are those of [Open].
func Read(f *gguf.File) (*Adapter, error) {
	a, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("lora: read: %w", err)
	}
	return a, nil
}

func read(f *gguf.File) (*Adapter, error) {
	a := &Adapter{Format: "GGUF"}
	if err := a.readMetadata(f); err != nil {
		return nil, err
	}
	halves := map[string]*half{}
	var order []string
	for _, t := range f.Tensors {
		name, isA, err := splitName(t.Name)
		if err != nil {
			return nil, err
		}
		h := halves[name]
		if h == nil {
			h = &half{}
			halves[name] = h
			order = append(order, name)
		}
		if isA {
			h.a = t
		} else {
			h.b = t
		}
	}
	for _, name := range order {
		p, err := halves[name].pair(name, a.Alpha)
		if err != nil {
			return nil, err
		}
		a.Pairs = append(a.Pairs, p)
	}
	return a, a.finish()
}

func (a *Adapter) readMetadata(f *gguf.File) error {
	for _, say := range []struct{ key, want string }{{typeKey, "adapter"}, {adapterKey, "lora"}} {
		key, want := say.key, say.want
		got, err := f.String(key)
		if errors.Is(err, gguf.ErrNotFound) {
			return fmt.Errorf("metadata %q: %w: missing, want %q", key, ErrFormat, want)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		if got != want {
			return fmt.Errorf("metadata %q: %w: %.64q, want %q", key, ErrFormat, got, want)
		}
	}
	var err error
	if a.Architecture, err = f.String(architectureKey); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if a.Name, err = gguf.Or(f.String, nameKey, ""); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if f.Has(invocationKey) {
		return fmt.Errorf("metadata %q: %w: an activated LoRA, which is on from some tokens on", invocationKey, ErrUnsupported)
	}
	// Where there is no alpha, or 0, the product is taken as it is, as llama.cpp
	// takes it.
	if a.Alpha, err = gguf.Or(f.Float, alphaKey, 0); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if a.Alpha == 0 {
		return nil
	}
	return checkAlpha(fmt.Sprintf("metadata %q", alphaKey), a.Alpha)
}

const (
	suffixA = ".lora_a"
	suffixB = ".lora_b"
)

// splitName returns the matrix that a tensor belongs to, and which half it is.
func splitName(tensor string) (name string, isA bool, err error) {
	if name, ok := strings.CutSuffix(tensor, suffixA); ok {
		return name, true, nil
	}
	if name, ok := strings.CutSuffix(tensor, suffixB); ok {
		return name, false, nil
	}
	if strings.HasSuffix(tensor, "_norm.weight") {
		return "", false, fmt.Errorf("tensor %q: %w: a norm that was trained", tensor, ErrUnsupported)
	}
	return "", false, fmt.Errorf("tensor %q: %w: its name ends in neither %s nor %s", tensor, ErrFormat, suffixA, suffixB)
}

// half is the tensors of a pair, as far as they were seen.
type half struct{ a, b *gguf.Tensor }

// pair checks the shapes of the tensors against each other and decodes them.
func (h *half) pair(name string, alpha float64) (Pair, error) {
	if h.a == nil {
		return Pair{}, fmt.Errorf("tensor %q: %w: it has no %s", h.b.Name, ErrFormat, name+suffixA)
	}
	if h.b == nil {
		return Pair{}, fmt.Errorf("tensor %q: %w: it has no %s", h.a.Name, ErrFormat, name+suffixB)
	}
	if len(h.a.Dims) != 2 || len(h.b.Dims) != 2 {
		if len(h.a.Dims) == 3 {
			return Pair{}, fmt.Errorf("tensor %q %v: %w: the matrices of experts", h.a.Name, h.a.Dims, ErrUnsupported)
		}
		return Pair{}, fmt.Errorf("tensor %q %v, tensor %q %v: %w: want two dimensions each", h.a.Name, h.a.Dims, h.b.Name, h.b.Dims, ErrFormat)
	}
	rank := h.a.Dims[1]
	if h.b.Dims[0] != rank {
		return Pair{}, fmt.Errorf("tensor %q %v: %w: rank %d, but %q %v has %d", h.a.Name, h.a.Dims, ErrFormat, rank, h.b.Name, h.b.Dims, h.b.Dims[0])
	}
	if rank > MaxRank {
		return Pair{}, fmt.Errorf("tensor %q %v: %w: rank %d, at most %d", h.a.Name, h.a.Dims, ErrUnsupported, rank, MaxRank)
	}
	p := Pair{Name: name, Rank: rank, Columns: h.a.Dims[0], Rows: h.b.Dims[1], Scale: 1}
	if alpha != 0 {
		p.Scale = float32(alpha / float64(rank))
	}
	var err error
	if p.A, err = floats(h.a); err == nil {
		p.B, err = floats(h.b)
	}
	return p, err
}

// floats decodes a tensor.
func floats(t *gguf.Tensor) ([]float32, error) {
	data, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	values := make([]float32, t.Elements())
	if err := t.Format.Decode(values, data); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	return values, nil
}
