// Package device is the contract of a compute backend: what the engine asks of
// a GPU (or of the CPU that stands in for one), and nothing of how it is done.
//
// A backend uploads weights, makes caches for keys and values, and compiles
// Programs. A Program is the forward pass of a model over a bucket of rows,
// written as a list of operations over virtual buffers (program.go); an
// Executable replays it every step from objects made at compile time. The
// data that changes from step to step is one small Step.
//
// Every backend passes the suite in engine/device/conformance.
//
// # Same text every time
//
// A backend promises that the value of a row depends on nothing but that row's
// inputs: not on the bucket, not on the other rows of the step, not on how a
// prompt was cut into steps. The order of every sum over a row, and the split
// of attention over the cache, belong to (device, format) alone.
//
// # Concurrency
//
// A Device, its weights and its caches may be used from many goroutines;
// an Executable from one at a time. Steps run in the order of their Submits.
package device

import (
	"context"
	"io"

	"github.com/realm-webgpu/realm/shaders/quant"
)

// Device is one compute backend on one adapter.
type Device interface {
	// Info describes the adapter. It does not change.
	Info() Info
	// Memory returns what is taken now, by kind, and the budget.
	Memory() Memory

	// Upload reads a matrix from its sources and lays it out for the device.
	// Errors: ErrMemory when it does not fit the budget (nothing is kept),
	// ErrUnsupported for a shape the device cannot hold, ErrLost, ctx.Err(),
	// and whatever a source returns.
	Upload(ctx context.Context, m Matrix) (Weights, error)
	// UploadVector stores float32 values as they are: norm weights, biases,
	// rope tables.
	UploadVector(values []float32) (Weights, error)
	// NewCache makes the paged store of keys and values of one model.
	NewCache(spec CacheSpec) (Cache, error)
	// Compile plans a program: checks its shapes, takes scratch memory, and
	// makes all that a step needs. Weights and the cache must be this device's.
	Compile(p *Program) (Executable, error)

	// Close releases the device and all that was made from it.
	Close() error
}

// Info describes an adapter.
type Info struct {
	Backend  string // "webgpu", "cpu", "cuda", "metal"
	Name     string // as the driver says it
	Driver   string // driver and version
	Software bool   // the adapter computes on the CPU
	Class    string // the class of device whose kernel defaults are used

	MaxBinding int64    // bytes one binding may cover; larger tensors are split
	MaxBuffer  int64    // bytes of one allocation
	MaxRows    int      // the largest bucket a Program may have
	Features   []string // optional powers found: "subgroups", "shader-f16", ...

	// Int8Activations is true where products round their input to signed bytes, 32
	// with a scale, before they multiply it with quantised weights.
	Int8Activations bool
}

// Kind says what memory was taken for.
type Kind int

// The kinds of memory that are accounted apart.
const (
	KindWeights  Kind = iota // model weights
	KindCache                // keys and values
	KindScratch              // activations, step data and read-back
	KindAdapters             // LoRA adapters
	KindCount
)

// String returns the name used in errors and metrics.
func (k Kind) String() string {
	return [...]string{"weights", "cache", "scratch", "adapters"}[k]
}

// Memory is the account of a device, in bytes.
type Memory struct {
	Used   [KindCount]int64
	Budget int64 // 0: no budget known
}

// Total returns the bytes in use of all kinds.
func (m Memory) Total() int64 {
	var n int64
	for _, b := range m.Used {
		n += b
	}
	return n
}

// Matrix is a weight [Experts, rows, Columns] to be uploaded: its sources are
// stacked by rows, so that matrices that read the same input (query, key and
// value; gate and up) can be one product.
type Matrix struct {
	Name    string        // for errors
	Format  *quant.Format // of every source
	Columns int           // n_in: the elements of a row
	Experts int           // 0 or 1: a plain matrix
	Sources []Source
	Kind    Kind
}

// Source is a tensor of Rows rows for each expert, in the file's own layout:
// rows of Format.RowBytes(Columns) bytes, expert after expert.
type Source struct {
	Rows   int
	Reader io.ReaderAt
}

// Rows returns the rows of all sources together: n_out.
func (m *Matrix) Rows() int {
	n := 0
	for _, s := range m.Sources {
		n += s.Rows
	}
	return n
}

// Weights is a matrix or vector that lives on a device.
type Weights interface {
	// Shape returns n_out and n_in, of each expert; a vector has one row.
	Shape() (rows, columns int)
	// Experts is the number of matrices, 1 but for Experts operations.
	Experts() int
	// Format is the format it was uploaded in.
	Format() *quant.Format
	// Bytes is the device memory it takes.
	Bytes() int64
	// Release gives the memory back, after the steps in flight.
	Release()
}

// CacheType is how keys and values are kept.
type CacheType int

// The cache types.
const (
	CacheF16 CacheType = iota // half floats, clamped to the finite range
	CacheF32
)

// Bytes returns the size of one element.
func (t CacheType) Bytes() int {
	if t == CacheF32 {
		return 4
	}
	return 2
}

// String returns the name used in flags: "f16" or "f32".
func (t CacheType) String() string {
	if t == CacheF32 {
		return "f32"
	}
	return "f16"
}

// PageTokens is the number of tokens of a cache page.
const PageTokens = 32

// CacheSpec is the shape of a cache: Pages pages of PageTokens tokens, each
// with a key and a value [HeadCountKV, HeadDim] for every layer.
type CacheSpec struct {
	Layers      int
	HeadCountKV int
	HeadDim     int // of keys and of values, a multiple of 4
	Pages       int
	Type        CacheType
}

// Bytes returns the memory of the cache.
func (s CacheSpec) Bytes() int64 {
	return 2 * int64(s.Layers) * int64(s.Pages) * PageTokens * int64(s.HeadCountKV) * int64(s.HeadDim) * int64(s.Type.Bytes())
}

// Cache is the paged store of keys and values of one model. It also holds the
// ids that the outputs of the last step chose, for the next step to read.
type Cache interface {
	Spec() CacheSpec
	// CopyPage copies one page of every layer, after the steps submitted so
	// far and before those that follow: the copy of copy-on-write.
	CopyPage(dst, src int) error
	// Choices is how many ids the last step submitted with a TopK leaves for
	// Chosen tokens: its number of outputs.
	Choices() int
	Release()
}

// Executable is a compiled Program. At most InFlight steps may be submitted
// and not yet waited for.
type Executable interface {
	// Submit starts a step. It copies what it needs of s and does not block.
	// Errors: ErrStep for a step that does not fit the program (naming the
	// field and the limit; nothing was started), ErrLost.
	Submit(s *Step) error
	// Wait blocks until the oldest step in flight is done and fills r, whose
	// slices it reuses. Errors: ErrLost; the step's results are then gone.
	Wait(r *Result) error
	// Read copies one row of an output buffer of the last finished step to
	// dst. It is for the few rows that need all of their logits; it must come
	// before the next Submit on this device.
	Read(v View, row int, dst []float32) error
	// Release gives back what Compile took.
	Release()
}

// InFlight is how many steps an Executable takes before the first is waited
// for: two hide the time that results need to come back.
const InFlight = 2

// Step is the data of one pass over n rows, n at most Program.Rows.
type Step struct {
	// Tokens [n] holds ids, or Chosen(i) for the id that output i of the step
	// before chose, which the host need not have seen yet.
	Tokens []int32
	// Positions [n] of the rows in their sequences; a row's key and value are
	// stored there.
	Positions []int32
	// Sequences [n] says which block table each row uses.
	Sequences []int32
	// BlockTables [sequences][pages]: the cache pages of each sequence in
	// order, enough for every position of the step.
	BlockTables [][]int32
	// Lengths [sequences]: tokens of each sequence once this step is done.
	Lengths []int32
	// Outputs [m]: the rows that go through the operations after Gather.
	Outputs []int32
	// Adapters [n] is the slot of each row in the banks of a program that has some,
	// or NoAdapter, and Scales [n] what its adapter is multiplied by.
	Adapters []int32
	Scales   []float32
	// Samplers [m] for a Sample operation.
	Samplers []Sampler
}

// Chosen marks a token that is still on the device: the id that output i of
// the step before chose.
func Chosen(i int) int32 { return int32(-1 - i) }

// Sampler is how one output row draws its token: from the K candidates of
// TopK, cut to the first TopK, to the nucleus TopP and to those at least MinP
// times as likely as the best; divided by Temperature; by the uniform number
// of (Seed, Position). Temperature 0 takes the best.
// Package engine/sample defines each of these.
type Sampler struct {
	Temperature float32
	TopP, MinP  float32
	TopK        int32
	Seed        uint64
	Position    uint32
}

// Result is what comes back from a step, a row for each output.
type Result struct {
	// Chosen [m] is the id that Sample drew, or the best one.
	// NoChoice where the draw reached past the candidates.
	Chosen []int32
	// IDs and Logits [m, K] are the best candidates of TopK, best first, the
	// lower id first among equals.
	IDs    []int32
	Logits []float32
	// LogSumExp [m] of all the row's logits.
	LogSumExp []float32
}

// NoChoice stands in Result.Chosen for a row whose draw the device could not
// finish from its candidates: the host reads the row and finishes it. A Chosen
// token of such a row is some valid id, and the step that reads it is computed
// in vain.
const NoChoice = -1

// Sized is a Device that says what things would take on it, in bytes, before they
// are made. Each is exact: it is what Memory counts once the thing is there.
type Sized interface {
	// MatrixBytes is that of the Weights of an Upload: a matrix [rows, columns], or
	// with experts over 1 so many of them.
	MatrixBytes(f *quant.Format, rows, columns, experts int) int64
	// VectorBytes is that of an UploadVector.
	VectorBytes(elements int) int64
	// CacheBytes is that of a NewCache.
	CacheBytes(spec CacheSpec) int64
}

// Settler is a Device that counts what was released as taken until the steps that
// were in flight are done.
type Settler interface {
	// Settle waits for them.
	Settle()
}

// Losable is a Device that can be made to be lost, for tests of what comes then.
type Losable interface {
	// Lose has everything fail with ErrLost from now on, the steps in flight too, as
	// after the reset of a driver. Close gives back what was taken.
	Lose()
}

// Counters are the totals of a device since it was opened; those that want to
// know what a step costs take differences.
type Counters struct {
	Submits    uint64
	Dispatches uint64
	ReadBack   uint64 // bytes read back
	Written    uint64 // bytes of step data written
}

// Counted is a Device that counts its work.
type Counted interface{ Counters() Counters }
