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
	kind := m.Types[m.Functions[index]]
	locals := len(kind.Params)
	for _, l := range body.Locals {
		locals += int(l.Count)
	}
	f := &rewriter{pass: p, locals: locals}
	f.left = f.add(wasm.I64)
	f.function(kind.Results)
	for c := wasm.NewCode(body); c.Next(); {
		f.instruction(c)
	}
	groups := body.Locals[:len(body.Locals):len(body.Locals)]
	for _, t := range f.added {
		groups = append(groups, wasm.Locals{Count: 1, Type: t})
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
