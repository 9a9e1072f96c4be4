package cpu

// DefaultBudget returns seven eighths of the memory that the process can have, in
// bytes: of what the machine has, or its control group where that is less; 0 where
// it is not known. What is asked for beyond would end the process, and not be an error.
func DefaultBudget() int64 { return physicalMemory() / 8 * 7 }
