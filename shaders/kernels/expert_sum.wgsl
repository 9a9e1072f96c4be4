// out[t] = sum over k of weight[t, k] * parts[t * Used + k]. A thread takes four
// elements.
// Used: experts of a row.
struct Params {
  width: u32, // in vec4, as the offset and the strides
  parts_stride: u32,
  out_offset: u32,
  out_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> routes: array<vec2<u32>>; // [row][Used]: expert, weight
@group(0) @binding(2) var<storage, read> parts: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.width) { return; }
  var sum = vec4<f32>();
  for (var k = 0u; k < {{.Used}}u; k++) {
    let i = id.y * {{.Used}}u + k;
    sum = fma(parts[i * p.parts_stride + id.x], vec4<f32>(bitcast<f32>(routes[i].y)), sum);
  }
  out[p.out_offset + id.y * p.out_stride + id.x] = sum;
}
