//go:build !wasm

package gguf

import (
	"fmt"
	"os"
	"sync"

	"github.com/edsrzf/mmap-go"
)

// MappedSource is a file on disk that is mapped into memory, read-only, at the
// first Slice. ReadAt does not go through the map: a file that is truncated
// while it is open then gives read errors, where touching the map would be a
// fault that ends the process.
type MappedSource struct {
	*FileSource

	mu     sync.Mutex
	data   mmap.MMap
	closed bool
}

// NewMappedSource opens the file at path, as NewFileSource does.
func NewMappedSource(path string) (*MappedSource, error) {
	file, err := NewFileSource(path)
	if err != nil {
		return nil, err
	}
	return &MappedSource{FileSource: file}, nil
}

// Slice returns the n bytes at off of the map. They may not be modified, nor
// used after Close. It fails where the range is not inside the file, the source
// is closed (os.ErrClosed) or the system cannot map the file.
func (s *MappedSource) Slice(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > s.size || n > s.size-off {
		return nil, fmt.Errorf("gguf: map: %w: %d bytes at byte %d of a file of %d", ErrRange, n, off, s.size)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("gguf: map: %w", os.ErrClosed)
	}
	if n == 0 {
		return nil, nil // an empty file cannot be mapped
	}
	if s.data == nil {
		data, err := mmap.MapRegion(s.file, int(s.size), mmap.RDONLY, 0, 0)
		if err != nil {
			return nil, fmt.Errorf("gguf: map %s: %w", s.file.Name(), err)
		}
		s.data = data
	}
	return s.data[off : off+n : off+n], nil
}

// Close releases the map and closes the file.
func (s *MappedSource) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.data != nil {
		if err := s.data.Unmap(); err != nil {
			s.file.Close()
			return fmt.Errorf("gguf: unmap: %w", err)
		}
	}
	return s.FileSource.Close()
}

func openSource(path string) (closableSource, error) {
	file, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return &MappedSource{FileSource: file}, nil
}
