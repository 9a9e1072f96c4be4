// x = cap * tanh(x / cap). A thread takes four elements.
struct Params {
  width: u32, // in vec4, as all that follow
  x_offset: u32,
  x_stride: u32,
  cap: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.width) { return; }
  let at = p.x_offset + id.y * p.x_stride + id.x;
  // Some drivers' tanh is no number where e^x overflows.
  x[at] = p.cap * tanh(clamp(x[at] / p.cap, vec4<f32>(-20.0), vec4<f32>(20.0)));
}
