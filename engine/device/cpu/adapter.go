package cpu

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu/simd"
)

// adapted is a matMul with a bank. Its items are the runs of the step's rows, of which
// A · x is computed, and then those of the weight, each of which waits for all of the
// runs before B is added to what it has: so neither half of an adapter is a task of its
// own, whose end all workers would have to wait for.
type adapted struct {
	matMul
	bank     *device.Bank
	down, up *storage
	narrow   simd.Rows // [rows, Bank.Width()]

	rows   *adapterRows // of the step
	grain  int          // items that are handed out together; a run counts as so many
	undone atomic.Int64 // runs without narrow rows
}

func (k *adapted) run(s *step) {
	if k.rows = s.adapterRows(k.x.outputs); len(k.rows.runs) == 0 {
		k.matMul.run(s)
		return
	}
	items, grain := k.begin(s)
	k.grain = grain
	k.undone.Store(int64(len(k.rows.runs)))
	all := len(k.rows.runs)*grain + items
	if grain >= items { // too little to be spread
		grain = all
	}
	k.pool.run(k, all, grain)
}

func (k *adapted) do(worker, first, last int) {
	runs := len(k.rows.runs) * k.grain
	for ; first < min(runs, last); first += k.grain {
		r := &k.rows.runs[first/k.grain]
		size := k.bank.Width() * k.bank.Columns
		k.Down(k.narrow, k.x.Rows, r.rows, r.scales, k.down.values[r.slot*size:][:size])
		k.undone.Add(-1)
	}
	if first >= last {
		return
	}
	k.matMul.do(worker, first-runs, last-runs)
	k.pool.wait(&k.undone)
	k.add(k.weight.span(first-runs, last-runs))
}

// add adds B · narrow to the elements [first, last) of the rows.
func (k *adapted) add(first, last int) {
	rank, width, at := k.bank.Rank, k.bank.Rows(), 0
	for part, n := range k.bank.Parts {
		from, to := max(first, at), min(last, at+n)
		at += n
		if from >= to {
			continue
		}
		out := simd.Rows{Data: k.out.Data[from:], Stride: k.out.Stride, Width: to - from}
		by := simd.Rows{Data: k.narrow.Data[part*rank:], Stride: k.narrow.Stride, Width: rank}
		for i := range k.rows.runs {
			r := &k.rows.runs[i]
			k.Up(out, r.rows, k.up.values[r.slot*rank*width+from:], width, by)
		}
	}
}

// newAdapted makes the kernel of a product with a bank.
func (e *executable) newAdapted(m matMul, b *device.Bank) (*adapted, error) {
	k := &adapted{matMul: m, bank: b, narrow: simd.Rows{Data: e.narrow, Stride: b.Width(), Width: b.Width()}}
	var err error
	if k.down, err = e.bank(b.Down); err == nil {
		k.up, err = e.bank(b.Up)
	}
	return k, err
}

// narrowOf returns the most elements that the rows of a program have between the halves
// of their adapters.
func narrowOf(p *device.Program) int {
	most := 0
	for _, op := range p.Ops {
		if o, ok := op.(*device.MatMul); ok && o.Bank != nil {
			most = max(most, p.Rows*o.Bank.Width())
		}
	}
	return most
}

// bank keeps a storage of adapters for the executable.
func (e *executable) bank(of device.Storage) (*storage, error) {
	s, ok := of.(*storage)
	if !ok || s.device != e.device {
		return nil, fmt.Errorf("a bank of another device: %w", device.ErrProgram)
	}
	if s.closed.Load() {
		return nil, fmt.Errorf("bank: %w", device.ErrClosed)
	}
	s.holds.Add(1)
	e.held = append(e.held, s)
	return s, nil
}

// adapterRows are the rows, or outputs, of a step that have adapters: by their slots, so
// that what is read of an adapter serves as many as there are (as in Punica and S-LoRA).
type adapterRows struct {
	keys   []int64   // a slot and a row each, sorted
	order  []int32   // the rows
	scales []float32 // of each
	runs   []adapterRun
}

// adapterRun is rows of one slot, at most maxRun of them.
type adapterRun struct {
	slot   int
	rows   []int32
	scales []float32
}

// maxRun bounds the rows of a run, which one worker computes A · x of.
const maxRun = 8

func newAdapterRows(rows int) adapterRows {
	return adapterRows{make([]int64, 0, rows), make([]int32, 0, rows), make([]float32, 0, rows), make([]adapterRun, 0, rows)}
}

// adapterRowBytes is the memory of newAdapterRows for each row.
const adapterRowBytes = 8 + 4 + 4 + 56

// sort takes the rows of a step, or its outputs.
func (a *adapterRows) sort(s *step, outputs bool) {
	a.keys, a.order, a.scales, a.runs = a.keys[:0], a.order[:0], a.scales[:0], a.runs[:0]
	of := func(i int) int {
		if outputs {
			return int(s.outputs[i])
		}
		return i
	}
	for i := range s.rows(outputs) {
		if slot := s.adapters[of(i)]; slot >= 0 {
			a.keys = append(a.keys, int64(slot)<<32|int64(i))
		}
	}
	slices.Sort(a.keys)
	first := 0 // of the run
	for at, key := range a.keys {
		slot, i := int(key>>32), int(int32(key))
		a.order, a.scales = append(a.order, int32(i)), append(a.scales, s.scales[of(i)])
		n := len(a.runs)
		if at == 0 || a.runs[n-1].slot != slot || at-first == maxRun {
			first, n = at, n+1
			a.runs = a.runs[:n]
		}
		a.runs[n-1] = adapterRun{slot, a.order[first : at+1], a.scales[first : at+1]}
	}
}
