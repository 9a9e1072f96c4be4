package abi

// Type is the type of a parameter or of a field.
type Type uint8

// The types. A pointer is an address in the guest's memory, 64 bits wide; what
// it points to is said with the parameter or field.
const (
	U32 Type = iota
	I32
	F32
	U64
	Pointer
)

// Size returns the bytes of a value, which it is aligned to as well.
func (t Type) Size() int {
	if t == U64 || t == Pointer {
		return 8
	}
	return 4
}

// Wide reports whether a parameter of the type is an i64 of WebAssembly; others
// are i32. There are no parameters of type F32.
func (t Type) Wide() bool { return t.Size() == 8 }

// C returns the type in C, "uint32_t". A Pointer is the integer that crosses the
// interface; realm.h wraps it.
func (t Type) C() string {
	return [...]string{"uint32_t", "int32_t", "float", "uint64_t", "uint64_t"}[t]
}

// Field is a field of a Struct.
type Field struct {
	Name string
	Type Type
	Of   string // what a Pointer points to, in C: "const int32_t"
	Len  int    // of an array: its elements; 0: no array
	Doc  string

	offset int
}

// Offset returns where the field is, in bytes. It is set in what Structs returns.
func (f Field) Offset() int { return f.offset }

// Bytes returns what the field takes.
func (f Field) Bytes() int { return f.Type.Size() * max(1, f.Len) }

// Struct is a layout. Its first field is its size.
type Struct struct {
	Name   string // without the prefix realm_
	Doc    string
	Fields []Field
}

// Size returns the bytes of the struct, a multiple of 8.
func (s Struct) Size() int {
	last := s.Fields[len(s.Fields)-1]
	return align(last.offset+last.Bytes(), 8)
}

// laid returns the struct with the offsets of its fields.
func (s Struct) laid() Struct {
	at := 0
	for i := range s.Fields {
		f := &s.Fields[i]
		f.offset = align(at, f.Type.Size())
		at = f.offset + f.Bytes()
	}
	return s
}

func align(n, to int) int { return (n + to - 1) / to * to }

// Parameter is a parameter of a Function.
type Parameter struct {
	Name string
	Type Type
	Of   string // what a Pointer points to, in C: "const char", "void"
}

// Function is a host function. It returns an Errno.
type Function struct {
	Module     string
	Name       string
	Parameters []Parameter
	Blocks     bool   // it may hold up the guest
	Capability uint64 // the bit it needs; 0: none
	Doc        string // what it does: sentences, with units
	Errnos     []Errno
	Example    string // C
}

// Functions returns the host functions, family by family.
func Functions() []Function {
	var all []Function
	for _, f := range Families() {
		all = append(all, f.Functions...)
	}
	return all
}

// Family is a set of functions that belong together.
type Family struct {
	Name      string
	Doc       string
	Functions []Function
}

// Families returns all functions in the order of the header.
func Families() []Family {
	return []Family{core(), model(), sequence(), execution(), policy(), tensor()}
}
