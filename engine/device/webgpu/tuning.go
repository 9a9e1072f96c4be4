package webgpu

// The classes of device, each with defaults of its own.
const (
	ClassSoftware   = "software"   // a Vulkan driver that computes on the CPU
	ClassIntegrated = "integrated" // shares memory with the CPU
	ClassDiscrete   = "discrete"   // has its own memory
)

// Tuning says which variants of the kernels are used. Vectors, Columns, Lanes
// and MaxRows may be chosen by measurement; Slices fixes the order of sums and
// belongs to the class alone.
type Tuning struct {
	// Vectors [i] is how many groups of four adjacent rows of a weight a thread
	// owns, where it owns 1 << i columns (rows of activations).
	Vectors [4]int
	// Columns is the most columns that a thread owns: 1, 2, 4 or 8.
	Columns int
	// Lanes is the threads of a workgroup that lie along the rows.
	Lanes int
	// Slices is the threads of a workgroup that share a sum over k.
	Slices int
	// MaxRows is the largest bucket.
	MaxRows int
}

// defaults returns the tuning of a class. Software adapters pay for each load
// about what several arithmetic operations cost, whichever thread it serves:
// many rows a thread, no sharing. GPUs want many threads that read adjacent
// words.
func defaults(class string) Tuning {
	switch class {
	case ClassSoftware:
		return Tuning{Vectors: [4]int{4, 4, 4, 2}, Columns: 4, Lanes: 8, Slices: 1, MaxRows: 512}
	case ClassIntegrated:
		return Tuning{Vectors: [4]int{1, 1, 1, 1}, Columns: 8, Lanes: 8, Slices: 8, MaxRows: 256}
	default:
		return Tuning{Vectors: [4]int{1, 1, 1, 1}, Columns: 8, Lanes: 8, Slices: 16, MaxRows: 512}
	}
}

// with replaces what other has.
func (t Tuning) with(other Tuning) Tuning {
	for i, v := range other.Vectors {
		if v > 0 {
			t.Vectors[i] = v
		}
	}
	for _, f := range []struct {
		to   *int
		from int
	}{{&t.Columns, other.Columns}, {&t.Lanes, other.Lanes}, {&t.Slices, other.Slices}, {&t.MaxRows, other.MaxRows}} {
		if f.from > 0 {
			*f.to = f.from
		}
	}
	return t
}

// tile returns the vectors and columns of a thread for a bucket of rows.
func (t Tuning) tile(rows int) (vectors, columns int) {
	i := 0
	for columns = 1; columns < t.Columns && columns*2 <= rows; columns *= 2 {
		i++
	}
	return t.Vectors[i], columns
}
