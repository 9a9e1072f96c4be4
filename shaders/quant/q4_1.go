package quant

// Q4_1: 32 four-bit quants with a scale and a minimum, 5 bits a weight.
//
//	 0: d      float16
//	 2: m      float16, added to each weight: -M
//	 4: quants 16 bytes, low nibbles elements 0-15, high nibbles 16-31

func splitQ4_1(block []byte, p *Parts) {
	p.D, p.M = getF16(block), -getF16(block[2:])
	spread(p.Quants[:], block[4:20], 4, 0, false)
}

func joinQ4_1(block []byte, p *Parts) {
	putF16(block, p.D)
	putF16(block[2:], -p.M)
	gather(block[4:20], p.Quants[:], 4, 0)
}
