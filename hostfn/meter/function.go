package meter

import "github.com/realm-webgpu/realm/hostfn/wasm"

// region is a part of a function that is paid for at once: its body without the
// loops, or the body of a loop without those inside of it.
type region struct {
	units int64
	calls bool // a loop has a call, in itself or in a loop inside of it
}

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
	f.enter(p.regions[0].units)
	next, leaf := 1, 0 // leaf is how deep the outermost open loop without calls is, or 0
	for c := wasm.NewCode(body); c.Next(); {
		if c.Op == wasm.OpLoop && leaf == 0 && !p.regions[next].calls {
			leaf = c.Depth
			f.load()
		}
		f.instruction(c)
		switch c.Op {
		case wasm.OpLoop:
			if leaf == 0 {
				f.load()
			}
			f.pay(p.regions[next].units)
			next++
		case wasm.OpEnd:
			if c.Depth < leaf {
				leaf = 0
			}
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

// count finds the regions of a function: the function itself, and its loops in the
// order of the text.
func (p *pass) count(body *wasm.Body) error {
	p.regions = append(p.regions[:0], region{units: 1})
	var open []int // the region that each open block is in
	current := 0
	c := wasm.NewCode(body)
	for c.Next() {
		p.regions[current].units++
		switch c.Op {
		case wasm.OpBlock, wasm.OpIf:
			open = append(open, current)
		case wasm.OpLoop:
			open = append(open, current)
			p.regions = append(p.regions, region{})
			current = len(p.regions) - 1
		case wasm.OpCall, wasm.OpCallIndirect:
			p.regions[current].calls = true
		case wasm.OpEnd:
			if n := len(open); n > 0 {
				around := open[n-1]
				if around != current {
					p.regions[around].calls = p.regions[around].calls || p.regions[current].calls
				}
				current = around
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

// enter pays for the function.
func (f *rewriter) enter(units int64) {
	f.load()
	f.pay(units)
}

// load has the local be what the global is. In a loop that calls nothing it stays
// so, and the global is only written: to read back what was written a turn before
// would take longer than a short loop's turn.
func (f *rewriter) load() {
	f.out = wasm.AppendOp(f.out, wasm.OpGlobalGet, uint64(f.fuel))
	f.out = wasm.AppendOp(f.out, wasm.OpLocalSet, f.left)
}

// pay takes units of fuel, and calls for more when none is left.
func (f *rewriter) pay(units int64) {
	b := wasm.AppendOp(f.out, wasm.OpLocalGet, f.left)
	b = wasm.AppendI64Const(b, units)
	b = append(b, byte(wasm.OpI64Sub))
	b = wasm.AppendOp(b, wasm.OpLocalTee, f.left)
	b = wasm.AppendOp(b, wasm.OpGlobalSet, uint64(f.fuel))
	b = wasm.AppendOp(b, wasm.OpLocalGet, f.left)
	b = wasm.AppendI64Const(b, 0)
	b = append(b, byte(wasm.OpI64LtS), byte(wasm.OpIf), emptyBlock)
	b = wasm.AppendOp(b, wasm.OpCall, uint64(f.more))
	b = wasm.AppendOp(b, wasm.OpLocalSet, f.left)
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
		f.payLength(bytesShift)
	case wasm.OpTableCopy, wasm.OpTableFill, wasm.OpTableInit, wasm.OpTableGrow:
		f.payLength(elementsShift)
	case wasm.OpMemoryGrow:
		f.payPages()
	}
	f.out = append(f.out, c.Bytes()...)
}

// payLength takes fuel for the length on top of the stack, shifted. It is paid for
// in full at the next entry or loop turn, where more fuel is called for.
func (f *rewriter) payLength(shift int64) {
	b := f.keepLength()
	b = wasm.AppendI64Const(b, shift)
	b = append(b, byte(wasm.OpI64ShrU))
	f.take(b)
}

// payPages takes fuel for the pages on top of the stack. To ask for more of them
// than there can be costs no more than that many.
func (f *rewriter) payPages() {
	b := f.keepLength()
	b = wasm.AppendI64Const(b, 1<<17-1)
	b = append(b, byte(wasm.OpI64And))
	b = wasm.AppendI64Const(b, pageUnits)
	b = append(b, byte(wasm.OpI64Mul))
	f.take(b)
}

// keepLength leaves what is left and the length on top of the stack above it.
func (f *rewriter) keepLength() []byte {
	f.ranges = true
	b := wasm.AppendOp(f.out, wasm.OpLocalTee, f.length)
	b = wasm.AppendOp(b, wasm.OpGlobalGet, uint64(f.fuel))
	b = wasm.AppendOp(b, wasm.OpLocalGet, f.length)
	return append(b, byte(wasm.OpI64ExtendI32U))
}

// take subtracts what is on top of the stack.
func (f *rewriter) take(b []byte) {
	b = append(b, byte(wasm.OpI64Sub))
	b = wasm.AppendOp(b, wasm.OpLocalTee, f.left)
	f.out = wasm.AppendOp(b, wasm.OpGlobalSet, uint64(f.fuel))
}
