// Writes and clears chunks of a memory bank whose slots form a ring (specification sections 5 and 6).
//   keys, values  [heads*P, c*W]    the chunk of head h of a table in slot s is row h*P + s: c vectors of W words
//   mean_keys     [heads, D+1, P]   column s: the mean key, then 0 for a stored chunk and the empty score for an empty slot
//   new_keys, new_values [N, H*D]   tokens in order: bits of float32
//   refusals      [3, 2]           of keys, values and mean keys that cannot be stored: the first element, the largest size's bits
// What is stored has the bits of eight_bits.ts and of a Float16Array: WGSL leaves to an adapter how packing rounds, how exact a quotient
// is, and whether it takes the smallest numbers for 0.

override H: u32;
override D: u32;
override P: u32;
override C: u32;       // tokens of a chunk
override TYPE: u32;    // of what is kept: 0 float32, 1 float16, 2 int8 with a scale for each key and value of a head
override PACKED: bool; // whether words are those of packed_vectors.ts, else each is a number in float32
override W: u32;       // words of a vector
override PER_WORD: u32;      // numbers of a word
override FIRST_WORD: u32;    // the first word that has numbers
override REFUSED_SIZE: u32;  // bits of the least size that cannot be stored

struct Range {
  table_head: u32,   // of a table, the first one
  head: u32,         // likewise, of the bank
  heads: u32,
  start: u32,        // first slot
  count: u32,        // chunks
  first_token: u32,  // of the source
  empty_score: f32,
}

@group(0) @binding(0) var<uniform> range: Range;
@group(0) @binding(1) var<storage, read_write> keys: array<u32>;
@group(0) @binding(2) var<storage, read_write> values: array<u32>;
@group(0) @binding(3) var<storage, read_write> mean_keys: array<f32>;
@group(0) @binding(4) var<storage, read> new_keys: array<u32>;
@group(0) @binding(5) var<storage, read> new_values: array<u32>;

@group(0) @binding(6) var<storage, read_write> refusals: array<atomic<u32>, 6>;

const key = 0u;
const value = 1u;
fn new_bits(kind: u32, element: u32) -> u32 {
  if (kind == key) { return new_keys[element]; }
  return new_values[element];
}

fn size_bits(bits: u32) -> u32 { return bits & 0x7fffffffu; }

// The nearest float16, of two as near the even one.
fn half_of(bits: u32) -> u32 {
  let sign = (bits >> 16u) & 0x8000u;
  let size = min(size_bits(bits), 0x477fe000u);  // 65504: larger ones round to it or are refused
  if (size >= 0x38800000u) {  // 2^-14, the least normal one
    return sign | (((size + 0xfffu + ((size >> 13u) & 1u)) >> 13u) - 0x1c000u);
  }
  let exponent = size >> 23u;
  if (exponent < 102u) { return sign; }  // below 2^-25, half of the least one
  let shift = 126u - exponent;
  let significand = (size & 0x7fffffu) | 0x800000u;
  let whole = significand >> shift;
  let rest = significand & ((1u << shift) - 1u);
  let middle = 1u << (shift - 1u);
  return sign | (whole + select(0u, 1u, rest > middle || (rest == middle && (whole & 1u) == 1u)));
}

// Bits of the scale of a vector of this largest size: a 127th in float32, rounded up to 16 significant bits; 0 below 2^-120.
fn scale_of(largest: u32) -> u32 {
  var exponent = largest >> 23u;
  if (exponent < 8u) { return 0u; }
  exponent -= 7u;
  var dividend = ((largest & 0x7fffffu) | 0x800000u) << 7u;
  if (dividend / 127u >= 0x1000000u) {
    dividend >>= 1u;
    exponent += 1u;
  }
  let quotient = dividend / 127u + select(0u, 1u, dividend % 127u > 63u);
  let bits = ((exponent << 23u) + (quotient - 0x800000u) + 0xffu) & 0xffffff00u;
  return select(bits, 0u, bits < 0x03800000u);
}

// The integer nearest to x / scale, of two as near the larger one. A scale has 16 significant bits, so that its multiples have no error.
fn code_of(x: f32, scale: f32) -> i32 {
  if (scale == 0.0) { return 0; }
  var code = floor(x / scale + 0.5);
  if (x < (code - 0.5) * scale) { code -= 1.0; }
  if (x >= (code + 0.5) * scale) { code += 1.0; }
  return i32(code);
}

// Word w of the vector that begins at an element.
fn word_of(kind: u32, first: u32, w: u32) -> u32 {
  if (TYPE == 0u) { return new_bits(kind, first + w); }
  if (TYPE == 1u) {
    let half = half_of(new_bits(kind, first + PER_WORD * w));
    if (!PACKED) { return bitcast<u32>(unpack2x16float(half).x); }
    if (2u * w + 1u >= D) { return half; }
    return half | (half_of(new_bits(kind, first + 2u * w + 1u)) << 16u);
  }
  var largest = 0u;
  for (var d = 0u; d < D; d++) { largest = max(largest, size_bits(new_bits(kind, first + d))); }
  let scale_bits = scale_of(largest);
  let scale = bitcast<f32>(scale_bits);
  if (!PACKED) {
    return bitcast<u32>(f32(code_of(bitcast<f32>(new_bits(kind, first + w)), scale)) * scale);
  }
  if (w < FIRST_WORD) { return scale_bits; }
  var word = 0u;
  let begin = (w - FIRST_WORD) * PER_WORD;
  for (var k = 0u; k < min(PER_WORD, D - begin); k++) {
    let code = code_of(bitcast<f32>(new_bits(kind, first + begin + k)), scale);
    word |= (bitcast<u32>(code) & 0xffu) << (8u * k);
  }
  return word;
}

// Sizes are in the order of their bits, those of infinity and NaN last.
fn check_size(kind: u32, bits: u32, element: u32, least: u32) {
  let size = size_bits(bits);
  if (size < least) { return; }
  atomicMin(&refusals[2u * kind], element);
  atomicMax(&refusals[2u * kind + 1u], size);
}

// Place of an invocation: there is one for each chunk, head and word.
struct Place {
  word: u32,
  head: u32,   // of the range
  chunk: u32,  // of the range
  row: u32,    // of keys and values
  slot: u32,
  begin: u32,  // components of its numbers
  end: u32,
}

fn place_of(i: u32) -> Place {
  let w = i % W;
  let head = (i / W) % range.heads;
  let chunk = i / (W * range.heads);
  let slot = (range.start + chunk) % P;
  var begin = 0u;
  var end = 0u;
  if (w >= FIRST_WORD) {
    begin = (w - FIRST_WORD) * PER_WORD;
    end = min(begin + PER_WORD, D);
  }
  return Place(w, head, chunk, (range.table_head + head) * P + slot, slot, begin, end);
}

fn mean_index(at: Place, d: u32) -> u32 {
  return ((range.table_head + at.head) * (D + 1u) + d) * P + at.slot;
}

@compute @workgroup_size(64)
fn write(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= range.count * range.heads * W) { return; }
  let at = place_of(i);
  let first = (range.first_token + at.chunk * C) * H * D + (range.head + at.head) * D;
  for (var j = 0u; j < C; j++) {
    let target_index = (at.row * C + j) * W + at.word;
    keys[target_index] = word_of(key, first + j * H * D, at.word);
    values[target_index] = word_of(value, first + j * H * D, at.word);
  }
  for (var d = at.begin; d < at.end; d++) {
    var sum = 0.0;
    for (var j = 0u; j < C; j++) {
      let element = first + j * H * D + d;
      check_size(key, new_keys[element], element, REFUSED_SIZE);
      check_size(value, new_values[element], element, REFUSED_SIZE);
      sum += bitcast<f32>(new_keys[element]);
    }
    // A mean is float32 in every storage; its element is that of the chunk's first token.
    check_size(2u, bitcast<u32>(sum), first + d, 0x7f800000u);
    mean_keys[mean_index(at, d)] = sum / f32(C);
  }
  if (at.word == 0u) { mean_keys[mean_index(at, D)] = 0.0; }
}

@compute @workgroup_size(64)
fn clear(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= range.count * range.heads * W) { return; }
  let at = place_of(i);
  for (var j = 0u; j < C; j++) {
    let target_index = (at.row * C + j) * W + at.word;
    keys[target_index] = 0u;
    values[target_index] = 0u;
  }
  for (var d = at.begin; d < at.end; d++) { mean_keys[mean_index(at, d)] = 0.0; }
  if (at.word == 0u) { mean_keys[mean_index(at, D)] = range.empty_score; }
}
