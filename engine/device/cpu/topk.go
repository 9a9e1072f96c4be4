package cpu

import (
	"math"
	"slices"

	"github.com/realm-webgpu/realm/engine/device"
)

// topK is device.TopK. Its items are rows.
type topK struct {
	base
	logits block
	k      int
}

func (k *topK) run(s *step) {
	k.step = s
	k.pool.run(k, len(s.outputs), 1)
}

func (k *topK) do(_, first, last int) {
	s := k.step
	for i := first; i < last; i++ {
		row := k.logits.Row(i)
		ids, logits := s.ids[i*k.k:(i+1)*k.k], s.logits[i*k.k:(i+1)*k.k]
		best(k.arithmetic, ids, row)
		for j, id := range ids {
			logits[j] = row[id]
		}
		s.chosen[i] = ids[0]
		s.logSumExp[i] = k.LogSumExp(row)
	}
}

// best writes the ids of the largest elements of row, best first, the lower id
// first among equals. NaN comes after -Inf.
func best(by arithmetic, ids []int32, row []float32) {
	var keys [device.MaxTopK]uint64
	heap := keys[:len(ids)] // the least of the best on top
	for id := range heap {
		heap[id] = rank(row[id], id)
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		sift(heap, i)
	}
	for id := len(heap); id < len(row); id++ {
		// The least of the best is skipped to what is over it, unless it is NaN.
		if least := row[^uint32(heap[0])]; least == least {
			if id = by.Above(row, id, least); id == len(row) {
				break
			}
		}
		if key := rank(row[id], id); key > heap[0] {
			heap[0] = key
			sift(heap, 0)
		}
	}
	slices.Sort(heap)
	for i := range ids {
		ids[i] = int32(^uint32(heap[len(heap)-1-i]))
	}
}

// rank returns a number that is higher for a larger logit, or an equal one of a
// lower id: the bits of the logit, made to rise with it, and those of the id,
// made to fall.
func rank(logit float32, id int) uint64 {
	b := math.Float32bits(logit)
	switch {
	case logit != logit:
		b = 0
	case logit == 0:
		b = 1 << 31 // -0 is 0
	case b>>31 == 0:
		b |= 1 << 31
	default:
		b = ^b
	}
	return uint64(b)<<32 | uint64(^uint32(id))
}

// sift moves heap[i] down to where no child is less.
func sift(heap []uint64, i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(heap); child++ {
			if heap[child] < heap[least] {
				least = child
			}
		}
		if least == i {
			return
		}
		heap[i], heap[least] = heap[least], heap[i]
		i = least
	}
}
