package cpu

// NewWith opens a device with the kernels of one instruction set.
var NewWith = newDevice
