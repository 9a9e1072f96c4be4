//go:build !js && cgo

package engine

import (
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/webgpu"
)

// openWebGPU opens an adapter by its index or a part of its name; "" is the
// best there is.
func openWebGPU(adapter string, budget int64) (device.Device, error) {
	d, err := webgpu.Open(webgpu.Options{Adapter: adapter, Budget: budget})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// adapters lists the adapters.
func adapters() []DeviceInfo {
	var list []DeviceInfo
	for _, a := range webgpu.Adapters() {
		list = append(list, DeviceInfo{
			Option:   fmt.Sprintf("webgpu:%d", a.Index),
			Backend:  "webgpu",
			Name:     a.Name,
			Driver:   a.Driver,
			API:      a.API,
			Kind:     a.Kind,
			Software: a.Software,
			Class:    a.Class,
			Limits:   DeviceLimits(a.Limits),
		})
	}
	return list
}
