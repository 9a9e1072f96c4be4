package lora

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Target is a model as adapters see it.
type Target struct {
	Architecture           string // general.architecture
	HeadCount, HeadCountKV int
	// Matrix returns n_out and n_in of a matrix that takes an adapter, by its name
	// in GGUF, "blk.0.attn_q.weight". Its errors say why one does not.
	Matrix func(name string) (rows, columns int, err error)
}

// Fitted is an adapter that fits a model. It may not be changed.
type Fitted struct {
	Deltas []Delta // sorted by tensor
	// Hash is that of all numbers, and of the tensors that they go to: the same
	// for the same adapter in another format.
	Hash [sha256.Size]byte
}

// Delta is what is added to a tensor of the model: B · A.
type Delta struct {
	Tensor        string // "blk.0.attn_q.weight"
	Rank          int
	Rows, Columns int       // of the tensor: n_out and n_in
	A             []float32 // [Rank, Columns]
	B             []float32 // [Rows, Rank], the scale of the pair in it
}

// Fit holds the adapter to a model. Its errors name the tensor, and wrap [ErrModel]
// or [ErrUnsupported].
func (a *Adapter) Fit(t Target) (*Fitted, error) {
	f, err := a.fit(t)
	if err != nil {
		return nil, fmt.Errorf("lora: fit: %w", err)
	}
	return f, nil
}

func (a *Adapter) fit(t Target) (*Fitted, error) {
	if a.Architecture != "" && a.Architecture != t.Architecture {
		return nil, fmt.Errorf("metadata %q: %w: %.64q, and the model is a %q", architectureKey, ErrModel, a.Architecture, t.Architecture)
	}
	f := &Fitted{}
	for i := range a.Pairs {
		p := &a.Pairs[i]
		tensor := p.Name
		if a.Format == "PEFT" {
			var ok bool
			if tensor, ok = tensorOf(p.Name); !ok {
				return nil, fmt.Errorf("tensor %q: %w: no matrix of a model that Realm knows has this name", p.Name, ErrModel)
			}
		}
		rows, columns, err := t.Matrix(tensor)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", p.Name, err)
		}
		if p.Rows != rows || p.Columns != columns {
			return nil, fmt.Errorf("tensor %q: %w: it is for a matrix of %d by %d, and %q has %d by %d", p.Name, ErrModel, p.Rows, p.Columns, tensor, rows, columns)
		}
		d := Delta{Tensor: tensor, Rank: p.Rank, Rows: rows, Columns: columns, A: p.A, B: make([]float32, len(p.B))}
		from := func(row int) int { return row }
		if a.Format == "PEFT" && t.Architecture == "llama" {
			from = t.reordered(tensor, rows)
		}
		for row := range rows {
			for r, v := range p.B[from(row)*p.Rank:][:p.Rank] {
				d.B[row*p.Rank+r] = p.Scale * v
			}
		}
		f.Deltas = append(f.Deltas, d)
	}
	slices.SortFunc(f.Deltas, func(x, y Delta) int { return strings.Compare(x.Tensor, y.Tensor) })
	for i := 1; i < len(f.Deltas); i++ {
		if f.Deltas[i].Tensor == f.Deltas[i-1].Tensor {
			return nil, fmt.Errorf("tensor %q: %w: two pairs are for it", f.Deltas[i].Tensor, ErrFormat)
		}
	}
	f.hash()
	return f, nil
}

// reordered returns where a row of a tensor of llama is in a module of the
// transformers library: elements 2i and 2i+1 of a head of queries or of keys are
// there i and i + head_dim/2.
func (t *Target) reordered(tensor string, rows int) func(row int) int {
	heads := 0
	switch {
	case strings.HasSuffix(tensor, ".attn_q.weight"):
		heads = t.HeadCount
	case strings.HasSuffix(tensor, ".attn_k.weight"):
		heads = t.HeadCountKV
	}
	if heads < 1 || rows%(2*heads) != 0 {
		return func(row int) int { return row }
	}
	dim := rows / heads
	return func(row int) int {
		head, i := row/dim, row%dim
		return head*dim + i%2*(dim/2) + i/2
	}
}

// hash sets Hash.
func (f *Fitted) hash() {
	h := sha256.New()
	buffer := make([]byte, 0, 1<<12)
	numbers := func(values []float32) {
		for _, v := range values {
			if len(buffer)+4 > cap(buffer) {
				h.Write(buffer)
				buffer = buffer[:0]
			}
			buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(v))
		}
		h.Write(buffer)
		buffer = buffer[:0]
	}
	for i := range f.Deltas {
		d := &f.Deltas[i]
		fmt.Fprintf(h, "%q %d %d %d\n", d.Tensor, d.Rank, d.Rows, d.Columns)
		numbers(d.A)
		numbers(d.B)
	}
	h.Sum(f.Hash[:0])
}

// Bytes returns the memory of the numbers.
func (f *Fitted) Bytes() int64 {
	n := int64(0)
	for i := range f.Deltas {
		n += 4 * int64(len(f.Deltas[i].A)+len(f.Deltas[i].B))
	}
	return n
}
