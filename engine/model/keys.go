package model

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/gguf"
)

// keys reads the metadata of an architecture: "block_count" is
// "llama.block_count" in the file of a llama. It keeps the first error; what is
// read after it is of no use.
type keys struct {
	meta *gguf.Metadata
	arch string
	err  error
}

func (k *keys) name(key string) string { return k.arch + "." + key }

func (k *keys) has(key string) bool { return k.meta.Has(k.name(key)) }

// fail records what is wrong with a key.
func (k *keys) fail(key string, sentinel error, format string, args ...any) {
	if k.err == nil {
		k.err = fmt.Errorf("metadata %q: %w: %s", k.name(key), sentinel, fmt.Sprintf(format, args...))
	}
}

// note records an error of package gguf, which names the key.
func (k *keys) note(err error) {
	if k.err == nil && err != nil {
		k.err = fmt.Errorf("%w: %w", ErrMetadata, err)
	}
}

// integer returns an integer that must be there, from lowest to highest.
func (k *keys) integer(key string, lowest, highest int) int {
	v, err := k.meta.Uint(k.name(key))
	k.note(err)
	if err == nil && (v < uint64(lowest) || v > uint64(highest)) {
		k.fail(key, ErrMetadata, "%d is not in %d to %d", v, lowest, highest)
	}
	if k.err != nil {
		return lowest
	}
	return int(v)
}

// integerOr returns fallback where the key is missing.
func (k *keys) integerOr(key string, fallback, lowest, highest int) int {
	if !k.has(key) {
		return fallback
	}
	return k.integer(key, lowest, highest)
}

// layers returns an integer that a file may also have as an array with an element for
// each block. Here all blocks are of one shape: elements that differ are refused.
func (k *keys) layers(key string, blocks, lowest, highest int) int {
	list, err := k.meta.Ints(k.name(key))
	if err != nil || k.err != nil { // it is no array
		return k.integer(key, lowest, highest)
	}
	if len(list) != blocks {
		k.fail(key, ErrMetadata, "%d elements for %d blocks", len(list), blocks)
		return lowest
	}
	for i, n := range list {
		switch {
		case n < int64(lowest) || n > int64(highest):
			k.fail(key, ErrMetadata, "element %d: %d is not in %d to %d", i, n, lowest, highest)
			return lowest
		case n != list[0]:
			k.fail(key, ErrUnsupported, "blocks of different shapes: %d in block 0, %d in block %d", list[0], n, i)
			return lowest
		}
	}
	return int(list[0])
}

// layersOr returns fallback where the key is missing.
func (k *keys) layersOr(key string, fallback, blocks, lowest, highest int) int {
	if !k.has(key) {
		return fallback
	}
	return k.layers(key, blocks, lowest, highest)
}

// number returns a float that must be there, over lowest and at most highest.
func (k *keys) number(key string, lowest, highest float64) float64 {
	v, err := k.meta.Float(k.name(key))
	k.note(err)
	if err == nil && !(v > lowest && v <= highest) { // so that NaN fails too
		k.fail(key, ErrMetadata, "%v is not over %v and at most %v", v, lowest, highest)
	}
	return v
}

// numberOr returns fallback where the key is missing or says the same.
func (k *keys) numberOr(key string, fallback, lowest, highest float64) float64 {
	v, err := gguf.Or(k.meta.Float, k.name(key), fallback)
	if err == nil && v == fallback {
		return fallback
	}
	return k.number(key, lowest, highest)
}

// flagOr returns fallback where the key is missing.
func (k *keys) flagOr(key string, fallback bool) bool {
	v, err := gguf.Or(k.meta.Bool, k.name(key), fallback)
	k.note(err)
	return v
}

// textOr returns fallback where the key is missing.
func (k *keys) textOr(key, fallback string) string {
	v, err := gguf.Or(k.meta.String, k.name(key), fallback)
	k.note(err)
	return v
}

// quads checks a length that devices count in fours.
func (k *keys) quads(key string, n int) {
	if n < 4 || n%4 != 0 {
		k.fail(key, ErrUnsupported, "%d is not a multiple of 4", n)
	}
}

// neutral refuses a key that changes what is computed in a way that no operation
// does, unless its value is one of those that change nothing.
func (k *keys) neutral(key string, values ...any) {
	v, ok := k.meta.Get(k.name(key))
	if !ok {
		return
	}
	for _, value := range values {
		if fmt.Sprint(v.Any()) == fmt.Sprint(value) {
			return
		}
	}
	k.fail(key, ErrUnsupported, "%v", v)
}
