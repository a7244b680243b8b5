// One step of Adam for a parameter, whose formulae are in graph/adam.ts, by its gradient as clipped to the norm of all gradients.
//   squares       [parameters]  sums of squares of all gradients
//   gradient, parameter, mean, square, and their successors: of one size

override BETA1: f32;
override BETA2: f32;
override EPSILON: f32;
override CLIP_NORM: f32;  // 0: gradients are not clipped

struct Step {
  step_size: f32,
  decay: f32,
}

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> squares: array<f32>;
@group(0) @binding(2) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<storage, read> parameter: array<f32>;
@group(0) @binding(4) var<storage, read> mean: array<f32>;
@group(0) @binding(5) var<storage, read> square: array<f32>;
@group(0) @binding(6) var<storage, read_write> new_parameter: array<f32>;
@group(0) @binding(7) var<storage, read_write> new_mean: array<f32>;
@group(0) @binding(8) var<storage, read_write> new_square: array<f32>;

var<workgroup> factor: f32;

// min(1, CLIP_NORM / (norm + 1e-6)), as torch clips.
fn clip_factor() -> f32 {
  if (CLIP_NORM == 0.0) { return 1.0; }
  var sum = 0.0;
  for (var i = 0u; i < arrayLength(&squares); i++) { sum += squares[i]; }
  let limited = CLIP_NORM / (sqrt(sum) + 1e-6);
  return select(limited, 1.0, limited >= 1.0);
}

@compute @workgroup_size(64)
fn update(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  if (thread == 0u) { factor = clip_factor(); }
  workgroupBarrier();
  let i = id.x + id.y * groups.x * 64u;
  if (i >= arrayLength(&parameter)) { return; }
  let g = gradient[i] * factor;
  let m = mean[i] * BETA1 + g * (1.0 - BETA1);
  let w = square[i] * BETA2 + g * g * (1.0 - BETA2);
  new_mean[i] = m;
  new_square[i] = w;
  new_parameter[i] = parameter[i] * step.decay - m / (sqrt(w) + EPSILON) * step.step_size;
}
