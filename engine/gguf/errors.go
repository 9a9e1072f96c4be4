package gguf

import (
	"errors"
	"fmt"
)

// What can be wrong with a file. Each is the cause of a [FormatError], save
// ErrShard, ErrSize and ErrFormat.
var (
	ErrMagic     = errors.New("not a GGUF file")
	ErrVersion   = errors.New("unsupported GGUF version")
	ErrBigEndian = errors.New("big-endian GGUF file: convert it to little-endian")
	ErrTruncated = errors.New("file ends too early")
	ErrLimit     = errors.New("over the limit")
	ErrDuplicate = errors.New("duplicate")
	ErrMalformed = errors.New("malformed")
	ErrShard     = errors.New("shards do not belong together")

	// ErrSize is a number of bytes given to Write that is not the tensor's.
	ErrSize = errors.New("wrong number of bytes")

	// ErrFormat is a tensor whose GGML type is not in shaders/quant.
	ErrFormat = errors.New("unsupported tensor type")
)

// What can be wrong with a question about a file.
var (
	ErrNotFound = errors.New("not found")
	ErrType     = errors.New("wrong type")
	ErrRange    = errors.New("out of range")
)

// FormatError says where in a file Read found something that it refuses.
type FormatError struct {
	Field  string // such as: metadata "llama.block_count" value
	Offset int64  // of the field, in bytes from the start of the file
	Err    error  // wraps one of the sentinels of this package, or a read error
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s at byte %d: %v", e.Field, e.Offset, e.Err)
}

func (e *FormatError) Unwrap() error { return e.Err }
