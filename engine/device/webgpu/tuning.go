package webgpu

// The classes of device, each with defaults of its own.
const (
	ClassSoftware   = "software"   // a Vulkan driver that computes on the CPU
	ClassIntegrated = "integrated" // shares memory with the CPU
	ClassDiscrete   = "discrete"   // has its own memory
)

// Tile is the part of a matrix product that one thread, and one workgroup, owns.
type Tile struct {
	Vectors int // groups of four adjacent rows of the weight that a thread owns
	Lanes   int // threads of a workgroup that lie along those rows
}

// Tuning says which variants of the kernels are used. Tiles, Columns and MaxRows
// may be chosen by measurement; Slices fixes the order of sums and belongs to
// the class alone.
type Tuning struct {
	// Tiles [i] is used where a thread owns 1 << i columns (rows of activations).
	Tiles [4]Tile
	// Columns is the most columns that a thread owns: 1, 2, 4 or 8.
	Columns int
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
		return Tuning{Tiles: [4]Tile{{4, 8}, {4, 8}, {4, 8}, {2, 8}}, Columns: 4, Slices: 1, MaxRows: 512}
	case ClassIntegrated:
		return Tuning{Tiles: [4]Tile{{1, 8}, {1, 8}, {1, 8}, {1, 8}}, Columns: 8, Slices: 8, MaxRows: 512}
	default:
		return Tuning{Tiles: [4]Tile{{1, 8}, {1, 8}, {1, 8}, {1, 8}}, Columns: 8, Slices: 16, MaxRows: 512}
	}
}

// with replaces what other has.
func (t Tuning) with(other Tuning) Tuning {
	for i, tile := range other.Tiles {
		if tile.Vectors > 0 {
			t.Tiles[i].Vectors = tile.Vectors
		}
		if tile.Lanes > 0 {
			t.Tiles[i].Lanes = tile.Lanes
		}
	}
	for _, f := range []struct {
		to   *int
		from int
	}{{&t.Columns, other.Columns}, {&t.Slices, other.Slices}, {&t.MaxRows, other.MaxRows}} {
		if f.from > 0 {
			*f.to = f.from
		}
	}
	return t
}

// tile returns the tile and the columns of a thread for a bucket of rows.
func (t Tuning) tile(rows int) (tile Tile, columns int) {
	i := 0
	for columns = 1; columns < t.Columns && columns*2 <= rows; columns *= 2 {
		i++
	}
	return t.Tiles[i], columns
}
