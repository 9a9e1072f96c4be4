//go:build !js

package webgpu

import (
	"os"
	"testing"
)

// TestRemembered writes what Tune writes and reads it back, and does not
// believe files that are not of the adapter, or mad.
func TestRemembered(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(tuningFile(dir, "gpu", "driver 1"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, text string
		vectors    int
	}{
		{"good", `{"name":"gpu","driver":"driver 1","tuning":{"Tiles":[{"Vectors":2,"Lanes":16}],"Columns":4,"Slices":99}}`, 2},
		{"another adapter", `{"name":"other","driver":"driver 1","tuning":{"Tiles":[{"Vectors":2}]}}`, 0},
		{"mad", `{"name":"gpu","driver":"driver 1","tuning":{"Tiles":[{"Vectors":999}]}}`, 0},
		{"broken", `{"name":`, 0},
	} {
		write(c.text)
		got := remembered(dir, "gpu", "driver 1")
		if got.Tiles[0].Vectors != c.vectors || got.Slices != 0 {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	if got := remembered(dir, "gpu", "driver 2"); got != (Tuning{}) {
		t.Errorf("another driver: %+v", got)
	}
}
