package meter

import (
	"encoding/binary"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// Subsections of the name section that begin with a function's index:
// https://webassembly.github.io/spec/core/appendix/custom.html#name-section
const (
	functionNames = 1
	localNames    = 2
)

// names renumbers the functions of a name section. Engines ignore a section that
// is malformed, and so it is left out from where it is.
func (p *pass) names(section []byte) []byte {
	var out []byte
	for r := (numbers{section, true}); r.ok && len(r.rest) > 0; {
		id := r.rest[0]
		r.rest = r.rest[1:]
		body := r.take(r.next())
		if !r.ok {
			break
		}
		if id == functionNames || id == localNames {
			body = p.indexed(body, id == localNames)
		}
		out = wasm.AppendUnsigned(append(out, id), uint64(len(body)))
		out = append(out, body...)
	}
	return out
}

// indexed renumbers the entries of a subsection: an index and a name each, or an
// index and a map of names.
func (p *pass) indexed(body []byte, maps bool) []byte {
	r := numbers{body, true}
	n := r.next()
	var entries []byte
	count := uint64(0)
	for ; count < n && r.ok; count++ {
		index := r.next()
		start := r.rest
		names := uint64(1)
		if maps {
			names = r.next()
		}
		for i := uint64(0); i < names && r.ok; i++ {
			if maps {
				r.next()
			}
			r.take(r.next())
		}
		if !r.ok || index > 1<<31 {
			break
		}
		entries = wasm.AppendUnsigned(entries, uint64(p.moved(uint32(index))))
		entries = append(entries, start[:len(start)-len(r.rest)]...)
	}
	return append(wasm.AppendUnsigned(nil, count), entries...)
}

// numbers reads unsigned numbers.
type numbers struct {
	rest []byte
	ok   bool
}

func (r *numbers) next() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.ok, r.rest = false, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *numbers) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.ok, r.rest = false, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}
