package quant

// Q4_0: 32 four-bit quants about 8 with one scale, 4.5 bits a weight.
//
//	 0: d      float16
//	 2: quants 16 bytes, low nibbles elements 0-15, high nibbles 16-31

func splitQ4_0(block []byte, p *Parts) {
	p.D = getF16(block)
	spread(p.Quants[:], block[2:18], 4, 0, false)
}

func joinQ4_0(block []byte, p *Parts) {
	putF16(block, p.D)
	gather(block[2:18], p.Quants[:], 4, 0)
}
