package engine

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu"
)

// DeviceInfo describes a device that could be opened.
type DeviceInfo struct {
	// Option opens it: "webgpu:0", "cpu".
	Option   string       `json:"option"`
	Backend  string       `json:"backend"` // "webgpu", "cpu"
	Name     string       `json:"name"`
	Driver   string       `json:"driver"`
	API      string       `json:"api,omitempty"`  // "vulkan", "metal", "d3d12"
	Kind     string       `json:"kind,omitempty"` // as the driver says it: "discrete-gpu", ...
	Software bool         `json:"software"`       // it computes on the CPU
	Class    string       `json:"class"`          // whose kernel defaults are used
	Limits   DeviceLimits `json:"limits"`
}

func (d DeviceInfo) isGPU() bool { return !d.Software }

// DeviceLimits are the limits of an adapter that matter here: bytes, and
// counts. All are 0 for the CPU, which has none.
type DeviceLimits struct {
	StorageBinding         int64 `json:"storage_binding_bytes"`
	Buffer                 int64 `json:"buffer_bytes"`
	WorkgroupInvocations   int   `json:"workgroup_invocations"`
	WorkgroupMemory        int   `json:"workgroup_memory_bytes"`
	StorageBuffers         int   `json:"storage_buffers"`
	WorkgroupsPerDimension int   `json:"workgroups_per_dimension"`
}

// Devices lists what could be opened: the adapters, in the driver's order, and
// the CPU.
func Devices() []DeviceInfo {
	return append(adapters(), DeviceInfo{
		Option:   "cpu",
		Backend:  "cpu",
		Name:     runtime.GOARCH + ", " + cpu.Arithmetic(),
		Driver:   runtime.Version(),
		Software: true,
		Class:    "cpu",
	})
}

// errNoWebGPU is the error of a build that has no WebGPU. It is a
// device.ErrNotFound.
var errNoWebGPU = fmt.Errorf("this build of Realm has no WebGPU: %w", device.ErrNotFound)

// open opens the device that the options name.
func (e *Engine) open(o Options) (device.Device, error) {
	backend, adapter, _ := strings.Cut(o.Device, ":")
	switch {
	case o.Device == "" || o.Device == "auto":
		return e.openBest(o)
	case backend == "webgpu":
		d, err := openWebGPU(adapter, o)
		if err == nil {
			e.saySoftware(d.Info())
		}
		return d, err
	case o.Device == "cpu", o.Device == exactCPU:
		return openCPU(o)
	}
	return nil, fmt.Errorf("%q: %w: the choices are auto, webgpu, webgpu:NAME-OR-INDEX, cpu and cpu:exact", o.Device, ErrDevice)
}

// exactCPU is the name of the CPU that computes in float32 throughout.
const exactCPU = "cpu:exact"

// openBest opens the best GPU, or the CPU where there is none: an adapter that computes
// on the CPU is the better one only where the CPU device has no vector instructions.
func (e *Engine) openBest(o Options) (device.Device, error) {
	if cpu.Vectors() {
		if found := adapters(); len(found) > 0 && !slices.ContainsFunc(found, DeviceInfo.isGPU) {
			e.say(fmt.Sprintf("there is no GPU, and the WebGPU adapter %s is software: computing on the CPU, which is faster than that (--device webgpu)%s", found[0].Name, seeDevices))
			return openCPU(o)
		}
	}
	d, err := openWebGPU("", o)
	switch {
	case err == nil:
		e.saySoftware(d.Info())
		return d, nil
	case errors.Is(err, errNoWebGPU):
		e.say("this build has no WebGPU: computing on the CPU (slower); build with CGO_ENABLED=1 for the GPU")
	case errors.Is(err, device.ErrNotFound) && !inPage:
		e.say("no WebGPU adapter found: computing on the CPU (slower)" + seeDevices)
	default:
		e.say(fmt.Sprintf("no WebGPU device (%v): computing on the CPU (slower)%s", err, seeDevices))
	}
	return openCPU(o)
}

// openAgain opens the kind of device that an earlier one was.
func (e *Engine) openAgain(info device.Info) (device.Device, error) {
	if info.Backend == "cpu" {
		return openCPU(e.options)
	}
	_, adapter, _ := strings.Cut(e.options.Device, ":")
	return openWebGPU(adapter, e.options)
}

// saySoftware tells of an adapter that is no GPU.
func (e *Engine) saySoftware(info device.Info) {
	if info.Software {
		e.say(fmt.Sprintf("the WebGPU adapter %s (%s) is software: computing on the CPU through it (slower)%s", info.Name, info.Driver, seeDevices))
	}
}

func openCPU(o Options) (device.Device, error) {
	budget := o.Memory
	if budget == 0 {
		budget = cpu.DefaultBudget()
	}
	return cpu.New(cpu.Options{Budget: budget, Workers: o.Threads, Exact: o.Device == exactCPU})
}
