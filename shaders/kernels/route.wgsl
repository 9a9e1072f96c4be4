// Chooses the experts of a row: the Used largest router logits, the lower index
// first among equals, and the softmax over those alone. A thread takes a row.
// Used: experts of a row.
struct Params {
  experts: u32,
  router_offset: u32, // in f32
  router_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> router: array<f32>;
@group(0) @binding(2) var<storage, read_write> routes: array<vec2<u32>>; // [row][Used]: expert, weight

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>) {
  let row = workgroup.y;
  let at = p.router_offset + row * p.router_stride;
  var best = array<f32, {{.Used}}>();
  var last = 0.0;
  var last_id = 0u;
  for (var k = 0u; k < {{.Used}}u; k++) {
    var value = 0.0;
    var id = p.experts;
    for (var e = 0u; e < p.experts; e++) {
      let v = router[at + e];
      let after = k == 0u || v < last || (v == last && e > last_id);
      if (after && (id == p.experts || v > value)) {
        value = v;
        id = e;
      }
    }
    // Only what is no number leaves none: any expert will do.
    id = min(id, p.experts - 1u);
    best[k] = value;
    last = value;
    last_id = id;
    routes[row * {{.Used}}u + k].x = id;
  }
  var sum = 0.0;
  for (var k = 0u; k < {{.Used}}u; k++) { sum += exp(best[k] - best[0]); }
  for (var k = 0u; k < {{.Used}}u; k++) {
    routes[row * {{.Used}}u + k].y = bitcast<u32>(exp(best[k] - best[0]) / sum);
  }
}
