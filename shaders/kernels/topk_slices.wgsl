// The first pass of top-k: thread i looks at elements i, i + {{.SliceCount}}, ... of a row
// of logits and finds the greatest (the lowest id among equals) and the sum of
// the exponentials relative to it.
// SliceCount: the number of slices of a row, a multiple of 32.
struct Params {
  width: u32,
  logits_offset: u32, // in f32
  logits_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> slices: array<vec4<f32>>; // greatest, its id, sum

const none = 0xffffffffu; // the id of a slice with no elements
const lowest = -3.4028234e38;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let at = p.logits_offset + id.y * p.logits_stride;
  var greatest = 0.0;
  var best = none;
  for (var k = id.x; k < p.width; k += {{.SliceCount}}u) {
    let v = logits[at + k];
    if (best == none || v > greatest) {
      greatest = v;
      best = k;
    }
  }
  var sum = 0.0;
  for (var k = id.x; k < p.width; k += {{.SliceCount}}u) {
    // An infinity less another is no number.
    if (logits[at + k] > lowest) { sum += exp(max(logits[at + k] - greatest, -100.0)); }
  }
  slices[id.y * {{.SliceCount}}u + id.x] = vec4<f32>(greatest, bitcast<f32>(best), sum, 0.0);
}
