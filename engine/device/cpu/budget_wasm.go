package cpu

// physicalMemory of WebAssembly is what 32-bit addresses reach.
func physicalMemory() int64 { return 1<<32 - 1<<16 }
