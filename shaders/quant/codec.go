package quant

import (
	"fmt"
	"math"
	"slices"
)

// Decode writes the weights that src stands for to dst. len(dst) is any number
// of whole blocks, a row or many, and src is their bytes exactly; otherwise it
// fails with [ErrLength]. Results are the same on every machine, to the bit.
func (f *Format) Decode(dst []float32, src []byte) error {
	if err := f.checkLengths("decode", len(dst), len(src)); err != nil {
		return err
	}
	if f.Layout.Plain {
		f.decode(dst, src)
		return nil
	}
	var p Parts
	for len(dst) > 0 {
		f.split(src[:f.BlockBytes], &p)
		f.Layout.values(dst[:f.BlockElements], &p)
		dst, src = dst[f.BlockElements:], src[f.BlockBytes:]
	}
	return nil
}

// Encode quantises src into dst, so that the squared error of the weights is
// least, or nearly. len(src) is any number of whole blocks and dst is their
// bytes exactly. importance is nil, or has a weight from 0 up for the squared
// error of each column: its length is that of a row, and src is one row or
// several. Plain formats, and formats of signed bytes, have no use for it.
//
// Without importance Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q8_1 and Q8_K give the bytes
// of GGML's reference quantiser. Results are the same on every machine.
//
// It fails with [ErrLength], with [ErrNotFinite] or [ErrImportance] naming the
// element, or with [ErrRange] naming the first element of the block that the
// format cannot hold. What dst then holds is not defined.
func (f *Format) Encode(dst []byte, src, importance []float32) error {
	if err := f.checkLengths("encode", len(src), len(dst)); err != nil {
		return err
	}
	if err := f.checkImportance(len(src), importance); err != nil {
		return err
	}
	if f.Layout.Plain {
		if !finite(peak(src)) {
			return f.notFinite(src, 0)
		}
		f.encode(dst, src)
		return f.checkPlainRange(dst, src)
	}
	var p Parts
	var weights []float32
	for at := 0; at < len(src); at += f.BlockElements {
		x := src[at : at+f.BlockElements]
		largest := peak(x)
		if !finite(largest) {
			return f.notFinite(x, at)
		}
		if importance != nil {
			column := at % len(importance)
			weights = importance[column : column+f.BlockElements]
		}
		block := dst[:f.BlockBytes]
		dst = dst[f.BlockBytes:]
		f.fit(f, &p, x, weights)
		f.join(block, &p)
		if largest >= safePeak {
			if err := f.checkRange(block, &p, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// safePeak is a magnitude that every format holds: no scale or minimum is
// larger than the largest number of its block, and float16 reaches twice this.
const safePeak = 0x1p15

func (f *Format) checkLengths(operation string, elements, bytes int) error {
	want, err := f.RowBytes(elements)
	if err != nil {
		return fmt.Errorf("quant: %s: %w", operation, err)
	}
	if bytes != want {
		return fmt.Errorf("quant: %s %s: %w: %d elements take %d bytes, not %d", operation, f.Name, ErrLength, elements, want, bytes)
	}
	return nil
}

func (f *Format) checkImportance(elements int, importance []float32) error {
	if importance == nil {
		return nil
	}
	if n := len(importance); n == 0 || n%f.BlockElements != 0 || elements%n != 0 {
		return fmt.Errorf("quant: encode %s: %w: %d elements, importance of %d columns", f.Name, ErrLength, elements, n)
	}
	for i, w := range importance {
		if !(w >= 0 && w <= math.MaxFloat32) {
			return fmt.Errorf("quant: encode %s: column %d: %w: %v", f.Name, i, ErrImportance, w)
		}
	}
	return nil
}

// notFinite names the first number of x that is not finite; the index of x[0]
// is at.
func (f *Format) notFinite(x []float32, at int) error {
	i := slices.IndexFunc(x, func(v float32) bool { return !finite(v) })
	return fmt.Errorf("quant: encode %s: element %d: %w: %v", f.Name, at+i, ErrNotFinite, x[i])
}

// checkRange fails if a block just encoded has infinities in it.
func (f *Format) checkRange(block []byte, p *Parts, at int) error {
	var decoded [BlockMax]float32
	f.split(block, p)
	f.Layout.values(decoded[:f.BlockElements], p)
	for _, v := range decoded[:f.BlockElements] {
		if !finite(v) {
			return fmt.Errorf("quant: encode %s: block at element %d: %w", f.Name, at, ErrRange)
		}
	}
	return nil
}

func (f *Format) checkPlainRange(encoded []byte, src []float32) error {
	for i, x := range src {
		if abs(x) < safePeak {
			continue
		}
		var decoded [1]float32
		f.decode(decoded[:], encoded[i*f.BlockBytes:])
		if !finite(decoded[0]) {
			return fmt.Errorf("quant: encode %s: element %d: %w: %v", f.Name, i, ErrRange, x)
		}
	}
	return nil
}

func finite(x float32) bool { return math.Float32bits(x)&0x7f800000 != 0x7f800000 }

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// peak returns the largest magnitude in x; it is not finite if any number is
// not. Without their sign, the bits of numbers are in the order of the numbers.
func peak(x []float32) float32 {
	largest := uint32(0)
	for _, v := range x {
		largest = max(largest, math.Float32bits(v)&^(1<<31))
	}
	return math.Float32frombits(largest)
}
