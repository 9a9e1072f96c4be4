package gguf

// WebAssembly cannot map files, so [Tensor.Bytes] reads there.
func openSource(path string) (closableSource, error) { return openFile(path) }
