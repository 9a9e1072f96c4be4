// Package quantize writes a GGUF file anew with its matrices in other formats.
//
// What becomes of a tensor:
//
//   - Vectors (norms, biases, rope factors) are F32: they are few, and every
//     weight of a row hangs on each of their elements.
//   - Small matrices on which much depends keep their format: the router of a
//     mixture of experts, the positions and token types of BERT, and what is no
//     weight (see keeps).
//   - Every other tensor gets the format that a [Mix] has for it, or an
//     [Override] of the caller's. Where its rows are no whole number of blocks,
//     it gets [Fallback]'s, and the caller is told.
//
// An [Importance] says which columns of a matrix matter most; the formats that
// search for the best blocks then favour them.
//
// Metadata is copied. general.file_type and general.quantization_version then
// say what the file has become, and the marks of a split file are gone, since
// one file comes out.
package quantize
