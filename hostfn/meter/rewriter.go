package meter

import "github.com/realm-webgpu/realm/hostfn/wasm"

// rewriter writes a function anew.
type rewriter struct {
	*pass
	out          []byte
	locals       int
	added        []wasm.ValueType // locals that the rewritten code has more
	left         uint64           // the local of what is left
	wide, length uint64           // locals of lengths, of i64 and of i32, or 0
	blocks       []block          // of the original that are open, the function first
	depth        int              // how many blocks are open in the rewritten code, without the function
	next         int              // the region that begins next
	leaf         int              // how deep the outermost open loop without calls is, or 0
}

// block is a block of the original that is open.
type block struct {
	label  int      // how many blocks are open at its label in the rewritten code
	pays   bool     // it is a loop, or the function
	units  int64    // for a turn
	params []uint64 // the locals that have the parameters of a loop
}

// add adds a local and returns its index.
func (f *rewriter) add(t wasm.ValueType) uint64 {
	f.added = append(f.added, t)
	return uint64(f.locals + len(f.added) - 1)
}

// instruction copies an instruction, with new indices of functions and labels.
func (f *rewriter) instruction(c *wasm.Code) {
	switch c.Op {
	case wasm.OpCall, wasm.OpReturnCall, wasm.OpRefFunc:
		f.out = wasm.AppendOp(f.out, c.Op, uint64(f.moved(uint32(c.A))))
		return
	case wasm.OpBr, wasm.OpBrIf:
		f.out = wasm.AppendOp(f.out, c.Op, f.label(c.A))
		return
	case wasm.OpBrTable:
		f.out = wasm.AppendOp(f.out, c.Op, uint64(len(c.Targets)))
		for _, label := range c.Targets {
			f.out = wasm.AppendUnsigned(f.out, f.label(uint64(label)))
		}
		f.out = wasm.AppendUnsigned(f.out, f.label(c.A))
		return
	case wasm.OpBlock, wasm.OpIf:
		f.depth++
		f.blocks = append(f.blocks, block{label: f.depth})
	case wasm.OpLoop:
		f.loop(c)
		return
	case wasm.OpEnd:
		f.end(c)
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

// label returns what a label of the original is in the rewritten code. One that there
// is not stays none.
func (f *rewriter) label(label uint64) uint64 {
	if label >= uint64(len(f.blocks)) {
		return label + uint64(f.depth)
	}
	return uint64(f.depth - f.blocks[uint64(len(f.blocks)-1)-label].label)
}

// function begins the function: it is the body of a loop, which ends by returning.
func (f *rewriter) function(results []wasm.ValueType) {
	f.out = append(f.out, byte(wasm.OpLoop), wasm.EmptyBlock, byte(wasm.OpBlock), wasm.EmptyBlock)
	f.depth, f.next = 2, 1
	f.header(block{pays: true, units: f.regions[0].units}, f.module.AppendBlock(nil, results))
}

// loop begins a loop.
func (f *rewriter) loop(c *wasm.Code) {
	r := &f.regions[f.next]
	f.next++
	if f.leaf == 0 && !r.calls {
		f.leaf = c.Depth
		f.load()
	}
	b := block{label: f.depth + 1, pays: true, units: r.units}
	t := c.BlockType(f.module.Types)
	for _, kind := range t.Params {
		b.params = append(b.params, f.add(kind))
	}
	f.out = append(f.out, c.Bytes()...)
	for i := len(b.params) - 1; i >= 0; i-- {
		f.out = wasm.AppendOp(f.out, wasm.OpLocalSet, b.params[i])
	}
	f.out = f.module.AppendBlock(f.out, t.Results)
	f.depth += 2
	f.header(b, append([]byte{byte(wasm.OpBlock)}, c.Bytes()[1:]...))
}

// header pays for a turn of a loop, or for the function, before its body:
//
//	loop
//	  block                     ;; what leaves the loop
//	    block
//	      (br_if 0 (fuel < 0))  ;; when the turn was paid for
//	      block
//	        ...                 ;; the body
//	      end
//	      (br 1)                ;; of the function: return
//	    end
//	    (call more)             ;; and what was paid is given back
//	    (br 1)
//	  end
//	end
//
// The call stands behind the code of the loop, and goes back to its header. Where it is
// in the way, wazero's compiler has no value in a register behind it.
func (f *rewriter) header(b block, body []byte) {
	f.out = append(f.out, byte(wasm.OpBlock), wasm.EmptyBlock)
	if f.leaf == 0 {
		f.load()
	}
	f.out = wasm.AppendOp(f.out, wasm.OpLocalGet, f.left)
	f.out = wasm.AppendI64Const(f.out, b.units)
	f.spend()
	f.out = wasm.AppendOp(f.out, wasm.OpBrIf, 0)
	f.get(b.params)
	f.out = append(f.out, body...)
	f.depth += 2
	f.blocks = append(f.blocks, b)
}

// end ends a block.
func (f *rewriter) end(c *wasm.Code) {
	f.out = append(f.out, byte(wasm.OpEnd))
	f.depth--
	if len(f.blocks) == 0 {
		return // behind the function's end: the engine refuses it
	}
	b := f.blocks[len(f.blocks)-1]
	f.blocks = f.blocks[:len(f.blocks)-1]
	if b.pays {
		f.turn(b)
	}
	if c.Depth < f.leaf {
		f.leaf = 0
	}
}

// turn ends a loop or the function, with what header branches to.
func (f *rewriter) turn(b block) {
	function := len(f.blocks) == 0
	if function {
		f.out = append(f.out, byte(wasm.OpReturn))
	} else {
		f.out = wasm.AppendOp(f.out, wasm.OpBr, 1)
	}
	f.out = append(f.out, byte(wasm.OpEnd))
	f.out = wasm.AppendOp(f.out, wasm.OpCall, uint64(f.more))
	f.out = wasm.AppendI64Const(f.out, b.units)
	f.out = append(f.out, byte(wasm.OpI64Add))
	f.out = wasm.AppendOp(f.out, wasm.OpLocalTee, f.left)
	f.out = wasm.AppendOp(f.out, wasm.OpGlobalSet, uint64(f.fuel))
	f.get(b.params)
	f.out = wasm.AppendOp(f.out, wasm.OpBr, 1)
	f.out = append(f.out, byte(wasm.OpEnd), byte(wasm.OpEnd))
	f.depth -= 3
	if function {
		f.out = append(f.out, byte(wasm.OpUnreachable), byte(wasm.OpEnd))
	}
}

// get leaves locals on the stack.
func (f *rewriter) get(locals []uint64) {
	for _, local := range locals {
		f.out = wasm.AppendOp(f.out, wasm.OpLocalGet, local)
	}
}

// load has the local be what the global is. In a loop that calls nothing it stays
// so, and the global is only written: to read back what was written a turn before
// would take longer than a short loop's turn.
func (f *rewriter) load() {
	f.out = wasm.AppendOp(f.out, wasm.OpGlobalGet, uint64(f.fuel))
	f.out = wasm.AppendOp(f.out, wasm.OpLocalSet, f.left)
}

// spend subtracts what is on top of the stack from what is below it, which is left
// then, and leaves whether that is less than none.
func (f *rewriter) spend() {
	b := append(f.out, byte(wasm.OpI64Sub))
	b = wasm.AppendOp(b, wasm.OpLocalTee, f.left)
	b = wasm.AppendOp(b, wasm.OpGlobalSet, uint64(f.fuel))
	b = wasm.AppendOp(b, wasm.OpLocalGet, f.left)
	b = wasm.AppendI64Const(b, 0)
	f.out = append(b, byte(wasm.OpI64LtS))
}

// take spends what is on top of the stack, and calls for more when that is too much.
func (f *rewriter) take() {
	f.spend()
	f.out = append(f.out, byte(wasm.OpIf), wasm.EmptyBlock)
	f.out = wasm.AppendOp(f.out, wasm.OpCall, uint64(f.more))
	f.out = wasm.AppendOp(f.out, wasm.OpLocalSet, f.left)
	f.out = append(f.out, byte(wasm.OpEnd))
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
	slot, kind := &f.length, wasm.I32
	if wide {
		slot, kind = &f.wide, wasm.I64
	}
	if *slot == 0 { // No local of the original is left's, and so none of these is 0.
		*slot = f.add(kind)
	}
	local := *slot
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
