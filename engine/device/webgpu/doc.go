// Package webgpu is the device of every GPU: WGSL kernels (package shaders)
// run through wgpu-native (gpu_native.go, shim.c), or through the page's own WebGPU
// (gpu_js.go, package shim). All else is the same files.
//
// Uploaded matrices are repacked into planes (shaders/quant), split by rows
// where they pass the largest binding. Compile turns each operation of a
// program into dispatches whose pipelines, bindings and uniforms are made
// then; a step writes one small buffer, sets the numbers of workgroups, and
// replays the list: one call into C (or JavaScript), one compute pass, one
// submission.
//
// Memory is accounted before it is taken, because drivers abort, or lose the
// device, where it runs out.
package webgpu
