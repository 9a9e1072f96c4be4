// The last pass of top-k: puts the K best of a row's list in order, by rank.
// Where the list had no room for all (many equal logits), the row itself is
// searched K times.
// K: how many. Room: as in topk_collect. ResultWords: words of a row's result:
// chosen, log-sum-exp, two unused, K ids, K logits.
struct Params {
  width: u32,
  logits_offset: u32, // in f32
  logits_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> bounds: array<u32>;
@group(0) @binding(3) var<storage, read> list: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read_write> results: array<u32>;
var<workgroup> values: array<f32, 64>;
var<workgroup> ids: array<u32, 64>;

const none = 0xffffffffu;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) i: u32) {
  let row = workgroup.y;
  let result = row * {{.ResultWords}}u + 4u;
  let count = bounds[row * 2u + 1u];
  // Fewer elements than K: the rest has no id.
  if (i < {{.K}}u && i >= min(count, p.width)) {
    results[result + i] = none;
    results[result + {{.K}}u + i] = 0xff7fffffu;
  }
  if (count <= {{.Room}}u) {
    for (var a = i; a < count; a += 64u) {
      let element = list[row * {{.Room}}u + a];
      let value = bitcast<f32>(element.y);
      var rank = 0u;
      for (var b = 0u; b < count; b++) {
        let other = list[row * {{.Room}}u + b];
        let other_value = bitcast<f32>(other.y);
        if (other_value > value || (other_value == value && other.x < element.x)) { rank++; }
      }
      if (rank < {{.K}}u) {
        results[result + rank] = element.x;
        results[result + {{.K}}u + rank] = element.y;
      }
    }
    return;
  }
  let at = p.logits_offset + row * p.logits_stride;
  var bar = 0.0;      // the last one found: what follows is less, or equal with a higher id
  var bar_id = 0u;
  for (var k = 0u; k < {{.K}}u; k++) {
    var value = 0.0;
    var id = none;
    for (var e = i; e < p.width; e += 64u) {
      let v = logits[at + e];
      let after = v < bar || (v == bar && e > bar_id) || k == 0u;
      if (after && (id == none || v > value || (v == value && e < id))) {
        value = v;
        id = e;
      }
    }
    values[i] = value;
    ids[i] = id;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half >>= 1u) {
      if (i < half && ids[i + half] != none && (ids[i] == none || values[i + half] > values[i] || (values[i + half] == values[i] && ids[i + half] < ids[i]))) {
        values[i] = values[i + half];
        ids[i] = ids[i + half];
      }
      workgroupBarrier();
    }
    bar = values[0];
    bar_id = ids[0];
    workgroupBarrier();
    if (i == 0u) {
      results[result + k] = bar_id;
      results[result + {{.K}}u + k] = bitcast<u32>(bar);
    }
  }
}
