package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine"
)

func TestDevices(t *testing.T) {
	f := newFolder(t)
	if o := f.good("", "devices"); !strings.Contains(o.stdout, "cpu ") {
		t.Errorf("printed %q", o.stdout)
	}
	var r struct{ Devices []engine.DeviceInfo }
	if err := json.Unmarshal([]byte(f.good("", "devices", "--json").stdout), &r); err != nil {
		t.Fatal(err)
	}
	if n := len(r.Devices); n == 0 || r.Devices[n-1].Option != "cpu" {
		t.Errorf("devices %+v, want the CPU as the last", r.Devices)
	}
}
