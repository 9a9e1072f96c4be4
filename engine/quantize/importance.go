package quantize

import (
	"fmt"
	"math"

	"github.com/realm-webgpu/realm/engine/gguf"
)

// Importance says how much each column of a matrix matters: the mean square of
// the activations that it is multiplied by, as llama.cpp's imatrix program
// measures it. The squared errors of weights are multiplied by it.
type Importance struct {
	File    string // that it was read from, without folders
	Dataset string // that it was measured on, "" where the file does not say
	Chunks  int    // of that, 0 where the file does not say

	columns map[string][]float32 // by the name of the tensor: [experts][columns]
}

// Len returns the number of matrices that it is known for.
func (m *Importance) Len() int { return len(m.columns) }

// set adds a matrix.
func (m *Importance) set(name string, columns []float32) error {
	if _, twice := m.columns[name]; twice {
		return fmt.Errorf("%w: %q is there twice", ErrImportance, name)
	}
	for i, x := range columns {
		if !(x >= 0) || math.IsInf(float64(x), 1) {
			return fmt.Errorf("%w: %q: column %d is %v", ErrImportance, name, i, x)
		}
	}
	m.columns[name] = columns
	return nil
}

// of returns the importance of a tensor's columns, nil where it is not known. It
// fails with [ErrImportance] for another number of columns.
func (m *Importance) of(t *gguf.Tensor) ([]float32, error) {
	if m == nil {
		return nil, nil
	}
	columns, ok := m.columns[t.Name]
	if !ok {
		return nil, nil
	}
	experts := 1
	for _, d := range t.Dims[2:] {
		experts *= d
	}
	if n := len(columns); n != t.Dims[0] && n != t.Dims[0]*experts {
		return nil, fmt.Errorf("quantize: tensor %q: %w: %d columns, the tensor has %d in each of %d matrices",
			t.Name, ErrImportance, n, t.Dims[0], experts)
	}
	return columns, nil
}

// weighing finds the importance of ranges of a tensor's weights.
type weighing struct {
	columns    []float32 // [columns], or [experts][columns]; nil: all are alike
	row, plane int       // weights of a row, and of an expert's matrix
}

func (c *Conversion) weighing() weighing {
	if !c.Weighted() {
		return weighing{}
	}
	return weighing{c.importance, c.Tensor.Dims[0], c.Tensor.Dims[0] * c.Tensor.Dims[1]}
}

// next returns the importance of the weights from index at on, as far as the row
// goes and n at most, and how many they are.
func (w weighing) next(at, n int) ([]float32, int) {
	if w.columns == nil {
		return nil, n
	}
	column := at % w.row
	n = min(n, w.row-column)
	if len(w.columns) > w.row {
		column += at / w.plane * w.row
	}
	return w.columns[column : column+n], n
}
