package gguf

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// Metadata is a file's map from keys to values, in the order of the file. The
// zero value is empty and ready to use.
//
// The typed getters fail with [ErrNotFound] where the key is missing, and with
// [ErrType] or [ErrRange] where its value is something else, so that a key that
// may be missing is never taken for one that is wrong: see [Or].
type Metadata struct {
	keys   []string
	values map[string]Value
}

// Or returns what get finds at key, or fallback where the key is missing:
//
//	n, err := gguf.Or(f.Uint, "llama.rope.dimension_count", headDim)
func Or[T any](get func(key string) (T, error), key string, fallback T) (T, error) {
	v, err := get(key)
	if errors.Is(err, ErrNotFound) {
		return fallback, nil
	}
	return v, err
}

// Len returns the number of keys.
func (m *Metadata) Len() int { return len(m.keys) }

// All ranges over the keys and values in order.
func (m *Metadata) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for _, key := range m.keys {
			if !yield(key, m.values[key]) {
				return
			}
		}
	}
}

// Get returns the value of a key, and whether there is one.
func (m *Metadata) Get(key string) (Value, bool) {
	v, ok := m.values[key]
	return v, ok
}

// Has reports whether there is a value at key.
func (m *Metadata) Has(key string) bool {
	_, ok := m.values[key]
	return ok
}

// Set gives the key a value. A new key becomes the last.
func (m *Metadata) Set(key string, v Value) {
	if m.values == nil {
		m.values = make(map[string]Value)
	}
	if !m.Has(key) {
		m.keys = append(m.keys, key)
	}
	m.values[key] = v
}

// Delete removes the key, if there is one.
func (m *Metadata) Delete(key string) {
	if m.Has(key) {
		delete(m.values, key)
		m.keys = slices.DeleteFunc(m.keys, func(k string) bool { return k == key })
	}
}

// Clone returns a copy that can be changed by itself. Arrays are shared.
func (m *Metadata) Clone() *Metadata {
	return &Metadata{keys: slices.Clone(m.keys), values: maps.Clone(m.values)}
}

// Uint returns an integer of any type that is not negative.
func (m *Metadata) Uint(key string) (uint64, error) { return get(m, key, Value.uint) }

// Int returns an integer of any type, as far as it fits an int64.
func (m *Metadata) Int(key string) (int64, error) { return get(m, key, Value.int) }

// Float returns an f32 or f64.
func (m *Metadata) Float(key string) (float64, error) { return get(m, key, Value.float) }

// Bool returns a bool.
func (m *Metadata) Bool(key string) (bool, error) { return get(m, key, as[bool]("a bool")) }

// String returns a string.
func (m *Metadata) String(key string) (string, error) { return get(m, key, as[string]("a string")) }

// Strings returns an array of strings, shared with the metadata.
func (m *Metadata) Strings(key string) ([]string, error) {
	return get(m, key, as[[]string]("an array of strings"))
}

// Bools returns an array of bools, shared with the metadata.
func (m *Metadata) Bools(key string) ([]bool, error) {
	return get(m, key, as[[]bool]("an array of bools"))
}

// Floats returns an array of f32, shared with the metadata, or a copy of an array
// of f64, rounded to float32.
func (m *Metadata) Floats(key string) ([]float32, error) { return get(m, key, Value.floats) }

// Ints returns a copy of an array of integers of any type, as far as they fit an
// int64.
func (m *Metadata) Ints(key string) ([]int64, error) { return get(m, key, Value.ints) }

func get[T any](m *Metadata, key string, convert func(Value) (T, error)) (T, error) {
	t, err := find(m, key, convert)
	if err != nil {
		err = fmt.Errorf("gguf: %w", err)
	}
	return t, err
}

func find[T any](m *Metadata, key string, convert func(Value) (T, error)) (t T, err error) {
	v, ok := m.values[key]
	if !ok {
		return t, fmt.Errorf("metadata %q: %w", key, ErrNotFound)
	}
	if t, err = convert(v); err != nil {
		return t, fmt.Errorf("metadata %q: %w", key, err)
	}
	return t, nil
}
