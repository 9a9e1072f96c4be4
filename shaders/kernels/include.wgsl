{{- define "types" -}}
{{- /* The words, integers and numbers of four adjacent rows. */ -}}
alias W = vec4<u32>;
alias I = vec4<i32>;
alias F = vec4<f32>;
{{- end -}}

{{- define "types1" -}}
{{- /* The words, integers and numbers of one row. */ -}}
alias W = u32;
alias I = i32;
alias F = f32;
{{- end -}}

{{- define "codec" -}}
// Where a row is in the planes of its tile, and its tile among the others.
fn tiled(row: u32) -> u32 {
  return row / {{.Codec.TileRows}}u * p.tile + row % {{.Codec.TileRows}}u;
}

// An IEEE half float from its bits, by integers: drivers may flush subnormal
// halves in unpack2x16float, and many block scales are subnormal.
fn half_float(bits: W) -> F {
  let magnitude = bits & W(0x7fffu);
  let normal = bitcast<F>((magnitude << W(13u)) + W(0x38000000u));
  let subnormal = F(I(magnitude)) * F(5.9604644775390625e-8);
  let value = select(normal, subnormal, magnitude < W(0x400u));
  return select(value, -value, bits >= W(0x8000u));
}

// The lowest byte as a signed number.
fn signed_byte(bits: W) -> I {
  return bitcast<I>(bits << W(24u)) >> W(24u);
}
{{- end -}}

{{- define "weight_params" -}}
  tile: u32,    // distance between two tiles of rows, in W
  plane0: u32,
  plane1: u32,
  plane2: u32,
  plane3: u32,
  plane4: u32,
  plane5: u32,
  units: u32,   // n_in / 32
{{- end -}}
