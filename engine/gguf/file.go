package gguf

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// File is the header of a GGUF file, or of a split of several. It may be used by
// many goroutines as long as none changes it.
type File struct {
	*Metadata
	Version   uint32    // 2 or 3
	Alignment int64     // of tensor data, in bytes
	Tensors   []*Tensor // in the order of the file

	byName  map[string]*Tensor
	sources []Source // of the file, or of each shard in order
	closers []io.Closer
}

// Read reads the header of a file. It fails with a [FormatError]. The source
// stays the caller's: it must remain open while tensors are read, and Close does
// not close it. A shard of a split is read by itself; see [ReadSplit].
func Read(src Source) (*File, error) {
	f, err := read(src)
	if err != nil {
		return nil, fmt.Errorf("gguf: read: %w", err)
	}
	return f, nil
}

// Open opens the file at path, mapped where the platform can, and all shards of
// a split by the path of its first. It fails with a [FormatError] for a file, with
// an error that names the path of a shard that is missing (fs.ErrNotExist), and
// with [ErrShard] for shards that do not belong together. Tensors of a type that
// shaders/quant does not have are listed, but cannot be read. Close releases the
// file.
func Open(path string) (*File, error) {
	first, err := openOne(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	files, err := openShards(path, first)
	if err == nil {
		var f *File
		if f, err = join(files); err == nil {
			return f, nil
		}
	}
	for _, shard := range files {
		shard.Close()
	}
	return nil, fmt.Errorf("gguf: open %s: %w", path, err)
}

func openOne(path string) (*File, error) {
	src, err := openSource(path)
	if err != nil {
		return nil, err
	}
	f, err := read(src)
	if err != nil {
		src.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	f.closers = []io.Closer{src}
	return f, nil
}

// Close releases the files that [Open] opened. What Tensor.Bytes returned is gone
// then.
func (f *File) Close() error {
	var errs []error
	for _, c := range f.closers {
		errs = append(errs, c.Close())
	}
	f.closers = nil
	return errors.Join(errs...)
}

// Tensor returns the tensor of a name. It fails with [ErrNotFound].
func (f *File) Tensor(name string) (*Tensor, error) {
	t, ok := f.byName[name]
	if !ok {
		return nil, fmt.Errorf("gguf: tensor %q: %w", name, ErrNotFound)
	}
	return t, nil
}

// HasTensor reports whether there is a tensor of the name.
func (f *File) HasTensor(name string) bool {
	_, ok := f.byName[name]
	return ok
}

// alignmentKey holds the alignment in bytes, a u32.
const alignmentKey = "general.alignment"

// alignment returns the alignment that metadata asks for.
func alignment(m *Metadata) (int64, error) {
	v, ok := m.Get(alignmentKey)
	if !ok {
		return DefaultAlignment, nil
	}
	n, err := v.uint()
	if err != nil {
		return 0, err
	}
	if n < MinAlignment || n > MaxAlignment || bits.OnesCount64(n) != 1 {
		return 0, fmt.Errorf("%w: %d, want a power of two from %d to %d", ErrMalformed, n, MinAlignment, MaxAlignment)
	}
	return int64(n), nil
}

// alignUp returns the next multiple of alignment, a power of two. The caller
// sees to it that there is one.
func alignUp(off, alignment int64) int64 { return (off + alignment - 1) &^ (alignment - 1) }
