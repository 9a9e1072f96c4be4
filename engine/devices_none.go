//go:build !js && !cgo

package engine

import (
	"context"

	"github.com/realm-webgpu/realm/engine/device"
)

// openWebGPU fails: wgpu-native is reached through cgo, which this build is
// without.
func openWebGPU(string, Options) (device.Device, error) { return nil, errNoWebGPU }

// adapters lists none.
func adapters() []DeviceInfo { return nil }

// tuneWebGPU fails for the same reason.
func tuneWebGPU(context.Context, string, string, func(Tiling)) (Tuning, error) {
	return Tuning{}, errNoWebGPU
}
