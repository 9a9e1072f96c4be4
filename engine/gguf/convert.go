package gguf

import (
	"fmt"
	"math"
	"reflect"
)

// as converts a value that holds a T and nothing else.
func as[T any](want string) func(Value) (T, error) {
	return func(v Value) (T, error) {
		t, ok := v.v.(T)
		if !ok {
			return t, v.isNot(want)
		}
		return t, nil
	}
}

func (v Value) uint() (uint64, error) {
	switch n := reflect.ValueOf(v.v); {
	case n.CanUint():
		return n.Uint(), nil
	case !n.CanInt():
		return 0, v.isNot("an integer")
	case n.Int() < 0:
		return 0, fmt.Errorf("%w: %v is negative", ErrRange, v)
	default:
		return uint64(n.Int()), nil
	}
}

func (v Value) int() (int64, error) {
	n := reflect.ValueOf(v.v)
	if !n.CanInt() && !n.CanUint() {
		return 0, v.isNot("an integer")
	}
	return signed(n)
}

func (v Value) ints() ([]int64, error) {
	array := reflect.ValueOf(v.v)
	if v.typ != TypeArray {
		return nil, v.isNot("an array of integers")
	}
	if e := reflect.Zero(array.Type().Elem()); !e.CanInt() && !e.CanUint() {
		return nil, v.isNot("an array of integers")
	}
	ints := make([]int64, array.Len())
	for i := range ints {
		var err error
		if ints[i], err = signed(array.Index(i)); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return ints, nil
}

// signed converts an integer of any type.
func signed(n reflect.Value) (int64, error) {
	switch {
	case n.CanInt():
		return n.Int(), nil
	case n.Uint() <= math.MaxInt64:
		return int64(n.Uint()), nil
	default:
		return 0, fmt.Errorf("%w: %d is over an i64", ErrRange, n.Uint())
	}
}

func (v Value) float() (float64, error) {
	if n := reflect.ValueOf(v.v); n.CanFloat() {
		return n.Float(), nil
	}
	return 0, v.isNot("a float")
}

func (v Value) floats() ([]float32, error) {
	switch s := v.v.(type) {
	case []float32:
		return s, nil
	case []float64:
		rounded := make([]float32, len(s))
		for i, x := range s {
			rounded[i] = float32(x)
		}
		return rounded, nil
	}
	return nil, v.isNot("an array of floats")
}

func (v Value) isNot(want string) error {
	return fmt.Errorf("%w: %s, want %s", ErrType, v.typeName(), want)
}
