// out[t, r] = sum over k of x[t, k] * weights[r, k] (+ bias[r])
//
// A thread owns {{.Vectors}} x 4 adjacent rows and {{.Columns}} columns (rows of x). The sum over
// k is taken in groups of units: slice s of {{.Slices}} takes groups s, s + {{.Slices}}, ..., and
// the slices are added in order at the end. That order is the same for every
// tile size, so a row of x gives the same sums alone and in any batch.
//
// Vectors, Columns: the tile. Lanes: threads over rows. Slices: threads over k.
// Bias: 1 when a bias is added. Bounded: 1 when what a tile has past the step's
// columns is not written: something else may be behind them. Experts: 0, or 1
// when each column has a matrix of its own, that of its expert; there is one
// column to a thread then. Adapted: 0, or the parts of a bank, of which each column
// may have an adapter: B times what adapter_down made of the column is added.
{{template "types"}}

struct Params {
  {{template "weight_params"}}
  n_out: u32,      // rows of this part, in F, padded
  x_offset: u32,   // in vec4
  x_stride: u32,
  out_offset: u32, // in vec4, of this part's first row
  out_stride: u32,
  bias_offset: u32,
  n_in: u32,       // in vec4
  row0: u32,       // the first row of this product in the part, in F
  columns: u32,    // where the step's number of columns is
{{- if .Experts}}
  first: u32,      // first expert of this part
  count: u32,      // experts in this part
  distance: u32,   // between two experts, in W
  share: u32,      // columns that read the same row of x
{{- end}}
{{- if .Adapted}}
  bank_row: u32,   // the first row of this part in the bank, in F
  adapters: u32,   // where those of the columns are in the step
  scales: u32,
  rank: u32,
  narrow_stride: u32,
  bank_width: u32, // in F
  second: u32,     // where the second and the third part of the bank begin, in F
  third: u32,
{{- end}}
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> weights: array<W>;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<F>;
{{- if .Bias}}
@group(0) @binding(4) var<storage, read> bias: array<F>;
{{- end}}
{{- if or .Bounded .Adapted}}
@group(0) @binding({{add 4 .Bias}}) var<storage, read> step: array<u32>;
{{- end}}
{{- if .Adapted}}
@group(0) @binding({{add 5 .Bias}}) var<storage, read> up: array<F>;
@group(0) @binding({{add 6 .Bias}}) var<storage, read> narrow: array<f32>;
{{- end}}
{{- if .Experts}}
@group(0) @binding(4) var<storage, read> routes: array<vec2<u32>>; // expert, weight
{{- end}}
{{- if gt .Slices 1}}
var<workgroup> partial: array<F, {{mul (mul .Lanes .Slices) (mul .Vectors .Columns)}}>;
{{- end}}

{{template "codec" .}}
{{- if .Adapted}}

// What the adapter of a column adds to four rows.
fn adapted(column: u32, first_row: u32) -> F {
  if (column >= step[p.columns]) { return F(); }
  let slot = bitcast<i32>(step[p.adapters + column]);
  if (slot < 0) { return F(); }
  let row = p.bank_row + first_row;
  var at = column * p.narrow_stride;
{{- if gt .Adapted 1}}
  at += select(select(0u, p.rank, row >= p.second), 2u * p.rank, row >= p.third);
{{- end}}
  let matrix = u32(slot) * p.rank * p.bank_width + row;
  var sum = F();
  for (var r = 0u; r < p.rank; r++) { sum += up[matrix + r * p.bank_width] * narrow[at + r]; }
  return bitcast<f32>(step[p.scales + column]) * sum;
}
{{- end}}

@compute @workgroup_size({{.Lanes}}, {{.Slices}})
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let lane = (workgroup.x + workgroup.z * 32768u) * {{.Lanes}}u + local.x;
  let column = workgroup.y * {{.Columns}}u;
{{- if .Experts}}
  let expert = routes[column].x - p.first; // wraps around below the first
  let first_row = lane * {{.Vectors}}u;
  let live = first_row < p.n_out && expert < p.count;
  let row = expert * p.distance + tiled(first_row);
{{- else}}
  let first_row = lane * {{.Vectors}}u;
  let live = first_row < p.n_out;
  let row = tiled(first_row + p.row0);
{{- end}}
{{- range $c := seq 0 .Columns}}
  let x{{$c}} = p.x_offset + (column + {{$c}}u){{if $.Experts}} / p.share{{end}} * p.x_stride;
{{- range $r := seq 0 $.Vectors}}
  var total{{$c}}_{{$r}} = F();
{{- end}}{{end}}
  let groups = select(0u, (p.units + {{.Codec.GroupUnits}}u - 1u) / {{.Codec.GroupUnits}}u, live);
  for (var g = local.y; g < groups; g += {{.Slices}}u) {
{{- range $r := seq 0 .Vectors}}
    {{$.Codec.Group $r}}
{{- end}}
    let last = min((g + 1u) * {{.Codec.GroupUnits}}u, p.units);
    for (var u = g * {{.Codec.GroupUnits}}u; u < last; u++) {
{{- range $r := seq 0 .Vectors}}
      {{$.Codec.Unit $r}}
{{- end}}
{{- if .Codec.HalfScales}}
      for (var h = 0u; h < 2u; h++) {
{{- range $r := seq 0 .Vectors}}
        {{$.Codec.Half $r}}
{{- end}}
        {{template "sums" .}}
        for (var o = h * 2u; o < h * 2u + 2u; o++) {
          {{template "octet" .}}
        }
        {{template "finish" .}}
      }
{{- else}}
      {{template "sums" .}}
      // One loop over the octets, not halves of two: software adapters pay for
      // each turn of a loop.
      for (var o = 0u; o < 4u; o++) {
        {{template "octet" .}}
      }
      {{template "finish" .}}
{{- end}}
    }
  }
{{- if gt .Slices 1}}
  let place = (local.y * {{.Lanes}}u + local.x) * {{mul .Vectors .Columns}}u;
{{- range $c := seq 0 .Columns}}{{range $r := seq 0 $.Vectors}}
  partial[place + {{add (mul $c $.Vectors) $r}}u] = total{{$c}}_{{$r}};
{{- end}}{{end}}
  workgroupBarrier();
  // Each thread adds up some of the sums, over the slices in order.
  for (var i = local.y; i < {{mul .Vectors .Columns}}u; i += {{.Slices}}u) {
    let c = i / {{.Vectors}}u;
    let r = i % {{.Vectors}}u;
    var sum = partial[local.x * {{mul .Vectors .Columns}}u + i];
    for (var s = 1u; s < {{.Slices}}u; s++) {
      sum += partial[(s * {{.Lanes}}u + local.x) * {{mul .Vectors .Columns}}u + i];
    }
    if (live && first_row + r < p.n_out{{if .Bounded}} && column + c < step[p.columns]{{end}}) {
      out[p.out_offset + (column + c) * p.out_stride + first_row + r] = sum{{if .Bias}} + bias[p.bias_offset + first_row + r]{{end}}
        {{- if .Adapted}} + adapted(column + c, first_row + r){{end}};
    }
  }
{{- else}}
{{- range $r := seq 0 .Vectors}}
  if (live && first_row + {{$r}}u < p.n_out) {
{{- range $c := seq 0 $.Columns}}
    {{if $.Bounded}}if (column + {{$c}}u < step[p.columns]) { {{end}}out[p.out_offset + (column + {{$c}}u) * p.out_stride + first_row + {{$r}}u] = total{{$c}}_{{$r}}{{if $.Bias}} + bias[p.bias_offset + first_row + {{$r}}u]{{end}}{{if $.Adapted}} + adapted(column + {{$c}}u, first_row + {{$r}}u){{end}};{{if $.Bounded}} }{{end}}
{{- end}}
  }
{{- end}}
{{- end}}
}

{{define "sums"}}
{{- range $c := seq 0 .Columns}}
      var sum{{$c}} = 0.0;
{{- range $r := seq 0 $.Vectors}}
      var dot{{$c}}_{{$r}} = F();
{{- end}}{{end}}
{{- end}}

{{define "finish"}}
{{- range $c := seq 0 .Columns}}{{range $r := seq 0 $.Vectors}}
      total{{$c}}_{{$r}} += {{$.Codec.Finish $r (printf "dot%d_%d" $c $r) (printf "sum%d" $c)}};
{{- end}}{{end}}
{{- end}}

{{define "octet"}}
{{- range $r := seq 0 .Vectors}}
          {{$.Codec.Octet $r}}
{{- end}}
{{- range $half := seq 0 2}}
{{- range $c := seq 0 $.Columns}}
{{- if $.Codec.Plain}}
          // The last unit of a plain row may be short.
          let a{{$c}}_{{$half}} = select(vec4<f32>(), x[x{{$c}} + u * 8u + o * 2u + {{$half}}u], u * 8u + o * 2u + {{$half}}u < p.n_in);
{{- else}}
          let a{{$c}}_{{$half}} = x[x{{$c}} + u * 8u + o * 2u + {{$half}}u];
{{- end}}
{{- if $.Codec.Shifted}}
          sum{{$c}} += ((a{{$c}}_{{$half}}.x + a{{$c}}_{{$half}}.y) + (a{{$c}}_{{$half}}.z + a{{$c}}_{{$half}}.w));
{{- end}}{{end}}
{{- range $n := seq 0 4}}
{{- range $r := seq 0 $.Vectors}}
          let q{{$half}}_{{$n}}_{{$r}} = {{$.Codec.Value $r (add (mul $half 4) $n)}};
{{- range $c := seq 0 $.Columns}}
          dot{{$c}}_{{$r}} = fma(q{{$half}}_{{$n}}_{{$r}}, F(a{{$c}}_{{$half}}[{{$n}}]), dot{{$c}}_{{$r}});
{{- end}}{{end}}{{end}}{{end}}
{{- end}}
