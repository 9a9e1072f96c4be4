package gguf

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// everyType has a value of every type, and an array of every type.
func everyType() *Metadata {
	m := new(Metadata)
	m.Set("u8", Scalar[uint8](math.MaxUint8))
	m.Set("i8", Scalar[int8](math.MinInt8))
	m.Set("u16", Scalar[uint16](math.MaxUint16))
	m.Set("i16", Scalar[int16](math.MinInt16))
	m.Set("u32", Scalar[uint32](math.MaxUint32))
	m.Set("i32", Scalar[int32](math.MinInt32))
	m.Set("u64", Scalar[uint64](math.MaxUint64))
	m.Set("i64", Scalar[int64](math.MinInt64))
	m.Set("f32", Scalar[float32](0.1))
	m.Set("f64", Scalar(0.1))
	m.Set("bool", Scalar(true))
	m.Set("string", Scalar("héllo\n\x00"))
	m.Set("[u8]", Array([]uint8{0, 255}))
	m.Set("[i8]", Array([]int8{-128, 127}))
	m.Set("[u16]", Array([]uint16{0, 65535}))
	m.Set("[i16]", Array([]int16{-1, 1}))
	m.Set("[u32]", Array([]uint32{1, 2, 3}))
	m.Set("[i32]", Array([]int32{-1, 0, 1}))
	m.Set("[u64]", Array([]uint64{1, math.MaxUint64}))
	m.Set("[i64]", Array([]int64{math.MinInt64, math.MaxInt64}))
	m.Set("[f32]", Array([]float32{0.5, -0.25}))
	m.Set("[f64]", Array([]float64{0.5, 1e300}))
	m.Set("[bool]", Array([]bool{true, false}))
	m.Set("[string]", Array([]string{"", "a", "bc"}))
	m.Set("[]", Array([]uint8{}))
	m.Set("[[]]", Nested(Nested(Array([]string{"deep"})), Nested([]Value{}...)))
	m.Set("long", Scalar(strings.Repeat("long ", 40_000)))                      // over the decoder's buffer
	m.Set("[long]", Array([]string{strings.Repeat("x", 70_000), "", "y"}))      // so too
	m.Set("[many]", Array(slices.Repeat([]float64{1, 2, math.Inf(1)}, 20_000))) // and so
	m.Set("[flags]", Array(slices.Repeat([]bool{true, false, false}, 30_000)))  // and so
	m.Set("[texts]", Array(slices.Repeat([]string{"tok", "en", "s"}, 10_000)))  // and so
	return m
}

func TestEveryTypeRoundTrip(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, everyType(), nil); err != nil {
		t.Fatal(err)
	}
	f, err := Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	want := everyType()
	if f.Len() != want.Len() {
		t.Errorf("%d keys, want %d", f.Len(), want.Len())
	}
	if !slices.Equal(f.keys, want.keys) {
		t.Errorf("keys %q, want %q", f.keys, want.keys)
	}
	for key, w := range want.All() {
		if got, ok := f.Get(key); !ok || !reflect.DeepEqual(got, w) {
			t.Errorf("%s is %v, want %v", key, got, w)
		}
	}
}

func TestGetters(t *testing.T) {
	m := everyType()
	// call hides the type of a getter's result.
	type call func(key string) (any, error)
	of := func(get any) call {
		return func(key string) (any, error) {
			out := reflect.ValueOf(get).Call([]reflect.Value{reflect.ValueOf(key)})
			err, _ := out[1].Interface().(error)
			return out[0].Interface(), err
		}
	}
	getters := map[string]call{
		"Uint": of(m.Uint), "Int": of(m.Int), "Float": of(m.Float), "Bool": of(m.Bool), "String": of(m.String),
		"Strings": of(m.Strings), "Bools": of(m.Bools), "Floats": of(m.Floats), "Ints": of(m.Ints),
	}
	for _, c := range []struct {
		getter, key string
		want        any // or the error's text
		is          error
	}{
		{"Uint", "u8", uint64(255), nil},
		{"Uint", "u64", uint64(math.MaxUint64), nil},
		{"Uint", "i8", `gguf: metadata "i8": out of range: -128 is negative`, ErrRange},
		{"Uint", "f32", `gguf: metadata "f32": wrong type: f32, want an integer`, ErrType},
		{"Uint", "bool", `gguf: metadata "bool": wrong type: bool, want an integer`, ErrType},
		{"Uint", "[u32]", `gguf: metadata "[u32]": wrong type: u32[3], want an integer`, ErrType},
		{"Uint", "none", `gguf: metadata "none": not found`, ErrNotFound},
		{"Int", "i64", int64(math.MinInt64), nil},
		{"Int", "u32", int64(math.MaxUint32), nil},
		{"Int", "u64", `gguf: metadata "u64": out of range: 18446744073709551615 is over an i64`, ErrRange},
		{"Int", "string", `gguf: metadata "string": wrong type: string, want an integer`, ErrType},
		{"Float", "f32", float64(float32(0.1)), nil},
		{"Float", "f64", 0.1, nil},
		{"Float", "u8", `gguf: metadata "u8": wrong type: u8, want a float`, ErrType},
		{"Bool", "bool", true, nil},
		{"Bool", "u8", `gguf: metadata "u8": wrong type: u8, want a bool`, ErrType},
		{"String", "string", "héllo\n\x00", nil},
		{"String", "[string]", `gguf: metadata "[string]": wrong type: string[3], want a string`, ErrType},
		{"Strings", "[string]", []string{"", "a", "bc"}, nil},
		{"Strings", "[[]]", `gguf: metadata "[[]]": wrong type: array[2], want an array of strings`, ErrType},
		{"Bools", "[bool]", []bool{true, false}, nil},
		{"Bools", "none", `gguf: metadata "none": not found`, ErrNotFound},
		{"Floats", "[f32]", []float32{0.5, -0.25}, nil},
		{"Floats", "[f64]", []float32{0.5, float32(math.Inf(1))}, nil},
		{"Floats", "[u8]", `gguf: metadata "[u8]": wrong type: u8[2], want an array of floats`, ErrType},
		{"Ints", "[i32]", []int64{-1, 0, 1}, nil},
		{"Ints", "[u16]", []int64{0, 65535}, nil},
		{"Ints", "[]", []int64{}, nil},
		{"Ints", "[u64]", `gguf: metadata "[u64]": element 1: out of range: 18446744073709551615 is over an i64`, ErrRange},
		{"Ints", "u8", `gguf: metadata "u8": wrong type: u8, want an array of integers`, ErrType},
		{"Ints", "[bool]", `gguf: metadata "[bool]": wrong type: bool[2], want an array of integers`, ErrType},
		{"Ints", "[[]]", `gguf: metadata "[[]]": wrong type: array[2], want an array of integers`, ErrType},
	} {
		got, err := getters[c.getter](c.key)
		if c.is != nil {
			if err == nil || err.Error() != c.want || !errors.Is(err, c.is) {
				t.Errorf("%s(%q): error %v, want %v", c.getter, c.key, err, c.want)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s(%q) = %v, %v; want %v", c.getter, c.key, got, err, c.want)
		}
	}
}

func TestOr(t *testing.T) {
	m := everyType()
	if got, err := Or(m.Uint, "u8", 7); got != 255 || err != nil {
		t.Errorf("of a key: %d, %v; want 255", got, err)
	}
	if got, err := Or(m.Uint, "none", 7); got != 7 || err != nil {
		t.Errorf("of a missing key: %d, %v; want 7", got, err)
	}
	if _, err := Or(m.Uint, "f32", 7); !errors.Is(err, ErrType) {
		t.Errorf("of a wrong type: error %v, want ErrType", err)
	}
}

func TestMetadataChanges(t *testing.T) {
	m := new(Metadata)
	for i, key := range []string{"a", "b", "c"} {
		m.Set(key, Scalar(uint32(i)))
	}
	c := m.Clone()
	c.Set("a", Scalar("again"))
	c.Delete("b")
	c.Delete("none")
	c.Set("d", Scalar(true))
	for _, x := range []struct {
		m    *Metadata
		want []string
	}{{m, []string{"a=0", "b=1", "c=2"}}, {c, []string{`a="again"`, "c=2", "d=true"}}} {
		var got []string
		for key, v := range x.m.All() {
			got = append(got, key+"="+v.String())
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%v, want %v", got, x.want)
		}
	}
	if c.Has("b") || !m.Has("b") {
		t.Errorf("Has(b) is %v and %v, want true and, in the clone, false", m.Has("b"), c.Has("b"))
	}
}

func TestValueString(t *testing.T) {
	for _, c := range []struct {
		v    Value
		want string
	}{
		{Scalar[int8](-3), "-3"},
		{Scalar[float32](0.1), "0.1"},
		{Scalar(false), "false"},
		{Scalar("a\n\x1b[1m"), `"a\n\x1b[1m"`},
		{Scalar(strings.Repeat("x", 161)), `"` + strings.Repeat("x", 160) + `"... (1 more bytes)`},
		{Array([]uint8{}), "u8[0]{}"},
		{Array([]string{"a", "b"}), `string[2]{"a", "b"}`},
		{Array([]int32{1, 2, 3, 4, 5, 6, 7, 8, 9}), "i32[9]{1, 2, 3, 4, 5, 6, 7, 8, ...}"},
		{Nested(Array([]bool{true}), Nested()), "array[2]{bool[1]{true}, array[0]{}}"},
	} {
		if got := c.v.String(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	if got := Type(13).String(); got != "type 13" {
		t.Errorf("%s, want type 13", got)
	}
}

func TestValueType(t *testing.T) {
	for _, c := range []struct {
		v     Value
		typ   Type
		elem  Type
		array bool
		len   int
		any   any
	}{
		{Scalar[uint16](9), TypeUint16, 0, false, 1, uint16(9)},
		{Scalar("ab"), TypeString, 0, false, 1, "ab"},
		{Array([]float64{1, 2}), TypeArray, TypeFloat64, true, 2, []float64{1, 2}},
		{Nested(Array([]bool{})), TypeArray, TypeArray, true, 1, []Value{Array([]bool{})}},
	} {
		elem, array := c.v.Elem()
		if c.v.Type() != c.typ || elem != c.elem || array != c.array || c.v.Len() != c.len || !reflect.DeepEqual(c.v.Any(), c.any) {
			t.Errorf("%v: %v of %v (%v), %d, %#v; want %+v", c.v, c.v.Type(), elem, array, c.v.Len(), c.v.Any(), c)
		}
	}
}
