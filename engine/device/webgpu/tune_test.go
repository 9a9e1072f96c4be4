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

// TestWith keeps what the other tuning leaves at zero.
func TestWith(t *testing.T) {
	base := defaults(ClassSoftware)
	if got := base.with(Tuning{}); got != base {
		t.Errorf("with nothing: %+v", got)
	}
	if got := base.with(Tuning{Tiles: [4]Tile{{Lanes: 32}}}); got.Tiles[0] != (Tile{base.Tiles[0].Vectors, 32}) || got.Tiles[1] != base.Tiles[1] {
		t.Errorf("with lanes: %+v", got)
	}
}

// TestTile gives every bucket a tile whose columns divide it.
func TestTile(t *testing.T) {
	for _, class := range []string{ClassSoftware, ClassIntegrated, ClassDiscrete} {
		tuning := defaults(class)
		for rows := 1; rows <= tuning.MaxRows; rows *= 2 {
			tile, columns := tuning.tile(rows)
			if tile.Vectors < 1 || tile.Lanes < 1 || columns > rows || rows%columns != 0 || columns > tuning.Columns {
				t.Errorf("%s, %d rows: %+v, %d columns", class, rows, tile, columns)
			}
		}
	}
}
