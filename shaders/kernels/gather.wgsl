// out[i] = x[outputs[i]]. A thread takes four elements.
struct Params {
  width: u32, // in vec4, as the offsets and strides
  x_offset: u32,
  x_stride: u32,
  out_offset: u32,
  out_stride: u32,
  outputs: u32, // where the step's outputs start
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> step: array<i32>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.width) { return; }
  out[p.out_offset + id.y * p.out_stride + id.x] = x[p.x_offset + u32(step[p.outputs + id.y]) * p.x_stride + id.x];
}
