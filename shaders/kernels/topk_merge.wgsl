// The second pass of top-k: a workgroup joins the slices of one row into its
// greatest element and the logarithm of the sum of exponentials, and finds a
// bound that the K best reach: the K-th greatest of the slices' greatest, for
// K slices have an element that reaches it. The lowest number there is means
// that there is no bound, and even an element of minus infinity reaches it.
// SliceCount: as in topk_slices. K: how many are wanted. ResultWords: words of
// a row's result.
struct Params {
  width: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> slices: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> results: array<u32>;
@group(0) @binding(3) var<storage, read_write> chosen: array<u32>;
{{- if gt .K 1}}
@group(0) @binding(4) var<storage, read_write> bounds: array<u32>; // bound, count for each row
{{- end}}
var<workgroup> greatest: array<f32, {{.SliceCount}}>;
var<workgroup> best: array<u32, 64>;
var<workgroup> sums: array<f32, 64>;
{{- if gt .K 1}}
var<workgroup> bound: f32;
{{- end}}

const none = 0xffffffffu;
const lowest = -3.4028234e38;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) i: u32) {
  let row = workgroup.y;
  var most = lowest;
  var id = none;
  for (var s = i; s < {{.SliceCount}}u; s += 64u) {
    let slice = slices[row * {{.SliceCount}}u + s];
    let slice_id = bitcast<u32>(slice.y);
    greatest[s] = select(slice.x, lowest, slice_id == none);
    if (slice_id != none && (id == none || slice.x > most || (slice.x == most && slice_id < id))) {
      most = slice.x;
      id = slice_id;
    }
  }
  best[i] = id;
  sums[i] = most;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half >>= 1u) {
    if (i < half && best[i + half] != none &&
      (best[i] == none || sums[i + half] > sums[i] || (sums[i + half] == sums[i] && best[i + half] < best[i]))) {
      sums[i] = sums[i + half];
      best[i] = best[i + half];
    }
    workgroupBarrier();
  }
  most = sums[0];
  id = best[0];
  workgroupBarrier();
  var sum = 0.0;
  for (var s = i; s < min({{.SliceCount}}u, p.width); s += 64u) {
    let slice = slices[row * {{.SliceCount}}u + s];
    if (slice.z > 0.0) { sum += slice.z * exp(max(slice.x - most, -100.0)); }
  }
  sums[i] = sum;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half >>= 1u) {
    if (i < half) { sums[i] += sums[i + half]; }
    workgroupBarrier();
  }
{{- if gt .K 1}}
  // The K-th greatest: the slice that K - 1 others come before.
  if (i == 0u) { bound = lowest; }
  workgroupBarrier();
  for (var s = i; s < {{.SliceCount}}u; s += 64u) {
    var before = 0u;
    for (var other = 0u; other < {{.SliceCount}}u; other++) {
      if (greatest[other] > greatest[s] || (greatest[other] == greatest[s] && other < s)) { before++; }
    }
    if (before == {{.K}}u - 1u) { bound = max(greatest[s], lowest); }
  }
  workgroupBarrier();
{{- end}}
  if (i == 0u) {
    chosen[row] = id;
    results[row * {{.ResultWords}}u] = id;
    results[row * {{.ResultWords}}u + 1u] = bitcast<u32>(most + log(sums[0]));
{{- if gt .K 1}}
    bounds[row * 2u] = bitcast<u32>(bound);
    bounds[row * 2u + 1u] = 0u;
{{- else}}
    results[row * {{.ResultWords}}u + 4u] = id;
    results[row * {{.ResultWords}}u + 5u] = bitcast<u32>(most);
{{- end}}
  }
}
