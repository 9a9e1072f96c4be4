package gguf

import (
	"fmt"
	"strings"
)

// The metadata of a shard, as llama.cpp's gguf-split writes it. The first shard
// has the model's metadata too.
const (
	splitNoKey      = "split.no"            // u16, from 0
	splitCountKey   = "split.count"         // u16
	splitTensorsKey = "split.tensors.count" // i32, of all shards together
)

// ReadSplit reads the headers of all shards of a split, in order, as one file
// with the first one's metadata and the tensors of all. It fails with a
// [FormatError] for a shard and with [ErrShard] for shards that do not belong
// together. The sources stay the caller's, as with [Read].
func ReadSplit(srcs ...Source) (*File, error) {
	var files []*File
	for i, src := range srcs {
		f, err := read(src)
		if err != nil {
			return nil, fmt.Errorf("gguf: read: shard %d of %d: %w", i+1, len(srcs), err)
		}
		files = append(files, f)
	}
	f, err := join(files)
	if err != nil {
		return nil, fmt.Errorf("gguf: read: %w", err)
	}
	return f, nil
}

// OpenSplit opens the files at paths as the shards of one model, in order, whatever
// they are called; one path is that of a whole file. Its errors are those of
// [Open]. Close releases the files.
func OpenSplit(paths ...string) (*File, error) {
	var files []*File
	err := func() error {
		for i, path := range paths {
			f, err := openOne(path)
			if err != nil {
				return fmt.Errorf("shard %d of %d: %w", i+1, len(paths), err)
			}
			files = append(files, f)
		}
		return nil
	}()
	if err == nil {
		var f *File
		if f, err = join(files); err == nil {
			return f, nil
		}
	}
	for _, shard := range files {
		shard.Close()
	}
	return nil, fmt.Errorf("gguf: open: %w", err)
}

// split returns the number of a shard, from 0, and how many there are: 0 and 1
// for a file that is not split.
func (f *File) split() (no, count uint64, err error) {
	uint := func(key string) (uint64, error) { return find(f.Metadata, key, Value.uint) }
	count, err = Or(uint, splitCountKey, 1)
	if err == nil {
		no, err = Or(uint, splitNoKey, 0)
	}
	return no, max(count, 1), err
}

// openShards opens what belongs to the first file, which it returns with the
// others, also where it fails.
func openShards(path string, first *File) ([]*File, error) {
	files := []*File{first}
	no, count, err := first.split()
	if err != nil || count == 1 {
		return files, err
	}
	base, ok := strings.CutSuffix(path, shardSuffix(no, count))
	if !ok {
		return files, fmt.Errorf("%w: it is shard %d of %d, but its name does not end in %s",
			ErrShard, no+1, count, shardSuffix(no, count))
	}
	if no != 0 {
		return files, fmt.Errorf("%w: it is shard %d of %d, open the first: %s",
			ErrShard, no+1, count, base+shardSuffix(0, count))
	}
	for i := uint64(1); i < count; i++ {
		f, err := openOne(base + shardSuffix(i, count))
		if err != nil {
			return files, fmt.Errorf("shard %d of %d: %w", i+1, count, err)
		}
		files = append(files, f)
	}
	return files, nil
}

func shardSuffix(no, count uint64) string { return fmt.Sprintf("-%05d-of-%05d.gguf", no+1, count) }

// join makes the files of a split one, which takes over what they have open.
// Where it fails, the files are as they were.
func join(files []*File) (*File, error) {
	if len(files) == 0 {
		return nil, fmt.Errorf("%w: there are none", ErrShard)
	}
	whole := *files[0]
	if len(files) == 1 {
		if _, count, err := whole.split(); err != nil || count == 1 {
			return &whole, err
		}
	}
	total, err := find(whole.Metadata, splitTensorsKey, Value.uint)
	if err != nil {
		return nil, fmt.Errorf("%w: shard 1: %w", ErrShard, err)
	}
	whole.Tensors, whole.sources, whole.closers, whole.byName = nil, nil, nil, make(map[string]*Tensor)
	for i, f := range files {
		no, count, err := f.split()
		if err != nil {
			return nil, fmt.Errorf("%w: shard %d: %w", ErrShard, i+1, err)
		}
		if no != uint64(i) || count != uint64(len(files)) {
			return nil, fmt.Errorf("%w: shard %d of %d says that it is %d of %d", ErrShard, i+1, len(files), no+1, count)
		}
		for _, t := range f.Tensors {
			if other, ok := whole.byName[t.Name]; ok {
				return nil, fmt.Errorf("%w: tensor %q of shard %d: %w: shard %d has it too",
					ErrShard, t.Name, i+1, ErrDuplicate, other.Shard+1)
			}
			t.Shard = i
			whole.byName[t.Name] = t
		}
		whole.Tensors = append(whole.Tensors, f.Tensors...)
		whole.sources = append(whole.sources, f.sources...)
		whole.closers = append(whole.closers, f.closers...)
	}
	if uint64(len(whole.Tensors)) != total {
		return nil, fmt.Errorf("%w: they have %d tensors, %s is %d", ErrShard, len(whole.Tensors), splitTensorsKey, total)
	}
	return &whole, nil
}
