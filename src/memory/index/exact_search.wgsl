// Exact retrieval (specification section 7), for a block of queries of several heads at a time:
//   score   inner products of the queries with the mean keys of all slots of their head, as ranks
//   choose  the n slots of the highest ranks of every query, best first; equal ranks: the lower slot comes first
//
//   queries       [B*H, T, D]
//   mean_keys     [G*H, D+1, P]    row D: 0 for stored chunks, the empty score for empty slots; G is 1 or B; the heads of one table
//   ranks         [heads of the block, queries of the block, P]
//   ids, scores   [B*H, T, n]      rows of the bank's keys and values; scores as bits of float32

override D: u32;
override P: u32;
override N: u32;
override HEADS: u32;  // G*H
override TABLE_HEADS: u32;
override STRETCHES: u32;  // of slots, one after the other: a dispatch may have too few workgroups along one axis for all of them

// Sizes of memory that a workgroup shares. OpenGL's shaders fill it with zeros element by element, and their compilers take minutes
// for thousands of elements, so that there is a small set of sizes for them.
override COMPONENTS: u32;  // components at a time, at most 16
override QUERY_TILE: u32;  // COMPONENTS * query_stride
override KEY_TILE: u32;    // COMPONENTS * side
override DIGIT_BITS: u32;
override DIGITS: u32;      // 2^DIGIT_BITS
override THREADS: u32;     // of a workgroup that chooses

struct Block {
  first_head: u32,   // of B*H
  first_query: u32,  // of T
  queries: u32,      // of each head
  context: u32,      // T
}

@group(0) @binding(0) var<uniform> block: Block;
@group(0) @binding(1) var<storage, read> queries: array<f32>;
@group(0) @binding(2) var<storage, read> mean_keys: array<f32>;
@group(0) @binding(3) var<storage, read_write> new_ranks: array<u32>;
@group(0) @binding(4) var<storage, read> ranks: array<u32>;
@group(0) @binding(5) var<storage, read_write> ids: array<i32>;
@group(0) @binding(6) var<storage, read_write> scores: array<u32>;

// Ranks are integers in the order of scores. Adapters differ in whether they keep numbers below float32's normal ones,
// so those are 0 here, as is -0; what is no number at all is below -infinity.
fn rank_of(score: f32) -> u32 {
  let bits = bitcast<u32>(score);
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return 0u; }
  if (magnitude < 0x00800000u) { return 0x80000000u; }
  if (bits == magnitude) { return bits | 0x80000000u; }
  return ~bits;
}

// The score's bits: 0xffffffff, which is no number, for rank 0.
fn score_bits(rank: u32) -> u32 {
  if (rank >= 0x80000000u) { return rank & 0x7fffffffu; }
  return ~rank;
}

// A workgroup scores 64 queries against 64 slots, some components at a time; an invocation 4 queries against 4 slots, which
// lie 16 apart so that neighbouring invocations read and write neighbouring slots.
const tile = 64u;
const side = 16u;          // invocations along queries, and along slots
const query_stride = 17u;  // not 16, so that invocations that write a column meet different memory banks
var<workgroup> query_tile: array<vec4f, QUERY_TILE>;  // [component, query_stride]: queries i, i + 16, i + 32, i + 48
var<workgroup> key_tile: array<vec4f, KEY_TILE>;      // [component, side]: slots, likewise

fn query_component(head: u32, query: u32, d: u32) -> f32 {
  if (query >= block.queries || d >= D) { return 0.0; }
  return queries[(head * block.context + block.first_query + query) * D + d];
}

fn mean_key(head: u32, slot: u32, d: u32) -> f32 {
  return mean_keys[((head % HEADS % TABLE_HEADS) * (D + 1u) + d) * P + slot];
}

fn key_component(head: u32, slot: u32, d: u32) -> f32 {
  if (slot >= P || d >= D) { return 0.0; }
  return mean_key(head, slot, d);
}

fn write_score(head: u32, query: u32, slot: u32, sum: f32) {
  if (query >= block.queries || slot >= P) { return; }
  let row = (head - block.first_head) * block.queries + query;
  new_ranks[row * P + slot] = rank_of(sum + mean_key(head, slot, D));
}

fn write_scores(head: u32, query: u32, slot: u32, sums: vec4f) {
  write_score(head, query, slot, sums.x);
  write_score(head, query, slot + side, sums.y);
  write_score(head, query, slot + 2u * side, sums.z);
  write_score(head, query, slot + 3u * side, sums.w);
}

@compute @workgroup_size(16, 16)
fn score(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let head = block.first_head + group.z / STRETCHES;
  let query = group.x * tile + local.y;  // of the block
  let slot = ((group.z % STRETCHES) * groups.y + group.y) * tile + local.x;

  // One of each query. Not an array, as compilers may keep those outside of registers.
  var sums0 = vec4f();
  var sums1 = vec4f();
  var sums2 = vec4f();
  var sums3 = vec4f();
  for (var first = 0u; first < D; first += COMPONENTS) {
    if (local.x < COMPONENTS) {
      let d = first + local.x;
      query_tile[local.x * query_stride + local.y] = vec4f(
        query_component(head, query, d),
        query_component(head, query + side, d),
        query_component(head, query + 2u * side, d),
        query_component(head, query + 3u * side, d),
      );
    }
    if (local.y < COMPONENTS) {
      let d = first + local.y;
      key_tile[local.y * side + local.x] = vec4f(
        key_component(head, slot, d),
        key_component(head, slot + side, d),
        key_component(head, slot + 2u * side, d),
        key_component(head, slot + 3u * side, d),
      );
    }
    workgroupBarrier();
    for (var d = 0u; d < COMPONENTS; d++) {
      let q = query_tile[d * query_stride + local.y];
      let k = key_tile[d * side + local.x];
      sums0 += q.x * k;
      sums1 += q.y * k;
      sums2 += q.z * k;
      sums3 += q.w * k;
    }
    workgroupBarrier();
  }
  write_scores(head, query, slot, sums0);
  write_scores(head, query + side, slot, sums1);
  write_scores(head, query + 2u * side, slot, sums2);
  write_scores(head, query + 3u * side, slot, sums3);
}

// One workgroup for each query finds the n largest of P numbers of 56 bits: the rank, then the slot counted from behind,
// so that no two are equal. The n-th largest is found digit by digit, from a histogram of the digits of those numbers that
// agree with it so far. This ends as soon as all of them are among the n largest: after two of six digits of 11 bits where no
// scores are almost equal.
const last_place = 16777215u;  // 2^24 - 1
var<workgroup> histogram: array<atomic<u32>, DIGITS>;
var<workgroup> counts: array<u32, THREADS>;  // of numbers whose digit is among those of a thread, or above them
var<workgroup> found: vec3u;             // a digit, how many numbers have a larger one, how many have this one
var<workgroup> taken: atomic<u32>;
var<workgroup> best: array<vec2u, N>;

fn number_of(row: u32, slot: u32) -> vec2u {
  return vec2u(ranks[row * P + slot], last_place - slot);
}

@compute @workgroup_size(THREADS)
fn choose(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = group.y * block.queries + group.x;
  var nth = vec2u();    // the digits of the n-th largest number that are known,
  var known = vec2u();  // and their bits
  var wanted = N;       // how many numbers that agree with it are among the n largest
  let rank_digits = (32u + DIGIT_BITS - 1u) / DIGIT_BITS;
  let all_digits = rank_digits + (24u + DIGIT_BITS - 1u) / DIGIT_BITS;
  let own_digits = DIGITS / THREADS;
  for (var position = 0u; position < all_digits; position++) {
    let is_rank = position < rank_digits;
    let shift = DIGIT_BITS * (select(all_digits, rank_digits, is_rank) - 1u - position);
    let mask = select(vec2u(0u, (DIGITS - 1u) << shift), vec2u((DIGITS - 1u) << shift, 0u), is_rank);

    for (var digit = thread; digit < DIGITS; digit += THREADS) {
      atomicStore(&histogram[digit], 0u);
    }
    workgroupBarrier();
    for (var slot = thread; slot < P; slot += THREADS) {
      let number = number_of(row, slot);
      if (all((number & known) == nth)) {
        let digit = (number & mask) >> vec2u(shift);
        atomicAdd(&histogram[digit.x | digit.y], 1u);
      }
    }
    workgroupBarrier();

    var own = 0u;
    for (var i = 0u; i < own_digits; i++) {
      own += atomicLoad(&histogram[own_digits * thread + i]);
    }
    counts[thread] = own;
    workgroupBarrier();
    for (var step = 1u; step < THREADS; step *= 2u) {
      var more = 0u;
      if (thread + step < THREADS) { more = counts[thread + step]; }
      workgroupBarrier();
      counts[thread] += more;
      workgroupBarrier();
    }
    var above = counts[thread] - own;
    if (above < wanted && wanted <= counts[thread]) {
      var digit = own_digits * (thread + 1u) - 1u;
      var same = atomicLoad(&histogram[digit]);
      while (above + same < wanted) {
        above += same;
        digit -= 1u;
        same = atomicLoad(&histogram[digit]);
      }
      found = vec3u(digit, above, same);
    }
    let here = workgroupUniformLoad(&found);
    nth |= (vec2u(here.x) << vec2u(shift)) & mask;
    known |= mask;
    wanted -= here.y;
    if (wanted == here.z) { break; }
  }

  for (var slot = thread; slot < P; slot += THREADS) {
    let number = number_of(row, slot);
    let part = number & known;
    if (part.x > nth.x || (part.x == nth.x && part.y >= nth.y)) {
      best[atomicAdd(&taken, 1u)] = number;
    }
  }
  workgroupBarrier();
  let head = block.first_head + group.y;
  let first = (head * block.context + block.first_query + group.x) * N;
  let first_row = (head % HEADS) * P;
  for (var i = thread; i < N; i += THREADS) {
    let number = best[i];
    var better = 0u;
    for (var j = 0u; j < N; j++) {
      let other = best[j];
      if (other.x > number.x || (other.x == number.x && other.y > number.y)) { better++; }
    }
    ids[first + better] = i32(first_row + last_place - number.y);
    scores[first + better] = score_bits(number.x);
  }
}
