package memory64

import (
	"errors"
	"fmt"
	"math"

	"github.com/tetratelabs/wazero/api"

	"github.com/realm-webgpu/realm/hostfn/wasm/wat"
)

// call runs (invoke module? "name" value*) or (get module? "name").
func (s *script) call(c wat.Node) ([]uint64, error) {
	rest := wat.Fields(c.List[1:])
	i := s.named(wat.Fields{rest[0]})
	rest.Name()
	if i == nil {
		return nil, errors.New("there is no module to call")
	}
	name := string(rest.Next().Text)
	if c.Head() == "get" {
		g := i.module.ExportedGlobal(name)
		if g == nil {
			return nil, fmt.Errorf("there is no global %q", name)
		}
		return []uint64{g.Get()}, nil
	}
	f := i.module.ExportedFunction(name)
	if f == nil {
		return nil, fmt.Errorf("there is no function %q", name)
	}
	var params []uint64
	for _, n := range rest {
		v, err := value(n)
		if err != nil {
			return nil, err
		}
		params = append(params, v)
	}
	return f.Call(s.ctx, params...)
}

// value returns the bits of (i32.const 1) and its like. References to things of
// the host are numbers, one more than in the text, as 0 is null.
func value(n wat.Node) (uint64, error) {
	switch n.Head() {
	case "i32.const":
		return wat.Integer(n.List[1], 32)
	case "i64.const":
		return wat.Integer(n.List[1], 64)
	case "f32.const":
		return wat.Float(n.List[1], 32)
	case "f64.const":
		return wat.Float(n.List[1], 64)
	case "ref.extern":
		v, err := wat.Integer(n.List[1], 32)
		return v + 1, err
	case "ref.null":
		return 0, nil
	}
	return 0, fmt.Errorf("value of %s", n.Head())
}

// compare compares results with those expected.
func compare(got []uint64, want []wat.Node) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d results, want %d", len(got), len(want))
	}
	for i, n := range want {
		ok := false
		switch head, bits := n.Head(), got[i]; {
		case head == "ref.func":
			ok = bits != 0
		case n.List[1].Word == "nan:canonical" && head == "f32.const":
			ok = bits&math.MaxInt32 == 0x7fc00000
		case n.List[1].Word == "nan:arithmetic" && head == "f32.const":
			ok = bits&0x7fc00000 == 0x7fc00000
		case n.List[1].Word == "nan:canonical":
			ok = bits&math.MaxInt64 == 0x7ff8<<48
		case n.List[1].Word == "nan:arithmetic":
			ok = bits&(0x7ff8<<48) == 0x7ff8<<48
		default:
			v, err := value(n)
			if err != nil {
				return err
			}
			if head == "i32.const" || head == "f32.const" {
				bits = uint64(api.DecodeU32(bits))
			}
			ok = bits == v
		}
		if !ok {
			return fmt.Errorf("result %d is %#x, want %s %s", i, got[i], n.Head(), n.List[1].Word)
		}
	}
	return nil
}
