//go:build js || cgo

package engine

import (
	"context"
	"fmt"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/webgpu"
)

// openWebGPU opens an adapter by its index or a part of its name; "" is the
// best there is.
func openWebGPU(adapter string, o Options) (device.Device, error) {
	// Where there is no folder for caches, Tune can have left nothing in it.
	dir, _ := o.cacheDir()
	d, err := webgpu.Open(webgpu.Options{Adapter: adapter, Budget: o.Memory, TuningDir: dir})
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

// tuneWebGPU measures the tilings of an adapter and remembers the best in a
// folder, "" for none.
func tuneWebGPU(ctx context.Context, adapter, dir string, report func(Tiling)) (Tuning, error) {
	best, err := webgpu.Tune(ctx, webgpu.Options{Adapter: adapter, TuningDir: dir}, func(m webgpu.Measurement) {
		report(Tiling{Vectors: m.Vectors, Columns: m.Columns, Lanes: m.Lanes, Rate: m.GMACs, Err: m.Err})
	})
	if err != nil {
		return Tuning{}, err
	}
	var t Tuning
	for i, tile := range best.Tiles {
		if columns := 1 << i; columns <= best.Columns {
			t.Tilings = append(t.Tilings, Tiling{Vectors: tile.Vectors, Columns: columns, Lanes: tile.Lanes})
		}
	}
	return t, nil
}
