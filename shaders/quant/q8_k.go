package quant

import (
	"encoding/binary"
	"math"
)

// Q8_K: 256 signed bytes with one scale and the sums of each 16; 9.125 bits a
// weight.
//
//	  0: d      float32
//	  4: quants 256 bytes
//	260: sums   16 int16; for integer dot products with formats that have a
//	            minimum, and no part of a weight's value

func splitQ8K(block []byte, p *Parts) {
	p.D = math.Float32frombits(binary.LittleEndian.Uint32(block))
	spread(p.Quants[:], block[4:260], 8, 0, false)
}

func joinQ8K(block []byte, p *Parts) {
	binary.LittleEndian.PutUint32(block, math.Float32bits(p.D))
	gather(block[4:260], p.Quants[:], 8, 0)
	for s := 0; s < 16; s++ {
		sum := int16(0)
		for _, q := range p.Quants[16*s : 16*s+16] {
			sum += int16(q)
		}
		binary.LittleEndian.PutUint16(block[260+2*s:], uint16(sum))
	}
}
