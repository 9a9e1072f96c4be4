// Package quantize writes a GGUF file anew with its matrices in another format.
//
// What becomes of a tensor:
//
//   - Vectors (norms, biases, rope factors) are F32: they are few, and every
//     weight of a row hangs on each of their elements.
//   - The router of a mixture of experts (ffn_gate_inp) keeps its format: a
//     small error there sends a token to another expert.
//   - Every other tensor gets the format that was asked for. Where its rows are
//     no whole number of blocks, it gets [Fallback]'s, and the caller is told.
//
// Metadata is copied. general.file_type and general.quantization_version then
// say what the file has become, and the marks of a split file are gone, since
// one file comes out.
package quantize
