// out = activation(gate) * up. A thread takes four elements.
// Activation: 0 SiLU, 1 GELU by tanh, 2 GELU by erf. Up: 1 when there is one.
struct Params {
  width: u32, // in vec4, as all that follow
  gate_offset: u32,
  gate_stride: u32,
  up_offset: u32,
  up_stride: u32,
  out_offset: u32,
  out_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> gate: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;
{{- if eq .Up 1}}
@group(0) @binding(3) var<storage, read> up: array<vec4<f32>>;
{{- end}}

{{- if eq .Activation 2}}

// Abramowitz and Stegun 7.1.26: |error| < 1.5e-7.
fn erf(x: vec4<f32>) -> vec4<f32> {
  let a = min(abs(x), vec4<f32>(6.0));
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let y = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return sign(x) * (1.0 - y * exp(-a * a));
}
{{- end}}

fn activation(x: vec4<f32>) -> vec4<f32> {
{{- if eq .Activation 0}}
  return x / (1.0 + exp(-clamp(x, vec4<f32>(-80.0), vec4<f32>(80.0))));
{{- else if eq .Activation 1}}
  let t = 0.7978845608 * (x + 0.044715 * x * x * x);
  return 0.5 * x * (1.0 + tanh(clamp(t, vec4<f32>(-20.0), vec4<f32>(20.0))));
{{- else}}
  return 0.5 * x * (1.0 + erf(x * 0.7071067812));
{{- end}}
}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.width) { return; }
  out[p.out_offset + id.y * p.out_stride + id.x] = activation(gate[p.gate_offset + id.y * p.gate_stride + id.x])
    {{- if eq .Up 1}} * up[p.up_offset + id.y * p.up_stride + id.x]{{end}};
}
