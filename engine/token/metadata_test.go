package token

import (
	"errors"
	"fmt"
)

// header is a GGUF header's metadata as a test writes it.
type header map[string]any

var errAbsent = errors.New("absent or of another type")

func value[T any](h header, key string) (T, error) {
	v, ok := h[key].(T)
	if !ok {
		return v, fmt.Errorf("metadata %q: %w", key, errAbsent)
	}
	return v, nil
}

func (h header) Has(key string) bool                  { _, found := h[key]; return found }
func (h header) String(key string) (string, error)    { return value[string](h, key) }
func (h header) Strings(key string) ([]string, error) { return value[[]string](h, key) }
func (h header) Floats(key string) ([]float32, error) { return value[[]float32](h, key) }
func (h header) Ints(key string) ([]int64, error)     { return value[[]int64](h, key) }
func (h header) Uint(key string) (uint64, error)      { return value[uint64](h, key) }
func (h header) Bool(key string) (bool, error)        { return value[bool](h, key) }
