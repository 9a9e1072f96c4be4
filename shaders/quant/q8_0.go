package quant

// Q8_0: 32 signed bytes with one scale, 8.5 bits a weight.
//
//	 0: d      float16
//	 2: quants 32 bytes

func splitQ8_0(block []byte, p *Parts) {
	p.D = getF16(block)
	spread(p.Quants[:], block[2:34], 8, 0, false)
}

func joinQ8_0(block []byte, p *Parts) {
	putF16(block, p.D)
	gather(block[2:34], p.Quants[:], 8, 0)
}
