// Joins the pages of attention: out = sum of e^(greatest - most) * result,
// divided by the same sum of the sums. A thread takes four elements of one
// head of one row, and the pages in order.
// HeadDim: elements of a head.
struct Params {
  head_count: u32,
  out_offset: u32, // in vec4
  out_stride: u32,
  positions: u32,
  sequences: u32,
  lengths: u32,
  n_rows: u32,
  chunks: u32,
  window: u32,
  bidirectional: u32,
  row0: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> step: array<i32>;
@group(0) @binding(2) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = p.row0 + id.y;
  let head = id.x / {{div .HeadDim 4}}u;
  let element = id.x % {{div .HeadDim 4}}u;
  if (row >= u32(step[p.n_rows]) || head >= p.head_count) { return; }
  var end = u32(step[p.positions + row]) + 1u;
  var start = 0u;
  if (p.window > 0u && end > p.window) { start = end - p.window; }
  if (p.bidirectional != 0u) {
    end = u32(step[p.lengths + u32(step[p.sequences + row])]);
  }
  let at = (id.y * p.head_count + head) * p.chunks;
  let first = start >> 5u;
  let last = (end + 31u) >> 5u;
  var most = -1e30;
  for (var c = first; c < last; c++) {
    most = max(most, partials[(at + c) * {{add (div .HeadDim 4) 1}}u + {{div .HeadDim 4}}u].x);
  }
  var sum = 0.0;
  var result = vec4<f32>();
  for (var c = first; c < last; c++) {
    let chunk = (at + c) * {{add (div .HeadDim 4) 1}}u;
    let tail = partials[chunk + {{div .HeadDim 4}}u];
    let weight = exp(tail.x - most);
    sum += weight * tail.y;
    result += weight * partials[chunk + element];
  }
  out[p.out_offset + row * p.out_stride + id.x] = result / sum;
}
