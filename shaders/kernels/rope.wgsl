// Rotates queries and keys by their positions, and stores keys and values in
// the cache of one layer.
//
// A thread takes two elements of one head of one row: of a query, two that are
// rotated together; of a key or a value, two neighbours.
//
// Keys are laid [page][head][word][token] and values [page][head][token][word],
// so that threads over tokens, or over elements, read adjacent words. A word
// has two half floats, or one float.
// NeoX: 1 for pairs (i, i + dimensions / 2). CacheF32: 1 for a float32 cache.
// Joined: 1 when queries, keys and values are in one buffer.
struct Params {
  head_count: u32,
  head_count_kv: u32,
  head_dim: u32,
  dimensions: u32,
  q_offset: u32, // in f32
  q_stride: u32,
  k_offset: u32,
  k_stride: u32,
  v_offset: u32,
  v_stride: u32,
  positions: u32, // where each of these starts in the step
  sequences: u32,
  tables: u32,
  pages: u32,     // of one block table
  n_rows: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> step: array<i32>;
@group(0) @binding(2) var<storage, read> rotations: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> keys: array<u32>;
@group(0) @binding(4) var<storage, read_write> values: array<u32>;
@group(0) @binding(5) var<storage, read_write> query: array<f32>;
{{- if not .Joined}}
@group(0) @binding(6) var<storage, read> key: array<f32>;
@group(0) @binding(7) var<storage, read> value: array<f32>;
{{- end}}
{{- $key := "key"}}{{$value := "value"}}
{{- if .Joined}}{{$key = "query"}}{{$value = "query"}}{{end}}

fn rotate(a: f32, b: f32, angle: vec2<f32>) -> vec2<f32> {
  return vec2<f32>(a * angle.x - b * angle.y, a * angle.y + b * angle.x);
}

fn clamped(v: vec2<f32>) -> u32 {
  return pack2x16float(clamp(v, vec2<f32>(-65504.0), vec2<f32>(65504.0)));
}

fn store_key(head: u32, page: u32, token: u32, element: u32, v: vec2<f32>) {
  let at = (page * p.head_count_kv + head) * p.head_dim;
{{- if .CacheF32}}
  keys[(at + element) * 32u + token] = bitcast<u32>(v.x);
  keys[(at + element + 1u) * 32u + token] = bitcast<u32>(v.y);
{{- else}}
  keys[((at + element) >> 1u) * 32u + token] = clamped(v);
{{- end}}
}

fn store_value(head: u32, page: u32, token: u32, element: u32, v: vec2<f32>) {
  let at = ((page * p.head_count_kv + head) * 32u + token) * p.head_dim + element;
{{- if .CacheF32}}
  values[at] = bitcast<u32>(v.x);
  values[at + 1u] = bitcast<u32>(v.y);
{{- else}}
  values[at >> 1u] = clamped(v);
{{- end}}
}

// Element e of a head of keys, rotated.
fn key_element(at: u32, e: u32, angles: u32) -> f32 {
  let v = {{$key}}[at + e];
  if (e >= p.dimensions) { return v; }
{{- if .NeoX}}
  let pairs = p.dimensions >> 1u;
  if (e < pairs) { return rotate(v, {{$key}}[at + e + pairs], rotations[angles + e]).x; }
  return rotate({{$key}}[at + e - pairs], v, rotations[angles + e - pairs]).y;
{{- else}}
  let angle = rotations[angles + (e >> 1u)];
  if ((e & 1u) == 0u) { return rotate(v, {{$key}}[at + e + 1u], angle).x; }
  return rotate({{$key}}[at + e - 1u], v, angle).y;
{{- end}}
}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let pairs = p.head_dim >> 1u;
  var head = id.x / pairs;
  let pair = id.x % pairs;
  let row = id.y;
  if (head >= p.head_count + 2u * p.head_count_kv || row >= u32(step[p.n_rows])) { return; }
  let position = u32(step[p.positions + row]);
  let angles = position * (p.dimensions >> 1u);

  if (head < p.head_count) {
    if (pair >= (p.dimensions >> 1u)) { return; }
    let at = p.q_offset + row * p.q_stride + head * p.head_dim;
{{- if .NeoX}}
    let first = at + pair;
    let second = first + (p.dimensions >> 1u);
{{- else}}
    let first = at + pair * 2u;
    let second = first + 1u;
{{- end}}
    let rotated = rotate(query[first], query[second], rotations[angles + pair]);
    query[first] = rotated.x;
    query[second] = rotated.y;
    return;
  }

  let page = u32(step[p.tables + u32(step[p.sequences + row]) * p.pages + (position >> 5u)]);
  let token = position & 31u;
  let element = pair * 2u;
  head -= p.head_count;
  if (head < p.head_count_kv) {
    let at = p.k_offset + row * p.k_stride + head * p.head_dim;
    store_key(head, page, token, element, vec2<f32>(key_element(at, element, angles), key_element(at, element + 1u, angles)));
    return;
  }
  head -= p.head_count_kv;
  let at = p.v_offset + row * p.v_stride + head * p.head_dim + element;
  store_value(head, page, token, element, vec2<f32>({{$value}}[at], {{$value}}[at + 1u]));
}
