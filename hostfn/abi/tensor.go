package abi

// Types of the elements of a buffer.
const (
	DtypeF32 = iota
	DtypeI32
)

// Operations of ops.
const (
	OpEmbed     = iota + 1 // out[i] = scale * weight[ids[i]]
	OpMatMul               // out = x · weightᵀ + bias
	OpRMSNorm              // out = x / sqrt(mean(x²) + epsilon) * weight
	OpRope                 // x and y are rotated by their positions; y and z are stored
	OpAttention            // out = softmax(scale * x · keysᵀ) · values
	OpSoftmax              // out = softmax(scale * x)
	OpGLU                  // out = activation(x) * y
	OpAdd                  // out = x + y
	OpGather               // out[i] = x[ids[i]]
	OpTopK                 // the k largest of every row of x
	OpSample               // a token for every row of x
)

func tensor() Family {
	return Family{"tensor", "Single kernels of the device, over buffers and the weights of a model.", []Function{
		{
			Name:       "buf_new",
			Parameters: []Parameter{p("bytes", U64), p("dtype", U32), outHandle},
			Capability: CapTensor,
			Doc:        "Makes a buffer on the device, of zeros. Its size is a multiple of 16 bytes.",
			Errnos:     []Errno{Inval, Fault, Perm, Nomem, Quota},
			Example:    `realm_buf_new(4 * rows * width, REALM_DTYPE_F32, &buffer);`,
		},
		{
			Name:       "buf_write",
			Parameters: []Parameter{p("buffer", U32), p("off", U64), p("p", Pointer, "const void"), p("n", U64)},
			Capability: CapTensor,
			Doc:        "Copies n bytes into a buffer at off bytes, both multiples of 4, after the ops that were given before.",
			Errnos:     []Errno{Badf, Inval, Fault, Perm, IO},
			Example:    `realm_buf_write(buffer, 0, values, sizeof values);`,
		},
		{
			Name:       "buf_read",
			Parameters: []Parameter{p("buffer", U32), p("off", U64), p("p", Pointer, "void"), p("n", U64)},
			Blocks:     true,
			Capability: CapTensor,
			Doc:        "Copies n bytes from a buffer at off bytes, both multiples of 4, after the ops that were given before.",
			Errnos:     []Errno{Badf, Inval, Fault, Perm, IO, Canceled},
			Example:    `realm_buf_read(buffer, 0, values, sizeof values);`,
		},
		{
			Name:       "weight_open",
			Parameters: []Parameter{p("model", U32), p("name", Pointer, "const char"), p("n", U64), outHandle},
			Capability: CapTensor,
			Doc:        "Opens a tensor of a model by its name in the GGUF file, such as blk.0.attn_q.weight. It can be computed with and not be read.",
			Errnos:     []Errno{Badf, Inval, Fault, Perm, Noent, Quota},
			Example:    `realm_weight_open(model, "output_norm.weight", 18, &weight);`,
		},
		{
			Name:       "ops",
			Parameters: []Parameter{p("cmds", Pointer, "const struct realm_op"), p("n", U64), outTicket},
			Capability: CapTensor,
			Doc:        "Runs n operations, at most 4096, one after the other. Operations that come again in the same shape, as in a loop over tokens, are compiled once. Results of top_k and sample are written by wait.",
			Errnos:     []Errno{Inval, Badf, Fault, Perm, Nomem, Quota},
			Example: `struct realm_op op = {.size = sizeof op, .op = REALM_OP_ADD, .out = a, .x = a, .y = b, .rows = 1, .width = 256};
realm_ops(&op, 1, &ticket);`,
		},
	}}.in(TensorModule)
}
