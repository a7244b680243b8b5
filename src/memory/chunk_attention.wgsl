// Attention of every query over the tokens of the chunks that it has retrieved (specification section 7), without a copy of them:
//   attend    s = keys q, p = softmax(s), o = values^T p; with a soft cap s = CAP tanh(keys q / CAP), with slopes 1 - (s / CAP)^2
//   backward  dp = values do, ds = p (dp - sum(p dp)), of a soft cap times its slopes, dq = keys^T ds
//
//   queries       [rows, D]    q, already scaled, or do; rows are B*H*T
//   ids, scores   [rows, N]    the chunks: rows of keys and values; scores of retrieval, of an empty slot EMPTY or less
//   multiplied    [R, C*W]     keys, of `backward` values: C vectors a row, of W words (packed_vectors.ts); the rows of one table
//   combined      [R, C*W]     values, of `backward` keys, likewise
//   weights       [rows, WIDTH] p, and with a soft cap its slopes; K = N*C, WIDTH is K or 2 K
//   results       [rows, D]    o, or dq

override D: u32;
override N: u32;
override C: u32;
override FIRST_ROW: u32;  // of the table; queries whose chunks lie in another one are left to the dispatch for that
override K: u32;
override TYPE: u32;     // of keys and values: 0 float32, 1 float16, 2 int8
override W: u32;        // words of a vector
override QUERY: u32;    // D, rounded up to the numbers of a word; 0 of queries that a workgroup has no memory for
override TILE: u32;     // tokens whose shares a workgroup has memory for
override MASKED: bool;  // empty slots do not count
override EMPTY: f32;
override WIDTH: u32;    // K, or with a soft cap 2 K
override CAP: f32;      // 0: there is none

@group(0) @binding(0) var<storage, read> queries: array<f32>;
@group(0) @binding(1) var<storage, read> ids: array<i32>;
@group(0) @binding(2) var<storage, read> scores: array<f32>;
@group(0) @binding(3) var<storage, read> multiplied: array<u32>;
@group(0) @binding(4) var<storage, read> combined: array<u32>;
@group(0) @binding(5) var<storage, read_write> results: array<f32>;
@group(0) @binding(6) var<storage, read_write> new_weights: array<f32>;
@group(0) @binding(7) var<storage, read> weights: array<f32>;

// A workgroup for each query: an invocation computes the scores of some tokens, then some components of the result.
const threads = 64u;
var<workgroup> query: array<f32, QUERY + 1>;  // zeros follow
var<workgroup> shares: array<f32, TILE>;
var<workgroup> partial: array<f32, 64>;

// Where a token's key and value begin.
fn place(row: u32, k: u32) -> u32 {
  return ((u32(ids[row * N + k / C]) - FIRST_ROW) * C + k % C) * W;
}

// Whether there is no such query, or its chunks, which are of one head, lie in another table.
fn is_elsewhere(row: u32) -> bool {
  if (row * D >= arrayLength(&queries)) { return true; }
  return u32(ids[row * N]) - FIRST_ROW >= arrayLength(&multiplied) / (C * W);
}

fn load_query(row: u32, thread: u32) {
  for (var d = thread; d < QUERY; d += threads) { query[d] = query_in_buffer(row, d); }
  workgroupBarrier();
}

fn query_in_buffer(row: u32, d: u32) -> f32 {
  return select(0.0, queries[row * D + d], d < D);
}

fn query_at(row: u32, d: u32) -> f32 {
  if (QUERY == 0u) { return query_in_buffer(row, d); }
  return query[d];
}

// Integer k of a word.
fn code(word: u32, k: u32) -> f32 {
  return f32(bitcast<i32>(word << (24u - 8u * k)) >> 24u);
}

// Inner product of the query and vector k of its own in `multiplied`.
fn product(row: u32, k: u32) -> f32 {
  let first = place(row, k);
  var sum = 0.0;
  if (TYPE == 0u) {
    for (var d = 0u; d < D; d++) { sum += query_at(row, d) * bitcast<f32>(multiplied[first + d]); }
    return sum;
  }
  if (TYPE == 1u) {
    for (var w = 0u; w < W; w++) {
      let pair = unpack2x16float(multiplied[first + w]);
      sum += query_at(row, 2u * w) * pair.x;
      sum += query_at(row, 2u * w + 1u) * pair.y;
    }
    return sum;
  }
  for (var w = 1u; w < W; w++) {
    let word = multiplied[first + w];
    for (var k = 0u; k < 4u; k++) { sum += query_at(row, 4u * (w - 1u) + k) * code(word, k); }
  }
  return sum * bitcast<f32>(multiplied[first]);
}

// Component d of the vector that begins at a word of `combined`.
fn component(first: u32, d: u32) -> f32 {
  if (TYPE == 0u) { return bitcast<f32>(combined[first + d]); }
  if (TYPE == 1u) {
    let pair = unpack2x16float(combined[first + d / 2u]);
    return select(pair.x, pair.y, d % 2u == 1u);
  }
  return code(combined[first + 1u + d / 4u], d % 4u) * bitcast<f32>(combined[first]);
}

// tanh x; a driver may compute it by e^2x, which overflows.
fn soft_share(x: f32) -> f32 {
  return tanh(clamp(x, -15.0, 15.0));
}

fn largest(own: f32, thread: u32) -> f32 {
  partial[thread] = own;
  workgroupBarrier();
  for (var step = threads / 2u; step > 0u; step /= 2u) {
    if (thread < step) { partial[thread] = max(partial[thread], partial[thread + step]); }
    workgroupBarrier();
  }
  let result = partial[0];
  workgroupBarrier();
  return result;
}

fn total(own: f32, thread: u32) -> f32 {
  partial[thread] = own;
  workgroupBarrier();
  for (var step = threads / 2u; step > 0u; step /= 2u) {
    if (thread < step) { partial[thread] += partial[thread + step]; }
    workgroupBarrier();
  }
  let result = partial[0];
  workgroupBarrier();
  return result;
}

// Adds the shares of a tile, of tokens `first` to `end` - 1, to the result.
fn combine(row: u32, first: u32, end: u32, thread: u32) {
  workgroupBarrier();
  for (var d = thread; d < D; d += threads) {
    var result = 0.0;
    if (first > 0u) { result = results[row * D + d]; }
    for (var k = first; k < end; k++) { result += shares[k - first] * component(place(row, k), d); }
    results[row * D + d] = result;
  }
  workgroupBarrier();
}

// What an invocation keeps for each of its own tokens: in the weights, where they are more than a tile.
fn keep(row: u32, k: u32, number: f32) {
  if (K > TILE) { new_weights[row * WIDTH + k] = number; } else { shares[k] = number; }
}

fn kept(row: u32, k: u32) -> f32 {
  if (K > TILE) { return new_weights[row * WIDTH + k]; }
  return shares[k];
}

@compute @workgroup_size(64)
fn attend(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = group.x + group.y * groups.x;
  if (is_elsewhere(row)) { return; }
  load_query(row, thread);
  var own = -3.4e38;
  for (var k = thread; k < K; k += threads) {
    var score = product(row, k);
    if (CAP > 0.0) {
      let share = soft_share(score / CAP);
      score = CAP * share;
      new_weights[row * WIDTH + K + k] = 1.0 - share * share;
    }
    if (MASKED && scores[row * N + k / C] < 0.5 * EMPTY) { score += EMPTY; }
    keep(row, k, score);
    own = max(own, score);
  }
  let most = largest(own, thread);
  own = 0.0;
  for (var k = thread; k < K; k += threads) {
    let share = exp(kept(row, k) - most);
    keep(row, k, share);
    own += share;
  }
  let sum = total(own, thread);
  for (var first = 0u; first < K; first += TILE) {
    let end = min(first + TILE, K);
    for (var k = first + thread; k < end; k += threads) {
      let share = kept(row, k) / sum;
      shares[k - first] = share;
      new_weights[row * WIDTH + k] = share;
    }
    combine(row, first, end, thread);
  }
}

@compute @workgroup_size(64)
fn backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = group.x + group.y * groups.x;
  if (is_elsewhere(row)) { return; }
  load_query(row, thread);
  var own = 0.0;
  for (var k = thread; k < K; k += threads) {
    let share = product(row, k);
    if (K <= TILE) { shares[k] = share; }
    own += weights[row * WIDTH + k] * share;
  }
  let delta = total(own, thread);
  for (var first = 0u; first < K; first += TILE) {
    let end = min(first + TILE, K);
    for (var k = first + thread; k < end; k += threads) {
      var share = shares[k - first];
      if (K > TILE) { share = product(row, k); }
      share = weights[row * WIDTH + k] * (share - delta);
      if (WIDTH > K) { share *= weights[row * WIDTH + K + k]; }
      shares[k - first] = share;
    }
    combine(row, first, end, thread);
  }
}
