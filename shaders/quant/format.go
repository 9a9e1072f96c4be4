package quant

import (
	"fmt"
	"math"
	"strings"
)

// Format is a row of the table of weight formats. Every lookup returns a row of
// the caller's own: look a format up once, and compare formats by ID. Its
// methods may be called from many goroutines.
type Format struct {
	Name          string // as GGML spells it: "Q4_K"
	ID            uint32 // GGML type id, as in a GGUF file
	BlockElements int    // elements of a block; 1 for plain formats
	BlockBytes    int    // bytes of a block
	Layout        Layout

	// ErrorBound is the largest root-mean-square error, relative to the
	// root-mean-square of the weights, that encoding normally distributed
	// weights and decoding them again may show. It holds for standard deviations
	// of 0.01 to 1000; smaller weights meet the coarse end of float16 scales.
	ErrorBound float32

	// Of a quantised format: split takes a block apart and join puts it
	// together; fit finds the parts that stand best for BlockElements numbers.
	split func(block []byte, p *Parts)
	join  func(block []byte, p *Parts)
	fit   func(f *Format, p *Parts, x, importance []float32)
	// scaleBits is the width of the scales and minimums of every Sub elements.
	scaleBits int

	// Of a plain format: conversion of any number of elements.
	decode func(dst []float32, src []byte)
	encode func(dst []byte, src []float32)
}

// All returns the formats: plain ones, then blocks of 32, then super-blocks of
// 256 elements.
func All() []*Format {
	rows := table()
	all := make([]*Format, len(rows))
	for i := range rows {
		all[i] = &rows[i]
	}
	return all
}

// ByID returns the format with a GGML type id.
func ByID(id uint32) (*Format, bool) {
	for _, f := range All() {
		if f.ID == id {
			return f, true
		}
	}
	return nil, false
}

// ByName returns the format of a name, in any case of letters.
func ByName(name string) (*Format, bool) {
	for _, f := range All() {
		if strings.EqualFold(f.Name, name) {
			return f, true
		}
	}
	return nil, false
}

// RowBytes returns the bytes of a row of n elements. It fails with [ErrLength]
// unless n is a multiple of BlockElements and the bytes can be counted.
func (f *Format) RowBytes(n int) (int, error) {
	if n < 0 || n%f.BlockElements != 0 {
		return 0, fmt.Errorf("quant: %s row of %d elements: %w: blocks have %d", f.Name, n, ErrLength, f.BlockElements)
	}
	if blocks := n / f.BlockElements; blocks <= math.MaxInt/f.BlockBytes {
		return blocks * f.BlockBytes, nil
	}
	return 0, fmt.Errorf("quant: %s row of %d elements: %w: too many bytes", f.Name, n, ErrLength)
}

// Split takes a block of BlockBytes bytes apart. It is not for plain formats.
func (f *Format) Split(block []byte, p *Parts) { f.split(block[:f.BlockBytes], p) }
