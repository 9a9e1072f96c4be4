package engine

import "github.com/realm-webgpu/realm/engine/device"

// Lose has the device be lost now.
func (e *Engine) Lose() { e.current().(device.Losable).Lose() }

// Cripple has a device that is opened again be of no use: nothing fits it.
func (e *Engine) Cripple() { e.options.Memory = 1 }
