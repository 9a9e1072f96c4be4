package gguf

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/shaders/quant"
)

func writeFile(t testing.TB, path string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "small.gguf"), small(t))
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := f.Tensor("b")
	if err != nil {
		t.Fatal(err)
	}
	first, err := b.Bytes()
	if err != nil || !bytes.Equal(first, sequence(0x10, 68)) {
		t.Fatalf("bytes %x, %v; want 10 11 ...", first, err)
	}
	again, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := b.src.(Slicer); ok && &first[0] != &again[0] {
		t.Error("Bytes of a mapped file made a copy")
	}
	r, err := b.Reader()
	if err != nil {
		t.Fatal(err)
	}
	if r.Size() != 68 {
		t.Errorf("the reader has %d bytes, want 68", r.Size())
	}
	middle := make([]byte, 10)
	if _, err := r.ReadAt(middle, 34); err != nil || !bytes.Equal(middle, sequence(0x32, 10)) {
		t.Errorf("read %x, %v; want 32 33 ...", middle, err)
	}

	if err := f.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := b.Bytes(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Bytes after Close: error %v, want os.ErrClosed", err)
	}
	if err := b.CopyTo(io.Discard); !errors.Is(err, os.ErrClosed) {
		t.Errorf("CopyTo after Close: error %v, want os.ErrClosed", err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	none := filepath.Join(dir, "none.gguf")
	bad := writeFile(t, filepath.Join(dir, "bad.gguf"), []byte("ggml1234"))
	empty := writeFile(t, filepath.Join(dir, "empty.gguf"), nil)
	for _, c := range []struct {
		path string
		is   error
	}{{none, fs.ErrNotExist}, {bad, ErrMagic}, {empty, ErrMagic}} {
		_, err := Open(c.path)
		if !errors.Is(err, c.is) || !strings.HasPrefix(err.Error(), "gguf: open "+c.path+": ") {
			t.Errorf("%s: error %v, want %v", c.path, err, c.is)
		}
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: error %v, want that it is not a regular file", err)
	}
}

// TestShrunkFile: a file that another program cuts off gives an error.
func TestShrunkFile(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "small.gguf"), small(t))
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, 320); err != nil {
		t.Fatal(err)
	}
	if err := f.Tensors[1].CopyTo(io.Discard); !errors.Is(err, ErrTruncated) {
		t.Errorf("CopyTo: error %v, want ErrTruncated", err)
	}
	short := Tensor{Name: "b", Format: format(t, "Q8_0"), Offset: 304, Size: 68, src: bytes.NewReader(small(t)[:320])}
	if _, err := short.Bytes(); !errors.Is(err, ErrTruncated) {
		t.Errorf("Bytes: error %v, want ErrTruncated", err)
	}
}

func TestForeignType(t *testing.T) {
	for _, c := range []struct {
		id   uint32
		want string
	}{
		{23, `gguf: tensor "x": unsupported tensor type: IQ4_XS (GGML type 23)`},
		{26, `gguf: tensor "x": unsupported tensor type: I32 (GGML type 26)`},
		{999, `gguf: tensor "x": unsupported tensor type: type 999 (GGML type 999)`},
	} {
		b := rawFile(2, 0).info("x", c.id, 0, 7, 3).info("y", 0, 32, 1).align(32).zeros(32).u8(1, 2, 3, 4)
		f, err := Read(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		x, y := f.Tensors[0], f.Tensors[1]
		if x.Elements() != 21 || x.Rows() != 3 || x.Size != 0 || x.TypeID != c.id || x.Format != nil {
			t.Errorf("type %d: %+v", c.id, x)
		}
		_, err = x.Bytes()
		_, err2 := x.Reader()
		err3 := x.CopyTo(io.Discard)
		for _, err := range []error{err, err2, err3} {
			if !errors.Is(err, ErrFormat) || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		}
		if got, err := y.Bytes(); err != nil || !slices.Equal(got, []byte{1, 2, 3, 4}) {
			t.Errorf("its neighbour: %v, %v; want 1 2 3 4", got, err)
		}
	}
}

func TestForeignTypesAreForeign(t *testing.T) {
	for id, name := range foreignTypes() {
		if f, ok := quant.ByID(id); ok {
			t.Errorf("type %d (%s) is %s of shaders/quant: drop it from foreignTypes", id, name, f.Name)
		}
	}
}

func TestEveryFormat(t *testing.T) {
	var out []Output
	for _, q := range quant.All() {
		out = append(out, Output{Name: q.Name, Dims: []int{q.BlockElements * 2, 3, 1, 2}, Format: q, Data: func(w io.Writer) error {
			_, err := w.Write(bytes.Repeat([]byte{byte(q.ID)}, q.BlockBytes*2*3*2))
			return err
		}})
	}
	var b bytes.Buffer
	if err := Write(&b, new(Metadata), out); err != nil {
		t.Fatal(err)
	}
	f, err := Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range quant.All() {
		x, err := f.Tensor(q.Name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := x.Bytes()
		if err != nil || !bytes.Equal(data, bytes.Repeat([]byte{byte(q.ID)}, q.BlockBytes*12)) {
			t.Errorf("%s: %d bytes, %v; want %d of %d", q.Name, len(data), err, q.BlockBytes*12, q.ID)
		}
		if x.TypeName() != q.Name || x.Offset%DefaultAlignment != 0 {
			t.Errorf("%s: type %s at %d", q.Name, x.TypeName(), x.Offset)
		}
	}
	if _, err := f.Tensor("none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a missing tensor: error %v, want ErrNotFound", err)
	}
}
