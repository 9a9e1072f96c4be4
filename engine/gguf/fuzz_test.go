package gguf

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

// FuzzRead: any bytes give an error that says where, or a file whose tensors lie
// inside it and which, written again, reads the same.
func FuzzRead(f *testing.F) {
	f.Add(small(f))
	for _, c := range malformed() {
		f.Add([]byte(c.file))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Read(bytes.NewReader(b))
		if err != nil {
			if fe := new(FormatError); !errors.As(err, &fe) || fe.Offset < 0 || fe.Offset > int64(len(b)) || fe.Field == "" {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		for _, v := range file.All() {
			_ = v.String()
		}
		for _, x := range file.Tensors {
			data, err := x.Bytes()
			if x.Format == nil {
				if !errors.Is(err, ErrFormat) {
					t.Fatalf("tensor %q of type %d: error %v, want ErrFormat", x.Name, x.TypeID, err)
				}
				return // cannot be written again
			}
			if err != nil || !bytes.Equal(data, b[x.Offset:][:x.Size]) {
				t.Fatalf("tensor %q: %d bytes, %v; want %d at %d", x.Name, len(data), err, x.Size, x.Offset)
			}
		}
		again, err := rewrite(file)
		if err != nil {
			t.Fatalf("write again: %v", err)
		}
		file2, err := Read(bytes.NewReader(again))
		if err != nil {
			t.Fatalf("read again: %v", err)
		}
		if again2, err := rewrite(file2); err != nil || !bytes.Equal(again, again2) {
			t.Fatalf("written again it is %x, and once more %x, %v", again, again2, err)
		}
		if !reflect.DeepEqual(file.keys, file2.keys) || len(file.Tensors) != len(file2.Tensors) {
			t.Fatalf("%v and %d tensors, read again %v and %d", file.keys, len(file.Tensors), file2.keys, len(file2.Tensors))
		}
	})
}
