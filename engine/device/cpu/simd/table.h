// TABLE is the kernels of the instruction set that was included last.
#define TABLE(isa) { \
	.name = isa, .product = product_of, .plain = plain, .quantise = quantise, \
	.add = add, .rms_norm = rms_norm, .layer_norm = layer_norm, .gate = gate, \
	.soft_cap = soft_cap, .softmax = softmax, .log_sum_exp = log_sum_exp, .above = above, \
	.rotate = rotate, .to_f16 = to_f16, .attend = attend, .scale_add = scale_add, \
	.down = down, .up = up, \
}
