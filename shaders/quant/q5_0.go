package quant

// Q5_0: 32 five-bit quants about 16 with one scale, 5.5 bits a weight.
//
//	 0: d      float16
//	 2: fifth bits 4 bytes, bit i of the 32 for element i
//	 6: quants 16 bytes, low nibbles elements 0-15, high nibbles 16-31

func splitQ5_0(block []byte, p *Parts) {
	p.D = getF16(block)
	spread(p.Quants[:], block[6:22], 4, 0, false)
	spreadFifth(p.Quants[:], block[2:6])
}

func joinQ5_0(block []byte, p *Parts) {
	putF16(block, p.D)
	gatherFifth(block[2:6], p.Quants[:])
	gather(block[6:22], p.Quants[:], 4, 0)
}

// spreadFifth lays the fifth bits of 32 quants on top of their nibbles.
func spreadFifth(q []int8, b []byte) {
	for i, bits := range b[:4] {
		// Byte k keeps bit k of the eight; the addition carries it to bit 7.
		v := each(uint64(bits)) & 0x8040201008040201
		v = (v + each(0x7f)) >> 7 & each(1)
		store8(q[8*i:], load8(q[8*i:])|v<<4)
	}
}

// gatherFifth is the inverse of spreadFifth.
func gatherFifth(b []byte, q []int8) {
	for i := range b[:4] {
		b[i] = byte(squeeze(load8(q[8*i:])>>4&each(1), 1))
	}
}
