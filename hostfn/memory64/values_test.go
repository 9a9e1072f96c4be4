package memory64

import (
	"errors"
	"fmt"
	"math"

	"github.com/tetratelabs/wazero/api"
)

// call runs (invoke module? "name" value*) or (get module? "name").
func (s *script) call(c node) ([]uint64, error) {
	rest := fields(c.list[1:])
	i := s.named(fields{rest[0]})
	rest.name()
	if i == nil {
		return nil, errors.New("there is no module to call")
	}
	name := string(rest.next().text)
	if c.head() == "get" {
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
func value(n node) (v uint64, err error) {
	defer func() {
		if failure, ok := recover().(textError); ok {
			err = failure
		}
	}()
	switch n.head() {
	case "i32.const":
		return parseInteger(n.list[1], 32), nil
	case "i64.const":
		return parseInteger(n.list[1], 64), nil
	case "f32.const":
		return parseFloat(n.list[1], 32), nil
	case "f64.const":
		return parseFloat(n.list[1], 64), nil
	case "ref.extern":
		return parseInteger(n.list[1], 32) + 1, nil
	case "ref.null":
		return 0, nil
	}
	return 0, fmt.Errorf("value of %s", n.head())
}

// compare compares results with those expected.
func compare(got []uint64, want []node) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d results, want %d", len(got), len(want))
	}
	for i, n := range want {
		ok := false
		switch head, bits := n.head(), got[i]; {
		case head == "ref.func":
			ok = bits != 0
		case n.list[1].word == "nan:canonical" && head == "f32.const":
			ok = bits&math.MaxInt32 == 0x7fc00000
		case n.list[1].word == "nan:arithmetic" && head == "f32.const":
			ok = bits&0x7fc00000 == 0x7fc00000
		case n.list[1].word == "nan:canonical":
			ok = bits&math.MaxInt64 == 0x7ff8<<48
		case n.list[1].word == "nan:arithmetic":
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
			return fmt.Errorf("result %d is %#x, want %s %s", i, got[i], n.head(), n.list[1].word)
		}
	}
	return nil
}
