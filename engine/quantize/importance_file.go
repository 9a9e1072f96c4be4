package quantize

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/realm-webgpu/realm/engine/gguf"
)

// maxImportanceBytes bounds a file without GGUF's structure: ten times what the
// largest public models have.
const maxImportanceBytes = 1 << 30

// OpenImportance reads what llama.cpp's imatrix program has written, in GGUF or in
// the format before it. It fails with [ErrImportance], with those of package gguf
// and with read errors.
func OpenImportance(path string) (*Importance, error) {
	m, err := openImportance(path)
	if err != nil {
		return nil, fmt.Errorf("quantize: %s: %w", path, err)
	}
	m.File = filepath.Base(path)
	return m, nil
}

func openImportance(path string) (*Importance, error) {
	file, err := gguf.Open(path)
	if err == nil {
		defer file.Close()
		return readImportance(file)
	}
	if !errors.Is(err, gguf.ErrMagic) && !errors.Is(err, gguf.ErrTruncated) {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxImportanceBytes {
		return nil, fmt.Errorf("%w: over %d MiB", ErrImportance, maxImportanceBytes>>20)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseImportance(data)
}

// The names of the GGUF format (tools/imatrix/imatrix.cpp of llama.cpp).
const (
	importanceType = "imatrix" // general.type
	datasetsKey    = "imatrix.datasets"
	chunksKey      = "imatrix.chunk_count"
	sumsSuffix     = ".in_sum2" // [columns, experts]: sums of squares
	countsSuffix   = ".counts"  // [1, experts]: how many were added
)

func readImportance(f *gguf.File) (*Importance, error) {
	if kind, err := f.String("general.type"); err != nil || kind != importanceType {
		return nil, fmt.Errorf("%w: general.type is %.64q, want %q", ErrImportance, kind, importanceType)
	}
	m := &Importance{columns: map[string][]float32{}}
	if names, err := f.Strings(datasetsKey); err == nil {
		m.Dataset = strings.Join(names, ", ")
	}
	if n, err := f.Uint(chunksKey); err == nil && n <= math.MaxInt32 {
		m.Chunks = int(n)
	}
	for _, t := range f.Tensors {
		name, ok := strings.CutSuffix(t.Name, sumsSuffix)
		if !ok {
			continue
		}
		counts, err := f.Tensor(name + countsSuffix)
		if err != nil {
			return nil, err
		}
		means, err := means(t, counts)
		if err == nil {
			err = m.set(name, means)
		}
		if err != nil {
			return nil, err
		}
	}
	if m.Len() == 0 {
		return nil, fmt.Errorf("%w: no tensor *%s", ErrImportance, sumsSuffix)
	}
	return m, nil
}

// means divides sums by their counts. Experts that nothing was sent to have no sums:
// their columns are all alike.
func means(sums, counts *gguf.Tensor) ([]float32, error) {
	values, err := floats(sums)
	if err != nil {
		return nil, err
	}
	n, err := floats(counts)
	if err != nil {
		return nil, err
	}
	if len(n) != sums.Rows() {
		return nil, fmt.Errorf("%w: tensor %q has %d rows, %q has %d elements", ErrImportance, sums.Name, sums.Rows(), counts.Name, len(n))
	}
	columns := sums.Dims[0]
	for i := range values {
		if count := n[i/columns]; count > 0 {
			values[i] /= count
		} else {
			values[i] = 1
		}
	}
	return values, nil
}

func floats(t *gguf.Tensor) ([]float32, error) {
	data, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	values := make([]float32, t.Elements())
	return values, t.Format.Decode(values, data)
}

// parseImportance reads the format before GGUF, all of it little-endian:
//
//	i32 matrices
//	for each
//	  i32 length, bytes  name
//	  i32                calls, how often it was added to
//	  i32 columns, f32   means of squares, times calls
//	i32                  chunks          (these two are not in the oldest files)
//	i32 length, bytes    dataset
func parseImportance(data []byte) (*Importance, error) {
	m := &Importance{columns: map[string][]float32{}}
	p := parser{rest: data}
	for range p.count(minEntryBytes) {
		name := string(p.bytes(p.count(1)))
		calls := p.integer()
		columns := make([]float32, p.count(4))
		if _, err := binary.Decode(p.bytes(4*len(columns)), binary.LittleEndian, columns); err != nil && p.err == nil {
			p.err = err
		}
		if calls > 0 {
			for i := range columns {
				columns[i] /= float32(calls)
			}
		}
		if p.err == nil {
			p.err = m.set(name, columns)
		}
		if p.err != nil {
			break
		}
	}
	if p.err == nil && len(p.rest) > 0 {
		m.Chunks = int(p.integer())
		m.Dataset = string(p.bytes(p.count(1)))
	}
	switch {
	case p.err != nil:
		return nil, p.err
	case len(p.rest) > 0:
		return nil, fmt.Errorf("%w: %d bytes behind its end", ErrImportance, len(p.rest))
	case m.Len() == 0:
		return nil, fmt.Errorf("%w: it has no matrices", ErrImportance)
	}
	return m, nil
}

// minEntryBytes is what the shortest entry of a matrix takes.
const minEntryBytes = 12

// parser takes a file apart. It keeps the first error, and gives zeros after it.
type parser struct {
	rest []byte
	err  error
}

func (p *parser) bytes(n int) []byte {
	if p.err == nil && n > len(p.rest) {
		p.err = fmt.Errorf("%w: it ends too early", ErrImportance)
	}
	if p.err != nil {
		return nil
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) integer() int32 {
	b := p.bytes(4)
	if b == nil {
		return 0
	}
	return int32(binary.LittleEndian.Uint32(b))
}

// count reads how many things of so many bytes at least follow.
func (p *parser) count(size int) int {
	n := p.integer()
	if p.err == nil && (n < 0 || int64(n)*int64(size) > int64(len(p.rest))) {
		p.err = fmt.Errorf("%w: %d things of %d bytes in %d", ErrImportance, n, size, len(p.rest))
	}
	if p.err != nil {
		return 0
	}
	return int(n)
}
