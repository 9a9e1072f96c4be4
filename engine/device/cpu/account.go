package cpu

import (
	"sync"

	"github.com/realm-webgpu/realm/engine/device"
)

// account counts memory before it is taken.
type account struct {
	budget int64 // bytes; 0: none

	mu   sync.Mutex
	used [device.KindCount]int64
}

// take books n bytes, or fails with a *device.MemoryError and books nothing.
func (a *account) take(kind device.Kind, name string, n int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	used := device.Memory{Used: a.used}.Total()
	if a.budget > 0 && n > a.budget-used {
		return &device.MemoryError{Kind: kind, Name: name, Need: n, Used: used, Budget: a.budget}
	}
	a.used[kind] += n
	return nil
}

func (a *account) give(kind device.Kind, n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used[kind] -= n
}

func (a *account) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used = [device.KindCount]int64{}
}

func (a *account) state() device.Memory {
	a.mu.Lock()
	defer a.mu.Unlock()
	return device.Memory{Used: a.used, Budget: a.budget}
}
