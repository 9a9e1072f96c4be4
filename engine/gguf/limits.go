package gguf

// Limits of what Read accepts and Write produces. They are an order of magnitude
// above the largest public models (a vocabulary of 262,144 tokens, 5 MB of
// merges, some 60,000 unfused expert tensors), and low enough that a hostile
// file cannot have much memory allocated.
const (
	MaxHeaderBytes   = 128 << 20 // bytes before the data section
	MaxMetadata      = 1 << 16   // metadata pairs of a file
	MaxTensors       = 1 << 18   // tensors of a file
	MaxKeyBytes      = 1<<16 - 1 // bytes of a metadata key (GGUF specification)
	MaxNameBytes     = 64        // bytes of a tensor's name (GGUF specification)
	MaxStringBytes   = 16 << 20  // bytes of a string value
	MaxArrayElements = 1 << 23   // elements of an array, each nested one counted by itself
	MaxArrayDepth    = 4         // arrays within arrays; 1 is an array of scalars
	MaxDims          = 4         // dimensions of a tensor (GGUF specification)
	MinAlignment     = 8         // bytes (GGUF specification)
	MaxAlignment     = 1 << 20   // bytes
)

// DefaultAlignment is the alignment in bytes of a file without
// general.alignment.
const DefaultAlignment = 32

// The fewest bytes that a metadata pair (key of one byte, u8 value) and a tensor
// info (name of one byte, one dimension) take in a file.
const (
	minPairBytes = 8 + 1 + 4 + 1
	minInfoBytes = 8 + 1 + 4 + 8 + 4 + 8
)
