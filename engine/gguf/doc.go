// Package gguf reads and writes GGUF, the file format of GGML's models
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). It reads versions
// 2 and 3, little-endian, and writes version 3.
//
// A file, all numbers little-endian:
//
//	offset  bytes
//	0       4      magic "GGUF"
//	4       4      u32 version
//	8       8      u64 number of tensors
//	16      8      u64 number of metadata pairs
//	24      ...    metadata pairs, one after another:
//	                 string  key, at most 65,535 bytes
//	                 u32     type of the value, a [Type]
//	                 value
//	...     ...    tensor infos, one after another:
//	                 string  name, at most 64 bytes
//	                 u32     number of dimensions, 1 to 4
//	                 u64     each dimension, the fastest first
//	                 u32     GGML type id
//	                 u64     offset of the data, from the start of the data section
//	...     ...    zeros up to a multiple of the alignment
//	...     ...    data section: every tensor starts at a multiple of the alignment,
//	                 and no two share a byte
//
// The alignment is general.alignment, or 32 bytes. A string is a u64 length in
// bytes and the bytes. An array is a u32 type of its elements, a u64 number of
// elements and the elements, which may be arrays themselves.
//
// [Read] checks every count and length against the bytes that are left in the
// file before it allocates, and against the limits of this package ([MaxTensors]
// and its neighbours). What it refuses, it refuses with a [FormatError], which
// names the field and its offset.
//
// [Open] reads a file from disk and, where it is the first shard of a split
// (name-00001-of-00003.gguf), the other shards too. Tensor data stays on disk
// until [Tensor.Reader] or [Tensor.Bytes] asks for it.
package gguf
