package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// magnitude is a class of rows of weights.
type magnitude int

// The magnitudes.
const (
	plain magnitude = iota // as trained weights are
	tiny                   // block scales are float16 subnormals
	large                  // thousands
	zero
	magnitudes
)

func (m magnitude) String() string { return [...]string{"plain", "tiny", "large", "zero"}[m] }

// segment is the number of elements of the pieces that rows are put together
// from: a multiple of the block of every format.
const segment = quant.BlockMax

// stock has encoded pieces of rows of one format. Quantising is slow, so a
// stock is made once, when it is first asked for.
type stock struct {
	format *quant.Format
	once   sync.Once
	err    error
	pieces [magnitudes][]piece
}

// piece is a segment: its bytes and the values that they stand for.
type piece struct {
	bytes  []byte
	values []float32
}

// part is one source of a matrix.
type part struct {
	rows, columns int
	bytes         []byte
	values        []float32
}

// stocks returns a stock for each row of the table of formats.
func stocks() []*stock {
	var all []*stock
	for _, f := range quant.All() {
		all = append(all, &stock{format: f})
	}
	return all
}

// stockOf returns that of a format of the table.
func stockOf(name string) *stock {
	all := stocks()
	return all[slices.IndexFunc(all, func(s *stock) bool { return s.format.Name == name })]
}

// kinds returns the first stock of each size of blocks.
func kinds(all []*stock) []*stock {
	var some []*stock
	for _, s := range all {
		if !slices.ContainsFunc(some, func(o *stock) bool { return o.unit() == s.unit() }) {
			some = append(some, s)
		}
	}
	return some
}

// sized returns the stocks that take their turn in what Small has one format of
// each size of blocks of.
func sized(size Size) []*stock {
	if size == Small {
		return kinds(stocks())
	}
	return stocks()
}

// unit is the number of elements that the columns of a matrix must be a
// multiple of: a block, and for plain formats the four that a view is.
func (s *stock) unit() int { return max(4, s.format.BlockElements) }

func (s *stock) fill() {
	r := random("stock " + s.format.Name)
	for m, n := range [...]int{plain: 48, tiny: 8, large: 8, zero: 1} {
		for range n {
			x := make([]float32, segment)
			for i := range x {
				x[i] = float32(r.NormFloat64() + 0.25)
			}
			p, err := s.encode(x, magnitude(m))
			if err != nil {
				s.err = fmt.Errorf("%v weights: %w", magnitude(m), err)
				return
			}
			s.pieces[m] = append(s.pieces[m], p)
		}
	}
}

func (s *stock) encode(x []float32, m magnitude) (piece, error) {
	scale := [...]float32{plain: 0.05, tiny: 0x1p-6, large: 2000, zero: 0}[m]
	for {
		scaled := make([]float32, len(x))
		for i, v := range x {
			scaled[i] = scale * v
		}
		n, err := s.format.RowBytes(len(x))
		if err != nil {
			return piece{}, err
		}
		p := piece{make([]byte, n), make([]float32, len(x))}
		if err := s.format.Encode(p.bytes, scaled, nil); err != nil {
			return piece{}, err
		}
		if m == tiny && !s.subnormal(p) {
			scale /= 2
			continue
		}
		return p, s.format.Decode(p.values, p.bytes)
	}
}

// minNormalF16 is the least normal float16.
const minNormalF16 = 0x1p-14

// subnormal reports whether all block scales of a piece are float16 subnormals,
// or its elements where the format is plain.
func (s *stock) subnormal(p piece) bool {
	below := func(v float32) bool { return v > -minNormalF16 && v < minNormalF16 }
	if s.format.Layout.Plain {
		if err := s.format.Decode(p.values, p.bytes); err != nil {
			return true
		}
		for _, v := range p.values {
			if !below(v) {
				return false
			}
		}
		return true
	}
	var parts quant.Parts
	for at := 0; at < len(p.bytes); at += s.format.BlockBytes {
		if s.format.Split(p.bytes[at:], &parts); !below(parts.D) {
			return false
		}
	}
	return true
}

// part returns rows of one magnitude, put together from random pieces.
func (s *stock) part(l *lab, r *rand.Rand, rows, columns int, m magnitude) part {
	s.once.Do(s.fill)
	if s.err != nil {
		l.fail("%w", s.err)
		return part{rows: rows, columns: columns}
	}
	p := part{rows: rows, columns: columns}
	for range rows {
		for at := 0; at < columns; at += segment {
			n := min(segment, columns-at)
			size, err := s.format.RowBytes(n)
			if err != nil {
				l.fail("%w", err)
				return p
			}
			from := s.pieces[m][r.IntN(len(s.pieces[m]))]
			p.bytes = append(p.bytes, from.bytes[:size]...)
			p.values = append(p.values, from.values[:n]...)
		}
	}
	return p
}

// matrix uploads a matrix of plain rows.
func (s *stock) matrix(l *lab, r *rand.Rand, rows, columns int) device.Weights {
	return l.upload(fmt.Sprintf("%s [%d, %d]", s.format.Name, rows, columns), s.format, s.part(l, r, rows, columns, plain))
}
