package quant

// Q8_1: 32 signed bytes with one scale and their scaled sum, 9 bits a weight.
//
//	 0: d      float16
//	 2: s      float16, d times the sum of the quants; for integer dot products
//	           with formats that have a minimum, and no part of a weight's value
//	 4: quants 32 bytes

func splitQ8_1(block []byte, p *Parts) {
	p.D = getF16(block)
	spread(p.Quants[:], block[4:36], 8, 0, false)
}

func joinQ8_1(block []byte, p *Parts) {
	sum := 0
	for _, q := range p.Quants[:32] {
		sum += int(q)
	}
	putF16(block, p.D)
	putF16(block[2:], float32(float32(sum)*p.D))
	gather(block[4:36], p.Quants[:], 8, 0)
}
