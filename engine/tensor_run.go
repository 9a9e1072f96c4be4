package engine

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/sample"
)

// TensorRun is a list of operations on its way.
type TensorRun struct {
	done <-chan struct{}
	err  error
}

// Done is closed when the list has ended.
func (r *TensorRun) Done() <-chan struct{} { return r.done }

// Err returns why the list ended early, nil where all of it ran: ErrTensor for
// positions that a sequence does not have, ErrClosed, kv.ErrPages, those of the
// device and of samplers, ctx.Err(). It is for after Done.
func (r *TensorRun) Err() error { return r.err }

// Wait waits for the end and returns Err, or ctx.Err().
func (r *TensorRun) Wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Start starts a list, behind those before it, and does not wait. The operations
// are the list's alone until it is done, and have their results then. Where the
// list cannot be, nothing is started: ErrTensor, ErrTensorLimit, ErrClosed. When ctx
// is done, what has not begun is left out.
func (t *Tensors) Start(ctx context.Context, ops []TensorOp) (*TensorRun, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, fmt.Errorf("engine: tensors: %w", ErrClosed)
	}
	if t.pending >= t.limits.Pending {
		return nil, fmt.Errorf("engine: tensors: %d lists wait: %w", t.pending, ErrTensorLimit)
	}
	if err := t.check(ops); err != nil {
		return nil, err
	}
	for i := range ops {
		if s := ops[i].Sequence; s != nil {
			if err := s.acquire(); err != nil {
				releaseSequences(ops[:i])
				return nil, fmt.Errorf("engine: tensor op %d: sequence: %w", i, err)
			}
		}
	}
	r := &TensorRun{}
	t.pending++
	r.done = t.order(func() {
		r.err = t.run(ctx, ops)
		releaseSequences(ops)
		t.mu.Lock()
		t.pending--
		t.mu.Unlock()
	})
	return r, nil
}

func releaseSequences(ops []TensorOp) {
	for i := range ops {
		if s := ops[i].Sequence; s != nil {
			s.release()
		}
	}
}

// run runs a list, a part after the other.
func (t *Tensors) run(ctx context.Context, ops []TensorOp) error {
	for len(ops) > 0 {
		n := partOf(ops)
		part := ops[:n]
		var gone error // which is not to be taken for the loss of the device of today
		err := t.engine.exclusive(ctx, func() error {
			if gone = t.alive(part); gone != nil {
				return nil
			}
			return t.runPart(part)
		})
		if err = cmp.Or(err, gone); err != nil {
			return err
		}
		ops = ops[n:]
	}
	return nil
}

// alive reports what operations need that went with a lost device.
func (t *Tensors) alive(ops []TensorOp) error {
	err := t.engine.lost(t.device.(device.Device))
	for i := range ops {
		for _, w := range []*Weight{ops[i].Weight, ops[i].Bias} {
			if w != nil {
				err = cmp.Or(err, t.engine.lost(w.device))
			}
		}
		if s := ops[i].Sequence; s != nil {
			err = cmp.Or(err, t.engine.lost(s.device))
		}
	}
	return err
}

// partOf returns how many of the first operations go into one step: those of as
// many rows, which ask for the same ids, positions and sequence, up to the first
// that brings results.
func partOf(ops []TensorOp) int {
	var p tensorPart
	for i := range ops {
		if i == turnOps || !p.take(&ops[i]) {
			return i
		}
		if k := ops[i].Kind; k == TensorTopK || k == TensorSample {
			return i + 1
		}
	}
	return len(ops)
}

// tensorPart is what the operations of a step have in common.
type tensorPart struct {
	rows             int
	tokens, gathered []int32
	sequence         *TensorSequence
	position         int
	positioned       bool
}

// take adds an operation, unless it goes into another step.
func (p *tensorPart) take(o *TensorOp) bool {
	if p.rows != 0 && o.Rows != p.rows {
		return false
	}
	switch o.Kind {
	case TensorEmbed:
		if p.tokens != nil && !sameIDs(p.tokens, o.IDs) {
			return false
		}
		p.tokens = o.IDs
	case TensorGather:
		if p.gathered != nil && !sameIDs(p.gathered, o.IDs) {
			return false
		}
		p.gathered = o.IDs
	case TensorRope, TensorAttention:
		if p.sequence != nil && p.sequence != o.Sequence {
			return false
		}
		p.sequence = o.Sequence
	}
	if o.Kind == TensorRope || o.Kind == TensorAttention || o.Kind == TensorSoftmax && o.Causal {
		if p.positioned && p.position != o.Position {
			return false
		}
		p.position, p.positioned = o.Position, true
	}
	p.rows = o.Rows
	return true
}

func sameIDs(a, b []int32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// runPart runs operations as one step, in a turn alone with the device.
func (t *Tensors) runPart(ops []TensorOp) error {
	var p tensorPart
	for i := range ops {
		o := &ops[i]
		p.take(o)
		if err := o.usable(); err != nil {
			return err
		}
	}
	if p.sequence != nil {
		if err := p.sequence.prepare(ops); err != nil {
			return err
		}
	}
	program, err := t.programs.find(t, ops)
	if err != nil {
		return err
	}
	s := &t.step
	p.fill(s)
	if err := program.Submit(s); err != nil {
		return fmt.Errorf("engine: tensors: %w", err)
	}
	if err := program.Wait(&t.result); err != nil {
		return fmt.Errorf("engine: tensors: %w", err)
	}
	return t.finish(&ops[len(ops)-1])
}

// usable reports a model that was closed meanwhile.
func (o *TensorOp) usable() error {
	for _, w := range []*Weight{o.Weight, o.Bias} {
		if w != nil {
			if err := w.model.core.Usable(); err != nil {
				return err
			}
		}
	}
	if o.Sequence != nil {
		return o.Sequence.model.core.Usable()
	}
	return nil
}

// fill makes the step of a part.
func (p *tensorPart) fill(s *device.Step) {
	s.Tokens, s.Positions, s.Sequences, s.Outputs = s.Tokens[:0], s.Positions[:0], s.Sequences[:0], s.Outputs[:0]
	s.BlockTables, s.Lengths = s.BlockTables[:0], s.Lengths[:0]
	for i := range p.rows {
		token, output := int32(0), int32(i)
		if p.tokens != nil {
			token = p.tokens[i]
		}
		if p.gathered != nil {
			output = p.gathered[i]
		}
		s.Tokens = append(s.Tokens, token)
		s.Positions = append(s.Positions, int32(p.position+i))
		s.Sequences = append(s.Sequences, 0)
		s.Outputs = append(s.Outputs, output)
	}
	if p.sequence != nil {
		length := p.position + p.rows
		s.BlockTables = append(s.BlockTables, p.sequence.pages.Pages()[:pagesOf(length)])
		s.Lengths = append(s.Lengths, int32(length))
	}
}

// finish gives the last operation of a part its results.
func (t *Tensors) finish(o *TensorOp) error {
	r := &t.result
	switch o.Kind {
	case TensorTopK:
		o.Top, o.LogSumExp = o.Top[:0], append(o.LogSumExp[:0], r.LogSumExp...)
		for i, id := range r.IDs {
			o.Top = append(o.Top, TensorCandidate{id, r.Logits[i]})
		}
	case TensorSample:
		o.Chosen = o.Chosen[:0]
		for row := range o.Rows {
			id, err := t.choose(o, row)
			if err != nil {
				return fmt.Errorf("engine: tensor sample: row %d: %w", row, err)
			}
			o.Chosen = append(o.Chosen, id)
		}
	}
	return nil
}

// choose returns the token of a row, from the candidates, or where those do not
// settle it, from all of the row.
func (t *Tensors) choose(o *TensorOp, row int) (int32, error) {
	r := &t.result
	k := len(r.IDs) / o.Rows
	if o.Sampler == nil {
		return r.IDs[row*k], nil
	}
	list := sample.List{IDs: r.IDs[row*k : (row+1)*k], Logits: r.Logits[row*k : (row+1)*k], LogSumExp: r.LogSumExp[row]}
	position := uint64(o.Position + row)
	if finite := !math.IsNaN(float64(list.LogSumExp)) && !math.IsInf(float64(list.LogSumExp), 0); finite {
		if id, _, ok := o.Sampler.Candidates(list, nil, position); ok {
			return id, nil
		}
	}
	bytes := make([]byte, 4*o.Width)
	at := o.X.Offset + row*o.X.stride(o.Width)
	if err := o.X.Buffer.storage.Read(int64(4*at), bytes); err != nil {
		return 0, err
	}
	logits := make([]float32, o.Width)
	for i := range logits {
		logits[i] = math.Float32frombits(binary.LittleEndian.Uint32(bytes[4*i:]))
	}
	id, _, err := o.Sampler.Row(logits, nil, position)
	return id, err
}
