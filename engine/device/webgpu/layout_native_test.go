//go:build !js

package webgpu

import (
	"reflect"
	"testing"

	"github.com/cogentcore/webgpu/wgpu"
)

// TestBindingLayout holds the structs of the binding to what gpu_native.go reads
// of them: the C references are pointers at fixed places.
func TestBindingLayout(t *testing.T) {
	for _, c := range []struct {
		value  any
		fields []string
	}{
		{wgpu.Instance{}, []string{"ref"}},
		{wgpu.Adapter{}, []string{"ref"}},
		{wgpu.Device{}, []string{"ref"}},
		{wgpu.Queue{}, []string{"deviceRef", "ref"}},
		{wgpu.Buffer{}, []string{"deviceRef", "ref"}},
		{wgpu.BindGroup{}, []string{"ref"}},
		{wgpu.ComputePipeline{}, []string{"ref"}},
	} {
		s := reflect.TypeOf(c.value)
		if s.NumField() != len(c.fields) {
			t.Errorf("%s has %d fields, want %v", s, s.NumField(), c.fields)
			continue
		}
		for i, name := range c.fields {
			f := s.Field(i)
			if f.Name != name || f.Type.Size() != reflect.TypeFor[uintptr]().Size() || f.Offset != uintptr(i)*f.Type.Size() {
				t.Errorf("%s field %d is %s, %d bytes at %d; want %s, a pointer at %d", s, i, f.Name, f.Type.Size(), f.Offset, name, i)
			}
		}
	}
}
