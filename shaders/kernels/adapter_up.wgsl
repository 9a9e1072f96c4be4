// out += scale * B · x, for the adapter that each row has. A thread takes four
// elements of out. What x has for one part of out, such as keys, is another part's
// business no more.
struct Params {
  width: u32,      // of out, in vec4
  rank: u32,
  x_offset: u32,   // in f32
  x_stride: u32,
  out_offset: u32, // in vec4
  out_stride: u32,
  adapters: u32,   // where they start in the step
  scales: u32,
  second: u32,     // where the second and third part of out begin, in vec4
  third: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> up: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> step: array<i32>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let slot = step[p.adapters + id.y];
  if (id.x >= p.width || slot < 0) { return; }
  let part = select(0u, 1u, id.x >= p.second) + select(0u, 1u, id.x >= p.third);
  let row = p.x_offset + id.y * p.x_stride + part * p.rank;
  let matrix = u32(slot) * p.rank * p.width + id.x;
  var sum = vec4<f32>(0.0);
  for (var r = 0u; r < p.rank; r++) { sum += up[matrix + r * p.width] * x[row + r]; }
  out[p.out_offset + id.y * p.out_stride + id.x] += bitcast<f32>(step[p.scales + id.y]) * sum;
}
