package webgpu

import (
	"strings"
	"syscall/js"
)

// describe says of a GPUAdapter what a page is told.
func describe(adapter js.Value) Adapter {
	about := identity{
		fallback: adapter.Get("isFallbackAdapter").Truthy(), // where info has none yet
	}
	if info := adapter.Get("info"); info.Type() == js.TypeObject {
		about.vendor = text(info, "vendor")
		about.architecture = text(info, "architecture")
		about.device = text(info, "device")
		about.description = text(info, "description")
		about.fallback = about.fallback || info.Get("isFallbackAdapter").Truthy()
	}
	a := Adapter{
		Name: about.name(), Driver: browser(js.Global().Get("navigator")), API: "page",
		Class: about.class(), Limits: limitsOf(adapter.Get("limits")),
	}
	a.Software = a.Class == ClassSoftware
	a.Kind = a.Class // a page is not told more
	for _, name := range [...]string{"shader-f16", "subgroups"} {
		if adapter.Get("features").Call("has", name).Bool() {
			a.Features = append(a.Features, name)
		}
	}
	return a
}

// browser names the browser, which stands between the adapter and its driver.
func browser(navigator js.Value) string {
	if data := navigator.Get("userAgentData"); data.Type() == js.TypeObject {
		brands := data.Get("brands")
		for i := range brands.Length() {
			// One of the list is no browser, so that nobody relies on its order.
			if name := text(brands.Index(i), "brand"); !strings.Contains(name, "Brand") {
				return name + " " + text(brands.Index(i), "version")
			}
		}
	}
	return text(navigator, "userAgent")
}

func text(object js.Value, name string) string {
	if v := object.Get(name); v.Type() == js.TypeString {
		return v.String()
	}
	return ""
}

func limitsOf(l js.Value) Limits {
	return Limits{
		StorageBinding: int64(l.Get("maxStorageBufferBindingSize").Float()), Buffer: int64(l.Get("maxBufferSize").Float()),
		WorkgroupInvocations: l.Get("maxComputeInvocationsPerWorkgroup").Int(), WorkgroupMemory: l.Get("maxComputeWorkgroupStorageSize").Int(),
		StorageBuffers: l.Get("maxStorageBuffersPerShaderStage").Int(), WorkgroupsPerDimension: l.Get("maxComputeWorkgroupsPerDimension").Int(),
	}
}

// identity is what a GPUAdapterInfo says: little, so that pages cannot tell users
// apart. https://www.w3.org/TR/webgpu/#gpuadapterinfo
type identity struct {
	vendor, architecture, device, description string
	fallback                                  bool
}

func (i identity) name() string {
	if i.description != "" {
		return i.description
	}
	if name := strings.Join(strings.Fields(i.vendor+" "+i.architecture+" "+i.device), " "); name != "" {
		return name
	}
	return "unnamed adapter"
}

// class names the class of device whose defaults fit. Browsers do not say which
// kind of GPU it is: those of vendors that make mostly the one count as that, and
// others as having memory of their own.
func (i identity) class() string {
	all := strings.ToLower(i.vendor + " " + i.architecture + " " + i.device + " " + i.description)
	has := func(words ...string) bool {
		for _, word := range words {
			if strings.Contains(all, word) {
				return true
			}
		}
		return false
	}
	switch {
	case i.fallback, has("swiftshader", "llvmpipe", "lavapipe", "basic render", "warp"):
		return ClassSoftware
	case has("apple", "qualcomm", "adreno", "arm ", "mali", "img-tec", "powervr", "intel"):
		return ClassIntegrated
	}
	return ClassDiscrete
}
