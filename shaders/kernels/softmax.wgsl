// out = softmax(scale * x) of every row. A workgroup takes one row; thread i
// looks at elements i, i + 64, ..., and the sums are added as a tree.
// InPlace: 1 when out is in the buffer of x. Causal: 1 when a row ends after the
// element of its position.
struct Params {
  width: u32,
  x_offset: u32, // in f32, as all that follow
  x_stride: u32,
  out_offset: u32,
  out_stride: u32,
  positions: u32, // where they start in the step
  scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
{{- $out := "out"}}{{$binding := 2}}
{{- if .InPlace}}{{$out = "x"}}
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
{{- else}}
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
{{- $binding = 3}}
{{- end}}
{{- if .Causal}}
@group(0) @binding({{$binding}}) var<storage, read> step: array<i32>;
{{- end}}
var<workgroup> parts: array<f32, 64>;

const lowest = -3.4028234e38;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) i: u32) {
  let at = p.x_offset + workgroup.y * p.x_stride;
  let to = p.out_offset + workgroup.y * p.out_stride;
{{- if .Causal}}
  let count = min(p.width, u32(step[p.positions + workgroup.y]) + 1u);
{{- else}}
  let count = p.width;
{{- end}}
  var greatest = lowest;
  for (var k = i; k < count; k += 64u) { greatest = max(greatest, p.scale * x[at + k]); }
  parts[i] = greatest;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half >>= 1u) {
    if (i < half) { parts[i] = max(parts[i], parts[i + half]); }
    workgroupBarrier();
  }
  greatest = parts[0];
  workgroupBarrier();
  // Each thread reads back only what it wrote itself.
  var sum = 0.0;
  for (var k = i; k < count; k += 64u) {
    let v = p.scale * x[at + k];
    // An infinity less another is no number.
    let e = select(0.0, exp(max(v - greatest, -100.0)), v > lowest);
    {{$out}}[to + k] = e;
    sum += e;
  }
  parts[i] = sum;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half >>= 1u) {
    if (i < half) { parts[i] += parts[i + half]; }
    workgroupBarrier();
  }
  let all = parts[0];
  for (var k = i; k < count; k += 64u) { {{$out}}[to + k] /= all; }
  for (var k = count + i; k < p.width; k += 64u) { {{$out}}[to + k] = 0.0; }
}
