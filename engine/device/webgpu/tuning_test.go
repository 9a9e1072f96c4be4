package webgpu

import "testing"

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
