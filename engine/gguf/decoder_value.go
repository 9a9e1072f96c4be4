package gguf

import (
	"encoding/binary"
	"fmt"
)

// valueType reads the type of a value.
func (d *decoder) valueType() (Type, error) {
	n, err := d.u32()
	if err != nil {
		return 0, err
	}
	if t := Type(n); t <= TypeFloat64 {
		return t, nil
	}
	d.off -= 4
	return 0, fmt.Errorf("%w: there is no value type %d", ErrMalformed, n)
}

// value reads a value of type t.
func (d *decoder) value(t Type) (Value, error) {
	if t == TypeArray {
		return d.array(1)
	}
	return d.elements(t, 1, false)
}

// array reads an array at a depth of nesting, 1 for the outermost.
func (d *decoder) array(depth int) (Value, error) {
	if depth > MaxArrayDepth {
		return Value{}, fmt.Errorf("%w: arrays nested %d deep, at most %d", ErrLimit, depth, MaxArrayDepth)
	}
	t, err := d.valueType()
	if err != nil {
		return Value{}, fmt.Errorf("type of the elements: %w", err)
	}
	n, err := d.count(MaxArrayElements, t.minBytes())
	if err != nil {
		return Value{}, fmt.Errorf("number of elements: %w", err)
	}
	if t != TypeArray {
		return d.elements(t, n, true)
	}
	arrays := make([]Value, n)
	for i := range arrays {
		if arrays[i], err = d.array(depth + 1); err != nil {
			return Value{}, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return Nested(arrays...), nil
}

// elements reads an array of n elements of type t, or one scalar. The caller of
// an array has checked that the file has bytes for n.
func (d *decoder) elements(t Type, n int, array bool) (Value, error) {
	switch t {
	case TypeUint8:
		return fixed[uint8](d, t, n, array)
	case TypeInt8:
		return fixed[int8](d, t, n, array)
	case TypeUint16:
		return fixed[uint16](d, t, n, array)
	case TypeInt16:
		return fixed[int16](d, t, n, array)
	case TypeUint32:
		return fixed[uint32](d, t, n, array)
	case TypeInt32:
		return fixed[int32](d, t, n, array)
	case TypeUint64:
		return fixed[uint64](d, t, n, array)
	case TypeInt64:
		return fixed[int64](d, t, n, array)
	case TypeFloat32:
		return fixed[float32](d, t, n, array)
	case TypeFloat64:
		return fixed[float64](d, t, n, array)
	case TypeBool:
		bools, err := d.bools(n)
		return one(bools, array), err
	case TypeString:
		if array {
			s, err := d.strings(n)
			return Array(s), err
		}
		s, err := d.string(MaxStringBytes)
		return Scalar(s), err
	}
	return Value{}, fmt.Errorf("%w: there is no value type %d", ErrMalformed, uint32(t))
}

// fixed reads elements of a type whose minBytes are its bytes.
func fixed[T Element](d *decoder, t Type, n int, array bool) (Value, error) {
	size := t.minBytes()
	elements := make([]T, n)
	for rest := elements; len(rest) > 0; {
		part := rest[:min(len(rest), decoderBufferBytes/size)]
		b, err := d.peek(len(part) * size)
		if err != nil {
			return Value{}, err
		}
		if _, err := binary.Decode(b, binary.LittleEndian, part); err != nil {
			return Value{}, err
		}
		d.off += int64(len(b))
		rest = rest[len(part):]
	}
	return one(elements, array), nil
}

// one returns the elements as an array, or the only one as a scalar.
func one[T Element](elements []T, array bool) Value {
	if array || len(elements) != 1 {
		return Array(elements)
	}
	return Scalar(elements[0])
}

// bools reads n bools, which must be 0 or 1.
func (d *decoder) bools(n int) ([]bool, error) {
	start := d.off
	b := make([]byte, n)
	if err := d.bytes(b); err != nil {
		return nil, err
	}
	bools := make([]bool, n)
	for i, x := range b {
		if x > 1 {
			d.off = start + int64(i)
			return nil, fmt.Errorf("%w: a bool of %d, want 0 or 1", ErrMalformed, x)
		}
		bools[i] = x == 1
	}
	return bools, nil
}
