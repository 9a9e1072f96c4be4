package gguf

import (
	"fmt"
	"io"
	"os"
)

// Source is what a file is read from. *bytes.Reader and *io.SectionReader are
// sources. ReadAt may be called from many goroutines.
type Source interface {
	io.ReaderAt
	Size() int64 // bytes
}

// Slicer is the power of a [Source] to show its bytes without copying them.
type Slicer interface {
	// Slice returns the n bytes at off. They may not be modified, nor used after
	// the source is closed.
	Slice(off, n int64) ([]byte, error)
}

// FileSource is a file on disk, read with ReadAt.
type FileSource struct {
	file *os.File
	size int64
}

// NewFileSource opens the file at path. Its size is taken once: bytes that are
// appended later are not seen, and a file that shrinks gives read errors.
func NewFileSource(path string) (*FileSource, error) {
	s, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	return s, nil
}

func openFile(path string) (*FileSource, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("open %s: not a regular file", path)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return &FileSource{file: file, size: info.Size()}, nil
}

// ReadAt implements io.ReaderAt.
func (s *FileSource) ReadAt(p []byte, off int64) (int, error) { return s.file.ReadAt(p, off) }

// Size returns the bytes of the file when it was opened.
func (s *FileSource) Size() int64 { return s.size }

// Close closes the file. Reads fail from then on.
func (s *FileSource) Close() error { return s.file.Close() }

// closableSource is what Open reads from.
type closableSource interface {
	Source
	io.Closer
}
