//go:build js

package main

import (
	"fmt"
	"io"
	"syscall/js"
)

// blob is a Blob, such as a File, that is read where it lies: nothing of it is in
// memory but what was asked for.
type blob struct {
	blob   js.Value
	reader js.Value // FileReaderSync, which only workers have
	size   int64
}

func newBlob(b js.Value) *blob {
	return &blob{blob: b, reader: js.Global().Get("FileReaderSync").New(), size: int64(b.Get("size").Float())}
}

// Size implements gguf.Source.
func (b *blob) Size() int64 { return b.size }

// most is how much is read at a time, in bytes.
const most = 16 << 20

// ReadAt implements io.ReaderAt. It fails where the file has changed since it was
// chosen, or is gone.
func (b *blob) ReadAt(p []byte, off int64) (n int, err error) {
	// What JavaScript throws is a panic here.
	defer func() {
		switch e := recover().(type) {
		case nil:
		case js.Error:
			err = fmt.Errorf("read %d bytes at byte %d: %w", len(p), off, e)
		default:
			panic(e)
		}
	}()
	if off < 0 {
		return 0, fmt.Errorf("read at byte %d", off)
	}
	for n < len(p) && off < b.size {
		end := min(off+int64(min(len(p)-n, most)), b.size)
		buffer := b.reader.Call("readAsArrayBuffer", b.blob.Call("slice", off, end))
		got := js.CopyBytesToGo(p[n:], js.Global().Get("Uint8Array").New(buffer))
		if got == 0 {
			return n, io.ErrUnexpectedEOF
		}
		n, off = n+got, off+int64(got)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
