package memory64

import (
	"maps"
	"slices"
	"testing"
)

// core are the files without 64-bit memories and tables that this package and
// wazero know all of, and how many assertions pass. Those that are skipped are of
// malformed text, or of modules with garbage collection or typed references.
var core = map[string]int{
	"address": 255, "align": 94, "binary": 107, "binary-leb128": 58, "block": 207, "br": 96, "br_if": 117,
	"br_table": 24, "bulk": 66, "call": 90, "call_indirect": 158, "const": 300, "custom": 8, "endianness": 68,
	"exports": 40, "f32": 2511, "f32_bitwise": 363, "f32_cmp": 2406, "f64": 2511, "f64_bitwise": 363,
	"f64_cmp": 2406, "fac": 7, "float_exprs": 819, "float_literals": 99, "float_memory": 60, "float_misc": 470,
	"forward": 4, "func": 147, "func_ptrs": 32, "i32": 457, "i64": 413, "if": 216, "int_exprs": 89,
	"int_literals": 30, "labels": 28, "left-to-right": 95, "load": 83, "local_get": 35, "local_set": 52,
	"local_tee": 96, "loop": 105, "memory": 75, "memory_copy": 4402, "memory_fill": 84, "memory_init": 209,
	"memory_redundancy": 4, "memory_size": 38, "memory_trap": 180, "names": 482, "nop": 87, "ref_func": 11,
	"ref_is_null": 2, "return": 83, "return_call": 44, "return_call_indirect": 65, "select": 29,
	"skip-stack-guard-page": 10, "stack": 5, "start": 10, "store": 60, "switch": 27, "table_copy": 1649,
	"table_fill": 44, "table_get": 14, "table_init": 731, "table_set": 25, "table_size": 38, "unreachable": 63,
	"unreached-invalid": 118, "unreached-valid": 1, "unwind": 49, "utf8-custom-section-id": 176,
	"utf8-import-field": 176, "utf8-import-module": 176,
}

// TestCore runs the official tests of what is not lowered, to see that it is left
// alone, and that metering changes nothing.
func TestCore(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(core)) {
		commands := commandsOf(t, name)
		for _, e := range engines {
			if !e.metered {
				continue
			}
			t.Run(name+"/"+e.path(), func(t *testing.T) {
				if s := runScript(t, e, name, commands); s.passed != core[name] {
					t.Errorf("%s.wast: %d passed, want %d; skipped: %v", name, s.passed, core[name], s.skipped)
				}
			})
		}
	}
}
