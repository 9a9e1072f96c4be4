// Draws a token from the candidates of top-k, as package engine/sample does in
// float64. Where float32 cannot tell (the candidates do not hold all that may
// be drawn, or a sum comes too close to a bound) it says no choice, -1, and the
// host finishes the row.
//
// One thread a row. K, ResultWords: as in topk_rank.
struct Params {
  width: u32,    // of the row of logits
  samplers: u32, // where these start in the step, eight words each
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read_write> results: array<u32>;
@group(0) @binding(3) var<storage, read_write> chosen: array<u32>;

const no_choice = 0xffffffffu;
// Relative bound on the error of a float32 sum of {{.K}} exponentials.
const margin = 1e-4;

// The high word of a product (Philox4x32-10, Salmon et al. 2011).
fn high(a: u32, b: u32) -> u32 {
  let ah = a >> 16u;
  let al = a & 0xffffu;
  let bh = b >> 16u;
  let bl = b & 0xffffu;
  let t = ah * bl + ((al * bl) >> 16u);
  let t2 = al * bh + (t & 0xffffu);
  return ah * bh + (t >> 16u) + (t2 >> 16u);
}

// The number in [0, 1) of a seed and a position.
fn uniform_number(seed: vec2<u32>, position: u32) -> f32 {
  var c = vec4<u32>(position, 0u, 0u, 0u);
  var k = seed;
  for (var round = 0u; round < 10u; round++) {
    let h0 = high(0xD2511F53u, c.x);
    let l0 = 0xD2511F53u * c.x;
    let h1 = high(0xCD9E8D57u, c.z);
    let l1 = 0xCD9E8D57u * c.z;
    c = vec4<u32>(h1 ^ c.y ^ k.x, l1, h0 ^ c.w ^ k.y, l0);
    k += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
  }
  return f32(c.x >> 8u) * 5.9604644775390625e-8;
}

fn logit(row: u32, i: u32) -> f32 {
  return bitcast<f32>(results[row * {{.ResultWords}}u + 4u + {{.K}}u + i]);
}

// The index of the candidate drawn, or no_choice.
fn draw(row: u32) -> u32 {
  let at = p.samplers + row * 8u;
  let temperature = bitcast<f32>(step[at]);
  let top_p = bitcast<f32>(step[at + 1u]);
  let min_p = bitcast<f32>(step[at + 2u]);
  let top_k = step[at + 3u];
  if (temperature == 0.0) { return 0u; }
  var count = min({{.K}}u, p.width);
  // closed: nothing past the count can be drawn.
  var closed = count == p.width;
  if (top_k > 0u && top_k <= count) {
    count = top_k;
    closed = true;
  } else if (top_k > 0u && top_k < p.width) {
    return no_choice;
  }
  let best = logit(row, 0u);
  if (top_p > 0.0 && top_p < 1.0) {
    var total = exp(bitcast<f32>(results[row * {{.ResultWords}}u + 1u]) - best);
    if (closed) {
      total = 0.0;
      for (var i = 0u; i < count; i++) { total += exp(logit(row, i) - best); }
    }
    let goal = top_p * total;
    var sum = 0.0;
    var n = 0u;
    loop {
      if (n == count) { break; }
      sum += exp(logit(row, n) - best);
      n++;
      if (abs(sum - goal) <= margin * total) { return no_choice; }
      if (sum > goal) { break; }
    }
    if (sum <= goal && !closed) { return no_choice; }
    count = n;
    closed = true;
  }
  if (min_p > 0.0) {
    let floor = log(min_p);
    var n = 1u; // the best is never less likely than itself
    loop {
      if (n == count) { break; }
      let below = logit(row, n) - best - floor;
      if (abs(below) <= margin) { return no_choice; }
      if (below < 0.0) { break; }
      n++;
    }
    if (n == count && !closed) { return no_choice; }
    count = n;
    closed = true;
  }
  var total = exp(bitcast<f32>(results[row * {{.ResultWords}}u + 1u]) - best);
  if (closed) {
    total = 0.0;
    for (var i = 0u; i < count; i++) { total += exp((logit(row, i) - best) / temperature); }
  } else if (temperature != 1.0) {
    return no_choice;
  }
  let goal = uniform_number(vec2<u32>(step[at + 4u], step[at + 5u]), step[at + 6u]) * total;
  var sum = 0.0;
  for (var i = 0u; i < count; i++) {
    sum += exp((logit(row, i) - best) / temperature);
    if (abs(sum - goal) <= margin * total) { return no_choice; }
    if (sum > goal) { return i; }
  }
  return no_choice;
}

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>) {
  let row = workgroup.y;
  let i = draw(row);
  var id = no_choice;
  if (i != no_choice) { id = results[row * {{.ResultWords}}u + 4u + i]; }
  results[row * {{.ResultWords}}u] = id;
  chosen[row] = id;
}
