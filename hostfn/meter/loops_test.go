package meter_test

import "testing"

// TestLoopsWithValues has loops with parameters and results go back to their headers
// for fuel at every turn, in blocks that branches leave by any label.
func TestLoopsWithValues(t *testing.T) {
	const module = `(module (func (export "f") (param i32) (result i32) (local i64 i32)
		(i32.const 0) (i64.const 1) (local.get 0)
		(loop $turn (param i32 i64 i32) (result i32 i64)
			(local.set 0) (local.set 1) (local.set 2)
			(i32.add (local.get 2) (local.get 0))
			(i64.add (local.get 1) (i64.const 2))
			(block $odd (br_if $odd (i32.and (local.get 0) (i32.const 1))))
			(i32.sub (local.get 0) (i32.const 1)) (local.tee 0)
			(local.get 0) (br_if $turn)
			(drop))
		(local.set 1) (local.set 2)
		(block $a (block $b (br_table $a $a $a $b $a (local.get 2))) (return (i32.const 100)))
		(drop (br_if 0 (i32.const 7) (i32.eq (local.get 2) (i32.const 6))))
		(i32.add (local.get 2) (i32.wrap_i64 (local.get 1)))))`
	for _, slice := range []int64{1, 7, 1 << 30} {
		h := newHost(t)
		h.slice = slice
		m := h.start(metered(t, module))
		for n, want := range map[uint64]uint64{1: 1 + 3, 2: 100, 3: 7, 10: 55 + 21} {
			got, err := m.ExportedFunction("f").Call(h.ctx, n)
			if err != nil || got[0] != want {
				t.Errorf("slices of %d: f(%d) is %v, want %d: %v", slice, n, got, want, err)
			}
		}
	}
}

// TestStaysInvalid has what no engine may take stay so.
func TestStaysInvalid(t *testing.T) {
	h := newHost(t)
	for _, text := range []string{
		`(module (func (i32.const 1)))`,
		`(module (func (loop (i32.const 1))))`,
		`(module (func (result i32) (i32.const 1) (i32.const 2)))`,
		`(module (func (result i32) (loop (result i32) (i32.const 1) (i32.const 2))))`,
		`(module (func (br 1)))`,
		`(module (func (loop (br 2))))`,
		`(module (func (loop (br_table 0 2 (i32.const 1)))))`,
	} {
		if _, err := h.runtime.CompileModule(h.ctx, metered(t, text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}
