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
	f := &rewriter{pass: p, left: locals, wide: locals + 1, length: locals + 2}
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
	if f.ranges {
		groups = append(groups, wasm.Locals{Count: 2, Type: wasm.I64}, wasm.Locals{Count: 1, Type: wasm.I32})
	} else {
		groups = append(groups, wasm.Locals{Count: 1, Type: wasm.I64})
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
	left         uint64 // the local of what is left
	wide, length uint64 // locals of lengths, of i64 and of i32
	ranges       bool   // there are lengths
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

// pay takes units of fuel.
func (f *rewriter) pay(units int64) {
	f.out = wasm.AppendOp(f.out, wasm.OpLocalGet, f.left)
	f.out = wasm.AppendI64Const(f.out, units)
	f.take()
}

// take subtracts what is on top of the stack from what is below it, which is left
// then, and calls for more when it is none.
func (f *rewriter) take() {
	b := append(f.out, byte(wasm.OpI64Sub))
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
	case wasm.OpMemoryCopy, wasm.OpMemoryFill:
		f.payLength(f.memory.Is64, bytesShift)
	case wasm.OpMemoryInit:
		f.payLength(false, bytesShift)
	case wasm.OpMemoryGrow:
		f.payPages(f.memory.Is64)
	case wasm.OpTableFill, wasm.OpTableGrow:
		f.payLength(f.tables[c.A].Limits.Is64, elementsShift)
	case wasm.OpTableCopy: // The length has the narrower of the two index types.
		f.payLength(f.tables[c.A].Limits.Is64 && f.tables[c.B].Limits.Is64, elementsShift)
	case wasm.OpTableInit:
		f.payLength(false, elementsShift)
	}
	f.out = append(f.out, c.Bytes()...)
}

// payLength takes fuel for the length on top of the stack, an i64 or an i32, before
// the range is touched: straight-line code may touch many.
func (f *rewriter) payLength(wide bool, shift int64) {
	f.most(wide, mostLength)
	f.out = wasm.AppendI64Const(f.out, shift)
	f.out = append(f.out, byte(wasm.OpI64ShrU))
	f.take()
}

// payPages takes fuel for the pages on top of the stack.
func (f *rewriter) payPages(wide bool) {
	f.most(wide, mostPages)
	f.out = wasm.AppendI64Const(f.out, pageUnits)
	f.out = append(f.out, byte(wasm.OpI64Mul))
	f.take()
}

// most leaves what is left and the length on top of the stack above it, but no more
// than a bound: to ask for more than there can be fails, and costs no more.
func (f *rewriter) most(wide bool, bound int64) {
	f.ranges = true
	local := f.length
	if wide {
		local = f.wide
	}
	length := func() {
		f.out = wasm.AppendOp(f.out, wasm.OpLocalGet, local)
		if !wide {
			f.out = append(f.out, byte(wasm.OpI64ExtendI32U))
		}
	}
	f.out = wasm.AppendOp(f.out, wasm.OpLocalTee, local)
	f.out = wasm.AppendOp(f.out, wasm.OpGlobalGet, uint64(f.fuel))
	length()
	f.out = wasm.AppendI64Const(f.out, bound)
	length()
	f.out = wasm.AppendI64Const(f.out, bound)
	f.out = append(f.out, byte(wasm.OpI64LtU), byte(wasm.OpSelect))
}
