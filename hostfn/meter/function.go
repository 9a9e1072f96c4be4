package meter

import "github.com/realm-webgpu/realm/hostfn/wasm"

// function makes a function of the module pay.
func (p *pass) function(index int) error {
	m := p.module
	body := &m.Code[index]
	if err := p.count(body); err != nil {
		return err
	}
	locals := uint64(len(m.Types[m.Functions[index]].Params))
	for _, l := range body.Locals {
		locals += uint64(l.Count)
	}
	f := &rewriter{pass: p, left: locals, length: locals + 1}
	f.pay(p.costs[0])
	next := 1
	for c := wasm.NewCode(body); c.Next(); {
		f.instruction(c)
		if c.Op == wasm.OpLoop {
			f.pay(p.costs[next])
			next++
		}
	}
	groups := body.Locals[:len(body.Locals):len(body.Locals)]
	groups = append(groups, wasm.Locals{Count: 1, Type: wasm.I64})
	if f.ranges {
		groups = append(groups, wasm.Locals{Count: 1, Type: wasm.I32})
	}
	body.Locals, body.Code = groups, f.out
	return nil
}

// count finds the costs of the function and of each of its loops, in the order of
// the text, without the loops inside of them.
func (p *pass) count(body *wasm.Body) error {
	p.costs = append(p.costs[:0], 1)
	var open []int // the loop that each open block is in
	current := 0
	c := wasm.NewCode(body)
	for c.Next() {
		p.costs[current]++
		switch c.Op {
		case wasm.OpBlock, wasm.OpIf:
			open = append(open, current)
		case wasm.OpLoop:
			open = append(open, current)
			p.costs = append(p.costs, 0)
			current = len(p.costs) - 1
		case wasm.OpEnd:
			if n := len(open); n > 0 {
				current = open[n-1]
				open = open[:n-1]
			}
		}
	}
	return c.Err()
}

// rewriter writes a function anew.
type rewriter struct {
	*pass
	out          []byte
	left, length uint64 // locals: of i64 and of i32
	ranges       bool   // length is used
}

// pay takes units of fuel, and calls for more when none is left.
func (f *rewriter) pay(units int64) {
	b := wasm.AppendOp(f.out, wasm.OpGlobalGet, uint64(f.fuel))
	b = wasm.AppendI64Const(b, units)
	b = append(b, byte(wasm.OpI64Sub))
	b = wasm.AppendOp(b, wasm.OpLocalTee, f.left)
	b = wasm.AppendOp(b, wasm.OpGlobalSet, uint64(f.fuel))
	b = wasm.AppendOp(b, wasm.OpLocalGet, f.left)
	b = wasm.AppendI64Const(b, 0)
	b = append(b, byte(wasm.OpI64LtS), byte(wasm.OpIf), emptyBlock)
	b = wasm.AppendOp(b, wasm.OpCall, uint64(f.refill))
	b = wasm.AppendOp(b, wasm.OpGlobalSet, uint64(f.fuel))
	f.out = append(b, byte(wasm.OpEnd))
}

// emptyBlock is the type of a block without results.
const emptyBlock = 0x40

// instruction copies an instruction, with new indices of functions.
func (f *rewriter) instruction(c *wasm.Code) {
	switch c.Op {
	case wasm.OpCall, wasm.OpReturnCall, wasm.OpRefFunc:
		f.out = wasm.AppendOp(f.out, c.Op, uint64(f.moved(uint32(c.A))))
		return
	case wasm.OpMemoryCopy, wasm.OpMemoryFill, wasm.OpMemoryInit:
		f.payLength(bytesPerUnit)
	case wasm.OpTableCopy, wasm.OpTableFill, wasm.OpTableInit, wasm.OpTableGrow:
		f.payLength(8)
	case wasm.OpMemoryGrow:
		f.payLength(0)
	}
	f.out = append(f.out, c.Bytes()...)
}

// payLength takes fuel for the length on top of the stack: a unit for so many, or
// with 0 so many units as a page of memory has.
func (f *rewriter) payLength(per int64) {
	f.ranges = true
	b := wasm.AppendOp(f.out, wasm.OpLocalTee, f.length)
	b = wasm.AppendOp(b, wasm.OpGlobalGet, uint64(f.fuel))
	b = wasm.AppendOp(b, wasm.OpLocalGet, f.length)
	b = append(b, byte(wasm.OpI64ExtendI32U))
	if per > 0 {
		b = wasm.AppendI64Const(b, per)
		b = append(b, byte(wasm.OpI64DivU))
	} else {
		b = wasm.AppendI64Const(b, 1<<16/bytesPerUnit)
		b = append(b, byte(wasm.OpI64Mul))
	}
	b = append(b, byte(wasm.OpI64Sub))
	f.out = wasm.AppendOp(b, wasm.OpGlobalSet, uint64(f.fuel))
}
