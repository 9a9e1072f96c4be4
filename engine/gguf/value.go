package gguf

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Type is the type of a metadata value, with the numbers of the file format.
type Type uint32

// The types of the GGUF specification.
const (
	TypeUint8 Type = iota
	TypeInt8
	TypeUint16
	TypeInt16
	TypeUint32
	TypeInt32
	TypeFloat32
	TypeBool
	TypeString
	TypeArray
	TypeUint64
	TypeInt64
	TypeFloat64
)

// String returns a short name such as "u32" or "string".
func (t Type) String() string {
	names := [...]string{"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"}
	if int64(t) < int64(len(names)) {
		return names[t]
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// minBytes is the fewest bytes that a value of the type takes in a file.
func (t Type) minBytes() int {
	sizes := [...]int{1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8}
	return sizes[t]
}

// Element is a Go type that a scalar, or an element of an array, can have.
type Element interface {
	uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64 | float32 | float64 | bool | string
}

// Value is a metadata value. The zero Value is none: Write refuses it.
type Value struct {
	typ  Type
	elem Type // of an array
	v    any  // T or []T where T is an Element; []Value for an array of arrays
}

// Scalar returns the value v.
func Scalar[T Element](v T) Value { return Value{typ: typeOf[T](), v: v} }

// Array returns an array of the elements. The value keeps the slice.
func Array[T Element](elements []T) Value {
	return Value{typ: TypeArray, elem: typeOf[T](), v: elements}
}

// Nested returns an array of arrays. Write refuses it where an element is not an
// array, or where it is deeper than [MaxArrayDepth].
func Nested(arrays ...Value) Value {
	return Value{typ: TypeArray, elem: TypeArray, v: arrays}
}

func typeOf[T Element]() Type {
	var zero T
	switch any(zero).(type) {
	case uint8:
		return TypeUint8
	case int8:
		return TypeInt8
	case uint16:
		return TypeUint16
	case int16:
		return TypeInt16
	case uint32:
		return TypeUint32
	case int32:
		return TypeInt32
	case float32:
		return TypeFloat32
	case bool:
		return TypeBool
	case uint64:
		return TypeUint64
	case int64:
		return TypeInt64
	case float64:
		return TypeFloat64
	default:
		return TypeString
	}
}

// Type returns the type of the value.
func (v Value) Type() Type { return v.typ }

// Elem returns the type of the elements of an array, and false for a scalar.
func (v Value) Elem() (Type, bool) { return v.elem, v.typ == TypeArray }

// Len returns the number of elements of an array, and 1 for a scalar.
func (v Value) Len() int {
	if v.typ == TypeArray {
		return reflect.ValueOf(v.v).Len()
	}
	return 1
}

// Any returns the value as a T or a []T, where T is the [Element] of its type,
// or as a []Value for an array of arrays. Slices are shared with the value.
func (v Value) Any() any { return v.v }

// typeName is the type as errors and listings say it, such as "string[2048]".
func (v Value) typeName() string {
	if v.typ == TypeArray {
		return fmt.Sprintf("%v[%d]", v.elem, v.Len())
	}
	return v.typ.String()
}

// What String shows of a value.
const (
	shownElements = 8   // of an array
	shownBytes    = 160 // of a string
)

// String returns the value for people to read, on one line: strings quoted, long
// strings and arrays cut short with what was left out.
func (v Value) String() string {
	var b strings.Builder
	v.print(&b)
	return b.String()
}

func (v Value) print(b *strings.Builder) {
	if v.typ != TypeArray {
		printScalar(b, v.v)
		return
	}
	b.WriteString(v.typeName())
	b.WriteByte('{')
	array := reflect.ValueOf(v.v)
	for i := range min(array.Len(), shownElements) {
		if i > 0 {
			b.WriteString(", ")
		}
		if e, nested := array.Index(i).Interface().(Value); nested {
			e.print(b)
		} else {
			printScalar(b, array.Index(i).Interface())
		}
	}
	if array.Len() > shownElements {
		b.WriteString(", ...")
	}
	b.WriteByte('}')
}

func printScalar(b *strings.Builder, scalar any) {
	s, ok := scalar.(string)
	if !ok {
		fmt.Fprint(b, scalar)
		return
	}
	shown := s[:min(len(s), shownBytes)]
	b.WriteString(strconv.Quote(shown))
	if rest := len(s) - len(shown); rest > 0 {
		fmt.Fprintf(b, "... (%d more bytes)", rest)
	}
}
