// Attention of one row and head over one page of its sequence (the split of
// flash decoding): the greatest score, the sum of the exponentials relative to
// it, and the values weighted by them. attention_combine joins the pages.
//
// A thread does a whole (row, head, page): first the scores of all 32 tokens, in
// eight vectors, then the result, a few elements at a time. Loops over a head's
// elements are loops, whatever its size: software drivers do not survive the
// text of a large head unrolled.
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
{{- range $t := seq 0 8}}
  var s{{$t}} = vec4<f32>();
{{- end}}
  for (var i = 0u; i < {{div .HeadDim 4}}u; i++) {
    let part = query[q + i] * p.scale;
{{- range $t := seq 0 8}}
{{- if $.CacheF32}}{{range $n := seq 0 4}}
    s{{$t}} = fma(bitcast<vec4<f32>>(keys[at + i * 32u + {{add (mul $n 8) $t}}u]), vec4<f32>(part[{{$n}}]), s{{$t}});
{{- end}}{{else}}{{range $n := seq 0 2}}
    {
      let words = keys[at + i * 16u + {{add (mul $n 8) $t}}u];
      let a = unpack2x16float(words.x);
      let b = unpack2x16float(words.y);
      let c = unpack2x16float(words.z);
      let d = unpack2x16float(words.w);
      s{{$t}} = fma(vec4<f32>(a.x, b.x, c.x, d.x), vec4<f32>(part[{{mul $n 2}}]), s{{$t}});
      s{{$t}} = fma(vec4<f32>(a.y, b.y, c.y, d.y), vec4<f32>(part[{{add (mul $n 2) 1}}]), s{{$t}});
    }
{{- end}}{{end}}{{end}}
  }
  // A slot that no token was written to may hold anything: what is not seen is
  // replaced before it counts.
  var greatest = -1e30;
{{- range $t := seq 0 8}}
  let token{{$t}} = vec4<u32>(base + {{mul $t 4}}u) + vec4<u32>(0u, 1u, 2u, 3u);
  let seen{{$t}} = (token{{$t}} >= vec4<u32>(start)) & (token{{$t}} < vec4<u32>(end));
  if (p.soft_cap != 0.0) { s{{$t}} = p.soft_cap * tanh(clamp(s{{$t}} / p.soft_cap, vec4<f32>(-20.0), vec4<f32>(20.0))); }
  s{{$t}} = select(vec4<f32>(-1e30), s{{$t}}, seen{{$t}});
  greatest = max(greatest, max(max(s{{$t}}.x, s{{$t}}.y), max(s{{$t}}.z, s{{$t}}.w)));
{{- end}}
  var sum = 0.0;
{{- range $t := seq 0 8}}
  s{{$t}} = select(vec4<f32>(0.0), exp(s{{$t}} - greatest), seen{{$t}});
  sum += (s{{$t}}.x + s{{$t}}.y) + (s{{$t}}.z + s{{$t}}.w);
{{- end}}
  // [row][head][chunk]: the result, then greatest and sum.
  let result = ((id.y * p.head_count + head) * p.chunks + chunk) * {{add (div .HeadDim 4) 1}}u;
{{- if .CacheF32}}
  for (var i = 0u; i < {{div .HeadDim 4}}u; i++) {
    var a = vec4<f32>();
    for (var n = 0u; n < 4u; n++) {
{{- range $t := seq 0 8}}
      a = fma(select(vec4<f32>(), bitcast<vec4<f32>>(values[at + ({{mul $t 4}}u + n) * {{div $.HeadDim 4}}u + i]), vec4<bool>(s{{$t}}[n] > 0.0)), vec4<f32>(s{{$t}}[n]), a);
{{- end}}
    }
    partials[result + i] = a;
  }
{{- else}}
  for (var i = 0u; i < {{div .HeadDim 8}}u; i++) {
    var a = vec4<f32>();
    var b = vec4<f32>();
    for (var n = 0u; n < 4u; n++) {
{{- range $t := seq 0 8}}
      {
        let w = vec4<f32>(s{{$t}}[n]);
        let v = select(vec4<u32>(), values[at + ({{mul $t 4}}u + n) * {{div $.HeadDim 8}}u + i], w > vec4<f32>(0.0));
        a = fma(vec4<f32>(unpack2x16float(v.x), unpack2x16float(v.y)), w, a);
        b = fma(vec4<f32>(unpack2x16float(v.z), unpack2x16float(v.w)), w, b);
      }
{{- end}}
    }
    partials[result + i * 2u] = a;
    partials[result + i * 2u + 1u] = b;
  }
{{- end}}
  partials[result + {{div .HeadDim 4}}u] = vec4<f32>(greatest, sum, 0.0, 0.0);
}
