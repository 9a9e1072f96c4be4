// out[t, k] = scale * weights[index[t], k]
//
// A thread writes one octet of one row. The index is the row's token, or its
// position. Tokens under zero stand for ids that the step before chose: -1 - i
// is that of its output i.
{{template "types1"}}

struct Params {
  {{template "weight_params"}}
  first: u32,      // first row of the table in this part
  count: u32,      // rows in this part
  out_offset: u32, // in f32
  out_stride: u32,
  indices: u32,    // where they start in the step
  n_rows: u32,     // where the step's number of rows is
  n_embd: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> weights: array<W>;
@group(0) @binding(2) var<storage, read> step: array<i32>;
@group(0) @binding(3) var<storage, read> chosen: array<i32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

{{template "codec" .}}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let u = id.x / 4u;
  let o = id.x % 4u;
  if (u >= p.units || id.y >= u32(step[p.n_rows])) { return; }
  var index = step[p.indices + id.y];
  if (index < 0) { index = chosen[-1 - index]; }
  if (index < 0) { index = 0; }
  let in_table = u32(index);
  if (in_table < p.first || in_table >= p.first + p.count) { return; }
  let row = tiled(in_table - p.first);
  let h = o / 2u;
  let g = u / {{.Codec.GroupUnits}}u;
  {{.Codec.Group 0}}
  {{.Codec.Unit 0}}
  {{.Codec.Half 0}}
  {{.Codec.Octet 0}}
  let at = p.out_offset + id.y * p.out_stride + u * 32u + o * 8u;
{{- range $n := seq 0 8}}
  if (u * 32u + o * 8u + {{$n}}u < p.n_embd) { out[at + {{$n}}u] = p.scale * {{$.Codec.Number 0 $n}}; }
{{- end}}
}
