package main

import (
	"math"
	"reflect"

	"github.com/realm-webgpu/realm/engine/gguf"
)

// shownElements is how many elements of an array realm info prints; vocabularies
// have hundreds of thousands.
const shownElements = 8

// arrayReport is an array that was cut short.
type arrayReport struct {
	Elements int   `json:"elements"`
	First    []any `json:"first"`
}

// jsonValue is a metadata value as encoding/json can write it.
func jsonValue(v gguf.Value) any {
	if v.Type() != gguf.TypeArray {
		return jsonScalar(v.Any())
	}
	array := reflect.ValueOf(v.Any())
	first := make([]any, 0, shownElements)
	for i := range min(array.Len(), shownElements) {
		element := array.Index(i).Interface()
		if nested, ok := element.(gguf.Value); ok {
			first = append(first, jsonValue(nested))
		} else {
			first = append(first, jsonScalar(element))
		}
	}
	if array.Len() > shownElements {
		return arrayReport{array.Len(), first}
	}
	return first
}

// jsonScalar is v, or the name of a number that JSON does not have.
func jsonScalar(v any) any {
	x := 0.0
	switch f := v.(type) {
	case float32:
		x = float64(f)
	case float64:
		x = f
	}
	switch {
	case math.IsNaN(x):
		return "NaN"
	case math.IsInf(x, 1):
		return "+Inf"
	case math.IsInf(x, -1):
		return "-Inf"
	}
	return v
}
