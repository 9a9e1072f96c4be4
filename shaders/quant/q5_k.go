package quant

// Q5_K: 256 five-bit quants; each 32 have a six-bit scale and a six-bit
// minimum; 5.5 bits a weight.
//
//	 0: d      float16
//	 2: m      float16
//	 4: scales and minimums, 12 bytes (see splitSixBits)
//	16: fifth bits 32 bytes, bit j of byte i for element 32j+i
//	48: quants 128 bytes, each 32 of them 64 elements, low nibbles the first 32

func splitQ5K(block []byte, p *Parts) {
	p.D, p.M = getF16(block), getF16(block[2:])
	splitSixBits(block[4:16], p)
	for i := 0; i < 4; i++ {
		spread(p.Quants[64*i:64*i+64], block[48+32*i:80+32*i], 4, 0, false)
	}
	spread(p.Quants[:], block[16:48], 1, 4, true)
}

func joinQ5K(block []byte, p *Parts) {
	putF16(block, p.D)
	putF16(block[2:], p.M)
	joinSixBits(block[4:16], p)
	for i := 0; i < 4; i++ {
		gather(block[48+32*i:80+32*i], p.Quants[64*i:64*i+64], 4, 0)
	}
	gather(block[16:48], p.Quants[:], 1, 4)
}
