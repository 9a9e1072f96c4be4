package wat

import (
	"strings"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// instructionNames are the names of the text format. Each line has a first
// opcode, and the names of those from there on; "-" is none.
var instructionNames = map[wasm.Op]string{
	0x00: "unreachable nop block loop if else",
	0x0b: "end br br_if br_table return call call_indirect return_call return_call_indirect",
	0x1a: "drop select",
	0x20: "local.get local.set local.tee global.get global.set table.get table.set",
	0x28: `i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u
		i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u
		i32.store i64.store f32.store f64.store i32.store8 i32.store16 i64.store8 i64.store16 i64.store32
		memory.size memory.grow i32.const i64.const f32.const f64.const
		i32.eqz i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u
		i64.eqz i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u
		f32.eq f32.ne f32.lt f32.gt f32.le f32.ge f64.eq f64.ne f64.lt f64.gt f64.le f64.ge
		i32.clz i32.ctz i32.popcnt i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u
		i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr
		i64.clz i64.ctz i64.popcnt i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u
		i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr
		f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest f32.sqrt f32.add f32.sub f32.mul f32.div f32.min f32.max f32.copysign
		f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest f64.sqrt f64.add f64.sub f64.mul f64.div f64.min f64.max f64.copysign
		i32.wrap_i64 i32.trunc_f32_s i32.trunc_f32_u i32.trunc_f64_s i32.trunc_f64_u
		i64.extend_i32_s i64.extend_i32_u i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s i64.trunc_f64_u
		f32.convert_i32_s f32.convert_i32_u f32.convert_i64_s f32.convert_i64_u f32.demote_f64
		f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s f64.convert_i64_u f64.promote_f32
		i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64
		i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s`,
	0xd0: "ref.null ref.is_null ref.func",
	0xfc0000: `i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u
		i64.trunc_sat_f32_s i64.trunc_sat_f32_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u
		memory.init data.drop memory.copy memory.fill table.init elem.drop table.copy table.grow table.size table.fill`,
	0xfd0000: `v128.load v128.load8x8_s v128.load8x8_u v128.load16x4_s v128.load16x4_u v128.load32x2_s v128.load32x2_u
		v128.load8_splat v128.load16_splat v128.load32_splat v128.load64_splat v128.store v128.const i8x16.shuffle i8x16.swizzle
		i8x16.splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat
		i8x16.extract_lane_s i8x16.extract_lane_u i8x16.replace_lane i16x8.extract_lane_s i16x8.extract_lane_u i16x8.replace_lane
		i32x4.extract_lane i32x4.replace_lane i64x2.extract_lane i64x2.replace_lane
		f32x4.extract_lane f32x4.replace_lane f64x2.extract_lane f64x2.replace_lane
		i8x16.eq i8x16.ne i8x16.lt_s i8x16.lt_u i8x16.gt_s i8x16.gt_u i8x16.le_s i8x16.le_u i8x16.ge_s i8x16.ge_u`,
	0xfd004d: `v128.not v128.and v128.andnot v128.or v128.xor v128.bitselect v128.any_true
		v128.load8_lane v128.load16_lane v128.load32_lane v128.load64_lane
		v128.store8_lane v128.store16_lane v128.store32_lane v128.store64_lane v128.load32_zero v128.load64_zero`,
	0xfd006e: "i8x16.add",
	0xfd00ae: "i32x4.add - - i32x4.sub - - - i32x4.mul",
	0xfd00ce: "i64x2.add",
	0xfd00e4: "f32x4.add f32x4.sub f32x4.mul",
}

// opcodes returns the instructions by their names.
func opcodes() map[string]wasm.Op {
	all := map[string]wasm.Op{}
	for first, names := range instructionNames {
		for i, name := range strings.Fields(names) {
			if name != "-" {
				all[name] = first + wasm.Op(i)
			}
		}
	}
	return all
}
