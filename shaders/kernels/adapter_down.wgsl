// out = A · x, for the adapter that each row has; what rows without one have is not
// defined. A workgroup takes 16 elements of one row: four threads share the sum of each.
struct Params {
  columns: u32,    // of x, in vec4
  width: u32,      // elements of a row of out
  x_offset: u32,   // in vec4
  x_stride: u32,
  adapters: u32,   // where they start in the step
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> down: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> step: array<i32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
var<workgroup> parts: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) i: u32) {
  let slot = step[p.adapters + workgroup.y];
  let j = workgroup.x * 16u + i % 16u;
  var sum = 0.0;
  if (slot >= 0 && j < p.width) {
    let row = p.x_offset + workgroup.y * p.x_stride;
    let matrix = u32(slot) * p.columns * p.width + j;
    for (var k = i / 16u; k < p.columns; k += 4u) { sum += dot(down[matrix + k * p.width], x[row + k]); }
  }
  parts[i] = sum;
  workgroupBarrier();
  if (i < 16u && j < p.width) {
    out[workgroup.y * p.width + j] = (parts[i] + parts[i + 16u]) + (parts[i + 32u] + parts[i + 48u]);
  }
}
