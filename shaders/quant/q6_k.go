package quant

// Q6_K: 256 six-bit quants about 32; each 16 have a signed eight-bit scale;
// 6.5625 bits a weight.
//
//	  0: quants 128 bytes, each 64 of them 128 elements, low nibbles the first 64
//	128: fifth and sixth bits 64 bytes, each 32 of them 128 elements, lowest
//	     bits the first 32
//	192: scales 16 signed bytes
//	208: d      float16

func splitQ6K(block []byte, p *Parts) {
	for i := 0; i < 2; i++ {
		spread(p.Quants[128*i:128*i+128], block[64*i:64*i+64], 4, 0, false)
		spread(p.Quants[128*i:128*i+128], block[128+32*i:160+32*i], 2, 4, true)
	}
	for s := range p.Scales {
		p.Scales[s] = int8(block[192+s])
	}
	p.D = getF16(block[208:])
}

func joinQ6K(block []byte, p *Parts) {
	for i := 0; i < 2; i++ {
		gather(block[64*i:64*i+64], p.Quants[128*i:128*i+128], 4, 0)
		gather(block[128+32*i:160+32*i], p.Quants[128*i:128*i+128], 2, 4)
	}
	for s := range p.Scales {
		block[192+s] = byte(p.Scales[s])
	}
	putF16(block[208:], p.D)
}
