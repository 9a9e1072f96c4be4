;; Where segments go, and what becomes of them.

(module $m
  (memory (export "memory") i64 1)
  (table (export "table") i64 8 funcref)
  (global (export "base") i64 (i64.const 40)))
(register "m" $m)

;; Places that depend on a global.
(module
  (import "m" "base" (global $base i64))
  (import "m" "memory" (memory i64 1))
  (data (global.get $base) "one") (data (i64.add (global.get $base) (i64.const 8)) "two") (data $p "passive")
  (func (export "load") (param i64) (result i32) (i32.load8_u (local.get 0)))
  (func (export "init") (memory.init $p (i64.const 0) (i32.const 0) (i32.const 7))))
(assert_return (invoke "load" (i64.const 40)) (i32.const 0x6f))
(assert_return (invoke "load" (i64.const 48)) (i32.const 0x74))
(assert_return (invoke "load" (i64.const 0)) (i32.const 0))
(assert_return (invoke "init"))
(assert_return (invoke "load" (i64.const 0)) (i32.const 0x70))

;; What was copied before a trap stays.
(assert_trap (module
  (import "m" "base" (global $base i64)) (import "m" "memory" (memory i64 1))
  (data (i64.const 100) "stays") (data (i64.sub (global.get $base) (i64.const 41)) "x"))
  "out of bounds memory access")
(assert_trap (module (memory i64 1) (data (i64.const 0x1_0000_0000) "x")) "out of bounds memory access")
(assert_trap (module (memory i64 1) (data (i64.const -1) "")) "out of bounds memory access")
(assert_trap (module (memory i64 1) (data (i64.const 0xffff) "xy")) "out of bounds memory access")
(module
  (import "m" "memory" (memory i64 1))
  (func (export "load") (param i64) (result i32) (i32.load8_u (local.get 0))))
(assert_return (invoke "load" (i64.const 100)) (i32.const 0x73))

;; Elements that do not fit trap.
(assert_trap (module (table i64 3 funcref) (elem (i64.const 2) func $f $f) (func $f)) "out of bounds table access")
(assert_trap (module (table i64 3 funcref) (elem (i64.const 0x1_0000_0000) func $f) (func $f)) "out of bounds table access")
(assert_trap (module (import "m" "table" (table i64 1 funcref)) (elem (i64.const -1) func $f) (func $f)) "out of bounds table access")
;; An imported table may have more than it has to.
(module (import "m" "table" (table i64 1 funcref)) (elem (i64.const 6) func $f $f) (func $f (result i32) (i32.const 3))
  (func (export "call") (param i64) (result i32) (call_indirect (result i32) (local.get 0))))
(assert_return (invoke "call" (i64.const 7)) (i32.const 3))
(assert_trap (invoke "call" (i64.const 5)) "uninitialized element")
(assert_trap (invoke "call" (i64.const 0x1_0000_0007)) "undefined element")
(assert_trap (invoke "call" (i64.const -1)) "undefined element")

;; A segment that was copied is empty.
(module
  (memory i64 1) (table $t i64 4 funcref)
  (data $d (i64.const 0) "abc") (elem $e (table $t) (i64.const 0) func $f)
  (func $f (result i32) (i32.const 8))
  (func (export "init_data") (param i32) (memory.init $d (i64.const 9) (i32.const 0) (local.get 0)))
  (func (export "init_elem") (param i32) (table.init $t $e (i64.const 1) (i32.const 0) (local.get 0)))
  (func (export "call") (param i64) (result i32) (call_indirect $t (result i32) (local.get 0))))
(assert_return (invoke "call" (i64.const 0)) (i32.const 8))
(assert_return (invoke "init_data" (i32.const 0)))
(assert_trap (invoke "init_data" (i32.const 1)) "out of bounds memory access")
(assert_return (invoke "init_elem" (i32.const 0)))
(assert_trap (invoke "init_elem" (i32.const 1)) "out of bounds table access")

;; The module's own start function comes last.
(module
  (import "m" "base" (global $base i64))
  (memory i64 1) (global $seen (mut i32) (i32.const 0))
  (data (global.get $base) "\2a")
  (func $start (global.set $seen (i32.load8_u (i64.const 40))))
  (func (export "seen") (result i32) (global.get $seen))
  (start $start))
(assert_return (invoke "seen") (i32.const 42))

;; A 64-bit memory does not satisfy the import of a 32-bit one, nor a table.
(assert_unlinkable (module (import "m" "memory" (memory 1))) "incompatible import type")
(assert_unlinkable (module (import "m" "table" (table 1 funcref))) "incompatible import type")
(assert_unlinkable (module (import "spectest" "memory" (memory i64 1))) "incompatible import type")
