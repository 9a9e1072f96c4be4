package quant

// Q5_1: 32 five-bit quants with a scale and a minimum, 6 bits a weight.
//
//	 0: d      float16
//	 2: m      float16, added to each weight: -M
//	 4: fifth bits 4 bytes, bit i of the 32 for element i
//	 8: quants 16 bytes, low nibbles elements 0-15, high nibbles 16-31

func splitQ5_1(block []byte, p *Parts) {
	p.D, p.M = getF16(block), -getF16(block[2:])
	spread(p.Quants[:], block[8:24], 4, 0, false)
	spreadFifth(p.Quants[:], block[4:8])
}

func joinQ5_1(block []byte, p *Parts) {
	putF16(block, p.D)
	putF16(block[2:], -p.M)
	gatherFifth(block[4:8], p.Quants[:])
	gather(block[8:24], p.Quants[:], 4, 0)
}
