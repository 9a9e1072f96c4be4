package lora

// Limits of what is read of a PEFT folder: several times what adapters of the largest
// public models have (126 layers of 7 matrices, 1,764 tensors, and as many patterns where
// each matrix has a rank of its own), and low enough that a hostile folder has nobody
// wait: each pattern is tried on the name of each matrix.
const (
	MaxTensors      = 1 << 12 // of adapter_model.safetensors
	MaxNameBytes    = 1 << 7  // of the name of a tensor
	MaxPatterns     = 1 << 12 // of rank_pattern, of alpha_pattern and of target_modules, each
	MaxPatternBytes = 1 << 10 // of each
	// MaxInstructions bounds the regular expressions of all patterns together, once they
	// are compiled (regexp/syntax.Prog). Names are no expressions, and take none.
	MaxInstructions = 1 << 10
)
