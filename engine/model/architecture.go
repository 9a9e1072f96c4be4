package model

import "fmt"

// architecture is a family of models: how it differs from the plain block.
type architecture struct {
	name string // general.architecture
	// differences changes a Config that has been read as that of the plain block.
	// nil: there are none.
	differences func(c *Config, k *keys)
}

// architectures is the table of all families. A new one is a file with its
// function, and a line here.
func architectures() []architecture {
	return []architecture{
		llama(),
		qwen2(),
		qwen3(),
		qwen3moe(),
		phi3(),
		gemma(),
		gemma2(),
		gemma3(),
		bert(),
	}
}

// Architectures returns the values of general.architecture that can be loaded.
func Architectures() []string {
	var names []string
	for _, a := range architectures() {
		names = append(names, a.name)
	}
	return names
}

func findArchitecture(name string) (architecture, error) {
	for _, a := range architectures() {
		if a.name == name {
			return a, nil
		}
	}
	return architecture{}, fmt.Errorf("metadata %q: %w %.64q, known are %q", architectureKey, ErrArchitecture, name, Architectures())
}
