// out = x + y. A thread takes four elements.
// XInOut, YInOut: 1 when x, y is in the buffer of out, which is bound once.
struct Params {
  width: u32, // in vec4, as all that follow
  x_offset: u32,
  x_stride: u32,
  y_offset: u32,
  y_stride: u32,
  out_offset: u32,
  out_stride: u32,
}
{{- $x := "x"}}{{$y := "y"}}
{{- if .XInOut}}{{$x = "out"}}{{end}}
{{- if .YInOut}}{{$y = "out"}}{{end}}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;
{{- if not .XInOut}}
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
{{- end}}
{{- if not .YInOut}}
@group(0) @binding({{if .XInOut}}2{{else}}3{{end}}) var<storage, read> y: array<vec4<f32>>;
{{- end}}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= p.width) { return; }
  out[p.out_offset + id.y * p.out_stride + id.x] =
    {{$x}}[p.x_offset + id.y * p.x_stride + id.x] + {{$y}}[p.y_offset + id.y * p.y_stride + id.x];
}
