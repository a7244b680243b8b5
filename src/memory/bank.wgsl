// Writes and clears chunks of a memory bank whose slots form a ring (specification sections 5 and 6).
//   keys, values  [G*H*P, c*D]      chunk c of head h of bank g in slot s is row (g*H + h)*P + s
//   mean_keys     [G, H, D+1, P]    column s: the mean key, then 0 for a stored chunk and the empty score for an empty slot
//   new_keys, new_values [N, H*D]   tokens in order
//   refusals      [3, 2]           of keys, values and mean keys that cannot be stored: the first element, the largest size's bits

override H: u32;
override D: u32;
override P: u32;
override C: u32;       // tokens of a chunk
override TYPE: u32;    // of what is kept: 0 float32, 1 float16, 2 int8 with a scale for each key and value of a head
override REFUSED_SIZE: u32;  // bits of the least size that cannot be stored

struct Range {
  bank: u32,
  start: u32,        // first slot
  count: u32,        // chunks
  first_token: u32,  // of the source
  empty_score: f32,
}

@group(0) @binding(0) var<uniform> range: Range;
@group(0) @binding(1) var<storage, read_write> keys: array<f32>;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> mean_keys: array<f32>;
@group(0) @binding(4) var<storage, read> new_keys: array<f32>;
@group(0) @binding(5) var<storage, read> new_values: array<f32>;

@group(0) @binding(6) var<storage, read_write> refusals: array<atomic<u32>, 6>;

// The number that takes the place of x; `scale` is that of its vector.
fn stored(x: f32, scale: f32) -> f32 {
  // Packing what float16 rounds to infinity gives any number.
  if (TYPE == 1u) { return unpack2x16float(pack2x16float(vec2(clamp(x, -65504.0, 65504.0), 0.0))).x; }
  if (TYPE == 2u) { return select(0.0, floor(x / scale + 0.5) * scale, scale > 0.0); }
  return x;
}

// The scale of a vector of this largest size, as eight_bits.ts has it: rounded up to 16 significant bits.
fn scale_of(largest: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(largest / 127.0) + 0xffu) & 0xffffff00u);
}

// Sizes are in the order of their bits, those of infinity and NaN last; comparing NaN itself may be optimised away.
fn check_size(kind: u32, x: f32, element: u32, least: u32) {
  let size = bitcast<u32>(x) & 0x7fffffffu;
  if (size < least) { return; }
  atomicMin(&refusals[2u * kind], element);
  atomicMax(&refusals[2u * kind + 1u], size);
}

// One invocation for each chunk, head and component.
@compute @workgroup_size(64)
fn write(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= range.count * H * D) { return; }
  let d = i % D;
  let h = (i / D) % H;
  let chunk = i / (D * H);
  let head = range.bank * H + h;
  let slot = (range.start + chunk) % P;
  var sum = 0.0;
  for (var j = 0u; j < C; j++) {
    let source = (range.first_token + chunk * C + j) * H * D + h * D + d;
    let target_index = (head * P + slot) * C * D + j * D + d;
    var largest = vec2(0.0);  // of the key and the value
    if (TYPE == 2u) {
      for (var e = source - d; e < source - d + D; e++) {
        largest = max(largest, abs(vec2(new_keys[e], new_values[e])));
      }
    }
    keys[target_index] = stored(new_keys[source], scale_of(largest.x));
    values[target_index] = stored(new_values[source], scale_of(largest.y));
    check_size(0u, new_keys[source], source, REFUSED_SIZE);
    check_size(1u, new_values[source], source, REFUSED_SIZE);
    sum += new_keys[source];
  }
  // A mean is float32 in every storage; its element is that of the chunk's first token.
  let first = (range.first_token + chunk * C) * H * D + h * D + d;
  check_size(2u, sum, first, 0x7f800000u);
  mean_keys[(head * (D + 1u) + d) * P + slot] = sum / f32(C);
  if (d == 0u) { mean_keys[(head * (D + 1u) + D) * P + slot] = 0.0; }
}

@compute @workgroup_size(64)
fn clear(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= range.count * H * D) { return; }
  let d = i % D;
  let h = (i / D) % H;
  let head = range.bank * H + h;
  let slot = (range.start + i / (D * H)) % P;
  for (var j = 0u; j < C; j++) {
    let target_index = (head * P + slot) * C * D + j * D + d;
    keys[target_index] = 0.0;
    values[target_index] = 0.0;
  }
  mean_keys[(head * (D + 1u) + d) * P + slot] = 0.0;
  if (d == 0u) { mean_keys[(head * (D + 1u) + D) * P + slot] = range.empty_score; }
}
