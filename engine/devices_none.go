//go:build js || !cgo

package engine

import "github.com/realm-webgpu/realm/engine/device"

// openWebGPU fails: wgpu-native is reached through cgo, which this build is
// without.
func openWebGPU(string, int64) (device.Device, error) { return nil, errNoWebGPU }

// adapters lists none.
func adapters() []DeviceInfo { return nil }
