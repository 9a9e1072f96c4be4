// The third pass of top-k: collects the elements that reach the bound, in any
// order. The list has room for {{.Room}}; the count goes on past it.
// SliceCount: as in topk_slices. Room: elements of a row's list.
struct Params {
  width: u32,
  logits_offset: u32, // in f32
  logits_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> bounds: array<atomic<u32>>; // bound, count for each row
@group(0) @binding(3) var<storage, read_write> list: array<vec2<u32>>;     // id, logit

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let at = p.logits_offset + id.y * p.logits_stride;
  let bound = bitcast<f32>(atomicLoad(&bounds[id.y * 2u]));
  for (var k = id.x; k < p.width; k += {{.SliceCount}}u) {
    let v = logits[at + k];
    if (v >= bound || bound == -3.4028234e38) {
      let place = atomicAdd(&bounds[id.y * 2u + 1u], 1u);
      if (place < {{.Room}}u) { list[id.y * {{.Room}}u + place] = vec2<u32>(k, bitcast<u32>(v)); }
    }
  }
}
