package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	decoderBufferBytes = 64 << 10  // read from a source at a time
	textBytes          = 256 << 10 // allocated at a time, at most, for the strings of an array
	textBytesEach      = 16        // expected of a string
)

// decoder reads the numbers and strings of a header. Its methods move off over
// what they return. When they fail, off stays at the value that is at fault, so
// that the caller can say where it is.
type decoder struct {
	src   Source
	off   int64 // of the next byte
	limit int64 // where the header must end: the size, or MaxHeaderBytes

	buf   []byte // bytes of the file from start
	start int64
}

func newDecoder(src Source) *decoder {
	limit := min(src.Size(), MaxHeaderBytes)
	return &decoder{src: src, limit: limit, buf: make([]byte, 0, max(0, min(limit, decoderBufferBytes)))}
}

// left checks that the header has n more bytes, so that nothing is allocated for
// bytes that are not there. The limits of the callers keep n far from overflow.
func (d *decoder) left(n int64) error {
	switch {
	case n <= d.limit-d.off:
		return nil
	case d.limit < d.src.Size():
		return fmt.Errorf("%w: a header of %d bytes at most", ErrLimit, int64(MaxHeaderBytes))
	default:
		return fmt.Errorf("%w: needs %d bytes, has %d", ErrTruncated, n, max(0, d.limit-d.off))
	}
}

// peek returns the next n bytes, at most decoderBufferBytes. They are good until
// the next call of a method.
func (d *decoder) peek(n int) ([]byte, error) {
	if err := d.left(int64(n)); err != nil {
		return nil, err
	}
	if i := d.off - d.start; i+int64(n) <= int64(len(d.buf)) {
		return d.buf[i:][:n], nil
	}
	d.start = d.off
	d.buf = d.buf[:min(int64(cap(d.buf)), d.limit-d.off)]
	got, err := d.src.ReadAt(d.buf, d.off)
	d.buf = d.buf[:got]
	if got < n {
		return nil, readError(err)
	}
	return d.buf[:n], nil
}

// readError is what a ReadAt that came short of the source's Size means.
func readError(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it shrank while it was read", ErrTruncated)
	}
	return fmt.Errorf("read: %w", err)
}

func (d *decoder) u32() (uint32, error) {
	b, err := d.peek(4)
	if err != nil {
		return 0, err
	}
	d.off += 4
	return binary.LittleEndian.Uint32(b), nil
}

func (d *decoder) u64() (uint64, error) {
	b, err := d.peek(8)
	if err != nil {
		return 0, err
	}
	d.off += 8
	return binary.LittleEndian.Uint64(b), nil
}

// count reads the number of things that take minBytes each or more.
func (d *decoder) count(limit uint64, minBytes int) (int, error) {
	n, err := d.u64()
	if err != nil {
		return 0, err
	}
	if n > limit {
		err = fmt.Errorf("%w: %d, at most %d", ErrLimit, n, limit)
	} else {
		err = d.left(int64(n) * int64(minBytes))
	}
	if err != nil {
		d.off -= 8
		return 0, err
	}
	return int(n), nil
}

// bytes fills p.
func (d *decoder) bytes(p []byte) error {
	for len(p) > 0 {
		b, err := d.peek(min(len(p), decoderBufferBytes))
		if err != nil {
			return err
		}
		d.off += int64(copy(p, b))
		p = p[len(b):]
	}
	return nil
}

func (d *decoder) string(limit int) (string, error) {
	n, err := d.count(uint64(limit), 1)
	if err != nil {
		return "", err
	}
	if n <= decoderBufferBytes {
		b, err := d.peek(n)
		if err != nil {
			return "", err
		}
		d.off += int64(n)
		return string(b), nil
	}
	p := make([]byte, n)
	err = d.bytes(p)
	return string(p), err
}

// strings reads n strings. Many share an allocation: a vocabulary is kept or
// dropped as a whole.
func (d *decoder) strings(n int) ([]string, error) {
	var text strings.Builder
	all := make([]string, n)
	for i := range all {
		size, err := d.count(MaxStringBytes, 1)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		if text.Cap()-text.Len() < size {
			text = strings.Builder{}
			// In proportion to the strings to come, so that many small arrays
			// cannot have much allocated.
			text.Grow(max(size, min(textBytes, textBytesEach*(n-i))))
		}
		start := text.Len()
		for size > 0 {
			b, err := d.peek(min(size, decoderBufferBytes))
			if err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
			text.Write(b)
			d.off += int64(len(b))
			size -= len(b)
		}
		all[i] = text.String()[start:]
	}
	return all, nil
}
