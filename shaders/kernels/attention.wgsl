// Attention of one row and head over one page of its sequence (the split of
// flash decoding): the greatest score, the sum of the exponentials relative to
// it, and the values weighted by them. attention_combine joins the pages.
//
// A thread does a whole (row, head, page), with the result in registers, four
// tokens at a time.
// HeadDim: elements of a head, a multiple of 8 (4 for a float32 cache).
// CacheF32: 1 for a float32 cache. Lanes: threads of a workgroup.
struct Params {
  head_count: u32,
  head_count_kv: u32,
  q_offset: u32, // in vec4
  q_stride: u32,
  positions: u32, // where each of these starts in the step
  sequences: u32,
  lengths: u32,
  tables: u32,
  pages: u32,     // of one block table
  n_rows: u32,
  chunks: u32,    // pages that a row has room for in partials
  n_chunks: u32,  // where the step's number of pages to look at is
  window: u32,    // 0: none
  bidirectional: u32,
  row0: u32,      // the first row of this block
  scale: f32,
  soft_cap: f32,  // 0: none
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> step: array<i32>;
@group(0) @binding(2) var<storage, read> query: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> keys: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> values: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read_write> partials: array<vec4<f32>>;

@compute @workgroup_size({{.Lanes}})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let head = id.x % p.head_count;
  let chunk = id.x / p.head_count;
  let row = p.row0 + id.y;
  if (row >= u32(step[p.n_rows]) || chunk >= u32(step[p.n_chunks])) { return; }
  let sequence = u32(step[p.sequences + row]);
  // The row sees the tokens [start, end).
  var end = u32(step[p.positions + row]) + 1u;
  var start = 0u;
  if (p.window > 0u && end > p.window) { start = end - p.window; }
  if (p.bidirectional != 0u) {
    end = u32(step[p.lengths + sequence]);
  }
  let base = chunk * 32u;
  if (base >= end || base + 32u <= start) { return; }
  let page = u32(step[p.tables + sequence * p.pages + chunk]);
  let at = (page * p.head_count_kv + head * p.head_count_kv / p.head_count) * {{if .CacheF32}}{{mul .HeadDim 8}}{{else}}{{mul .HeadDim 4}}{{end}}u;
  let q = p.q_offset + row * p.q_stride + head * {{div .HeadDim 4}}u;
{{- range $i := seq 0 (div .HeadDim 4)}}
  var v{{$i}} = vec4<f32>();
{{- end}}
  var greatest = -1e30;
  var sum = 0.0;
  for (var t = (max(start, base) - base) >> 2u; t < (min(end, base + 32u) - base + 3u) >> 2u; t++) {
    // A loop, and not unrolled as the values are: the text of a large head is
    // more than some software drivers compile.
    var score = vec4<f32>();
    for (var i = 0u; i < {{div .HeadDim 4}}u; i++) {
      let part = query[q + i] * p.scale;
{{- if .CacheF32}}{{range $n := seq 0 4}}
      score = fma(bitcast<vec4<f32>>(keys[at + i * 32u + {{mul $n 8}}u + t]), vec4<f32>(part[{{$n}}]), score);
{{- end}}{{else}}{{range $n := seq 0 2}}
      let words{{$n}} = keys[at + i * 16u + {{mul $n 8}}u + t];
      let a{{$n}} = unpack2x16float(words{{$n}}.x);
      let b{{$n}} = unpack2x16float(words{{$n}}.y);
      let c{{$n}} = unpack2x16float(words{{$n}}.z);
      let d{{$n}} = unpack2x16float(words{{$n}}.w);
      score = fma(vec4<f32>(a{{$n}}.x, b{{$n}}.x, c{{$n}}.x, d{{$n}}.x), vec4<f32>(part[{{mul $n 2}}]), score);
      score = fma(vec4<f32>(a{{$n}}.y, b{{$n}}.y, c{{$n}}.y, d{{$n}}.y), vec4<f32>(part[{{add (mul $n 2) 1}}]), score);
{{- end}}{{end}}
    }
    if (p.soft_cap != 0.0) { score = p.soft_cap * tanh(clamp(score / p.soft_cap, vec4<f32>(-20.0), vec4<f32>(20.0))); }
    let token = vec4<u32>(base + t * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
    let seen = (token >= vec4<u32>(start)) & (token < vec4<u32>(end));
    score = select(vec4<f32>(-1e30), score, seen);
    let above = max(greatest, max(max(score.x, score.y), max(score.z, score.w)));
    let fade = exp(greatest - above);
    let weight = select(vec4<f32>(0.0), exp(score - above), seen);
    greatest = above;
    sum = sum * fade + ((weight.x + weight.y) + (weight.z + weight.w));
{{- range $i := seq 0 (div .HeadDim 4)}}
    v{{$i}} *= fade;
{{- end}}
    for (var n = 0u; n < 4u; n++) {
      let w = vec4<f32>(weight[n]);
      // A slot that no token was written to may hold anything: it must not turn
      // a weight of zero into NaN.
      let live = w > vec4<f32>(0.0);
{{- if .CacheF32}}
      let from_row = at + (t * 4u + n) * {{div .HeadDim 4}}u;
{{- range $i := seq 0 (div .HeadDim 4)}}
      v{{$i}} = fma(select(vec4<f32>(), bitcast<vec4<f32>>(values[from_row + {{$i}}u]), live), w, v{{$i}});
{{- end}}
{{- else}}
      let from_row = at + (t * 4u + n) * {{div .HeadDim 8}}u;
{{- range $i := seq 0 (div .HeadDim 8)}}
      let w{{$i}} = select(vec4<u32>(), values[from_row + {{$i}}u], live);
      v{{mul $i 2}} = fma(vec4<f32>(unpack2x16float(w{{$i}}.x), unpack2x16float(w{{$i}}.y)), w, v{{mul $i 2}});
      v{{add (mul $i 2) 1}} = fma(vec4<f32>(unpack2x16float(w{{$i}}.z), unpack2x16float(w{{$i}}.w)), w, v{{add (mul $i 2) 1}});
{{- end}}
{{- end}}
    }
  }
  // [row][head][chunk]: the result, then greatest and sum.
  let result = ((id.y * p.head_count + head) * p.chunks + chunk) * {{add (div .HeadDim 4) 1}}u;
{{- range $i := seq 0 (div .HeadDim 4)}}
  partials[result + {{$i}}u] = v{{$i}};
{{- end}}
  partials[result + {{div .HeadDim 4}}u] = vec4<f32>(greatest, sum, 0.0, 0.0);
}
