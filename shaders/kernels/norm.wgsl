// x += residual, and then
//
//	Centered 0: out = x / sqrt(mean(x * x) + epsilon) * weight
//	Centered 1: out = (x - mean(x)) / sqrt(variance(x) + epsilon) * weight (+ bias)
//
// A workgroup takes one group of one row. Thread i sums elements i, i + 64, ...
// and the sums are added as a tree.
// Residual: 1 when there is one. InPlace: 1 when out is in the buffer of x.
// Centered: 1 for a layer norm. Bias: 1 when there is one.
struct Params {
  width: u32,     // of a group, in vec4
  groups: u32,    // groups of a row
  x_offset: u32,  // in vec4
  x_stride: u32,
  out_offset: u32,
  out_stride: u32,
  residual_offset: u32,
  residual_stride: u32,
  count: f32,     // elements of a group
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;
{{- $binding := 3}}
{{- if not .InPlace}}
@group(0) @binding({{$binding}}) var<storage, read_write> out: array<vec4<f32>>;
{{- $binding = add $binding 1}}
{{- end}}
{{- if .Residual}}
@group(0) @binding({{$binding}}) var<storage, read> residual: array<vec4<f32>>;
{{- $binding = add $binding 1}}
{{- end}}
{{- if .Bias}}
@group(0) @binding({{$binding}}) var<storage, read> bias: array<vec4<f32>>;
{{- end}}
var<workgroup> sums: array<f32, 64>;

// The sum of what every thread of the workgroup brings.
fn total(i: u32, sum: f32) -> f32 {
  sums[i] = sum;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half >>= 1u) {
    if (i < half) { sums[i] += sums[i + half]; }
    workgroupBarrier();
  }
  let all = sums[0];
  workgroupBarrier();
  return all;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) i: u32) {
  let shift = workgroup.x * p.width;
  let at = p.x_offset + workgroup.y * p.x_stride + shift;
  var sum = 0.0;
  // Each thread reads back only what it wrote itself.
  for (var k = i; k < p.width; k += 64u) {
    var v = x[at + k];
{{- if .Residual}}
    v += residual[p.residual_offset + workgroup.y * p.residual_stride + shift + k];
    x[at + k] = v;
{{- end}}
{{- if .Centered}}
    sum += (v.x + v.y) + (v.z + v.w);
{{- else}}
    sum += dot(v, v);
{{- end}}
  }
{{- if .Centered}}
  let mean = total(i, sum) / p.count;
  sum = 0.0;
  for (var k = i; k < p.width; k += 64u) {
    let v = x[at + k] - mean;
    sum += dot(v, v);
  }
{{- end}}
  let scale = 1.0 / sqrt(total(i, sum) / p.count + p.epsilon);
  for (var k = i; k < p.width; k += 64u) {
    let v = {{if .Centered}}(x[at + k] - mean){{else}}x[at + k]{{end}} * scale * weight[k]{{if .Bias}} + bias[k]{{end}};
    {{if .InPlace}}x{{else}}out{{end}}[p.out_offset + workgroup.y * p.out_stride + shift + k] = v;
  }
}
