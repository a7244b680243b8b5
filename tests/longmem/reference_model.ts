/**
 * LongMem in double precision and plain loops, written from the specification: what the graphs are compared with on
 * sizes that the golden fixtures do not have.
 */
import type { MemoryConfig } from "../../src/memory/config.ts";
import { erf64 } from "../graph/tensor64.ts";
import type { LongMemParts } from "../../src/longmem/parts.ts";

/** Values [rows, width] of doubles, a row for each token of a batch. */
export type Rows = Float64Array[];

/** A model in host memory. */
export type ReferenceParts = Required<Pick<LongMemParts, "backbone" | "sideNet" | "memory">>;

/** One stored chunk: keys and values of its tokens [c][E], and the mean key of all heads [E]. */
export interface ReferenceChunk {
  readonly keys: Rows;
  readonly values: Rows;
  readonly mean: Float64Array;
}

/** Values of a pass; everything has one row for each of the N = B*T tokens. */
export interface ReferencePass {
  /** h[0] .. h[L-1], LNf(h[L]). */
  readonly hiddenStates: Rows[];
  /** Keys and values of the cached block. */
  readonly keys: Rows;
  readonly values: Rows;
  readonly backboneLogits: Rows;
  /** The SideNet's stream, S+1 states. */
  readonly sideStates: Rows[];
  readonly attentionOutputs: Rows[];
  readonly features: Rows;
  readonly logits: Rows;
  /** Ages of the retrieved chunks by token and head, 0 the oldest, best first, -1 where none is left; undefined if the token's bank was empty. */
  readonly retrieved: (number[][] | undefined)[];
  /** Attention to the tokens of those chunks by token and head, in the same order. */
  readonly memoryWeights: (number[][] | undefined)[];
  /** Smallest difference between the scores of two neighbours among the retrieved chunks and the next best: below float32's resolution order is chance. */
  readonly margin: number;
}

const padId = 1;

/** A key or value of some heads, each in steps of a 127th of its largest size, rounded up to 16 binary digits. */
function inSteps(row: Float64Array, heads: number): Float64Array {
  const size = row.length / heads;
  return row.map((x, e) => {
    const head = row.subarray(e - e % size, e - e % size + size);
    const step = Math.max(...head.map(Math.abs)) / 127;
    const unit = 2 ** (Math.floor(Math.log2(step)) - 15), rounded = Math.ceil(step / unit) * unit;
    return Math.round(x / rounded) * rounded;
  });
}

/** A bank as lists of chunks, the oldest first. */
export class ReferenceMemory {
  readonly banks: ReferenceChunk[][];

  /** `heads`: of the keys; needed where each has scales of its own. */
  constructor(readonly config: MemoryConfig, readonly rows: number, readonly heads = 1) {
    this.banks = Array.from({ length: config.bank === "shared" ? 1 : rows }, () => []);
  }

  bankOf(row: number): ReferenceChunk[] {
    return this.banks[this.config.bank === "shared" ? 0 : row];
  }

  /** Keys and values [N][E] of a batch. */
  write(keys: Rows, values: Rows): void {
    const { chunkTokens: c, capacityTokens, eviction, storage } = this.config;
    const capacity = Math.floor(capacityTokens / c);
    const tokens = keys.length / this.banks.length;
    const stored = (row: Float64Array) => {
      if (storage === "float16") return row.map((x) => Math.f16round(x));
      return storage === "int8" ? inSteps(row, this.heads) : row.slice();
    };
    this.banks.forEach((bank, b) => {
      const added = Math.floor(tokens / c);
      if (eviction === "coarse") {
        if (bank.length + added >= capacity) bank.splice(0, Math.floor(2 * tokens / c));
      } else {
        bank.splice(0, Math.max(0, bank.length + added - capacity));
      }
      for (let i = 0; i < added; i++) {
        const first = b * tokens + i * c;
        const chunkKeys = keys.slice(first, first + c);
        const mean = chunkKeys[0].map((_, e) => chunkKeys.reduce((sum, k) => sum + k[e], 0) / c);
        bank.push({
          keys: chunkKeys.map(stored),
          values: values.slice(first, first + c).map(stored),
          mean,
        });
      }
    });
  }

  reset(rows?: readonly number[]): void {
    if (rows?.length === 0) return;
    const all = this.banks.map((_, bank) => bank);
    const forgotten = this.config.bank === "shared" ? [0] : rows ?? all;
    for (const bank of forgotten) this.banks[bank].length = 0;
  }
}

/** One pass over tokens [B, T]; reads the memory, and writes to it unless `readOnly`. */
export function referencePass(
  parts: ReferenceParts,
  memory: ReferenceMemory,
  tokens: Int32Array,
  options: { rows: number; readOnly?: boolean },
): ReferencePass {
  const { backbone: { shape, weights }, sideNet } = parts;
  const { layers: L, hiddenDim: E, heads: H, vocabSize: V } = shape;
  const { layers: S, reductionFactor: r, memoryBlock: R } = sideNet.shape;
  const B = options.rows, T = tokens.length / B, N = B * T, D = E / H;
  const bb = (name: string) => weights.get(name)!.data;
  const sn = (name: string) => sideNet.weights.get(name)!.data;
  const padded = tokens.includes(padId);
  const isPad = (n: number) => tokens[n] === padId;

  // ALiBi: m_h times the number of tokens before j that are not padding.
  const slopes = slopesOf(H);
  const position = new Float64Array(N);
  for (let b = 0; b < B; b++) {
    for (let t = 0, count = 0; t < T; t++) {
      if (!isPad(b * T + t)) position[b * T + t] = count++;
    }
  }

  /** Local attention of one layer: q, k, v [N][E] -> [N][E], heads joined. */
  const attend = (q: Rows, k: Rows, v: Rows, hidesPads: boolean): Rows =>
    q.map((query, n) => {
      const b = Math.floor(n / T), out = new Float64Array(E);
      for (let h = 0; h < H; h++) {
        const keys: number[] = [];
        for (let j = b * T; j <= n; j++) if (!(hidesPads && isPad(j))) keys.push(j);
        const scores = keys.map((j) =>
          dotHead(query, k[j], h, D) / Math.sqrt(D) + slopes[h] * position[j]
        );
        softmax(scores).forEach((p, i) => {
          for (let d = h * D; d < (h + 1) * D; d++) out[d] += p * v[keys[i]][d];
        });
      }
      return out;
    });

  // The frozen backbone.
  const wte = bb("transformer.wte.weight");
  let h: Rows = Array.from(tokens, (id) => Float64Array.from(wte.subarray(id * E, (id + 1) * E)));
  const hiddenStates = [h];
  let cached: { keys: Rows; values: Rows } | undefined;
  for (let i = 0; i < L; i++) {
    const w = (name: string) => bb(`transformer.h.${i}.${name}`);
    const u = normalize(h, w("ln_1.weight"), w("ln_1.bias"), 1e-6);
    const [q, k, v] = ["q", "k", "v"].map((p) => affine(u, w(`attn.${p}_proj.weight`)));
    if (i === R) cached = { keys: k, values: v };
    const a = affine(attend(q, k, v, true), w("attn.out_proj.weight"));
    const inner = each(affine(u, w("mlp.fc_in.weight"), w("mlp.fc_in.bias")), geluTanh);
    h = sum(h, a, affine(inner, w("mlp.fc_out.weight"), w("mlp.fc_out.bias")));
    hiddenStates.push(h);
  }
  const stream = h;
  hiddenStates[L] = normalize(h, bb("transformer.ln_f.weight"), bb("transformer.ln_f.bias"), 1e-6);
  const head = (features: Rows) => affine(features, bb("lm_head.weight"), bb("lm_head.bias"));

  // The SideNet.
  let x = hiddenStates[0];
  const sideStates = [x], attentionOutputs: Rows[] = [];
  const retrieved: (number[][] | undefined)[] = Array.from({ length: N }, () => undefined);
  const memoryWeights: (number[][] | undefined)[] = retrieved.slice();
  let margin = Infinity;
  for (let i = 0; i < S; i++) {
    const w = (name: string) => sn(`layers.${i}.${name}`);
    const u = normalize(x, w("ln_1.weight"), w("ln_1.bias"), 1e-5);
    const [q, k, v] = ["q", "k", "v"].map((p) => affine(u, w(`self_attn.${p}_proj.weight`)));
    const reads = i === Math.trunc(R / r);
    const hidden = attend(q, k, v, padded);
    const visible = reads && padded ? attend(q, k, v, false) : hidden;
    const o = hidden.map((local, n) => {
      const bank = memory.bankOf(Math.floor(n / T));
      if (!reads || bank.length === 0) return local;
      const { out, ages, weights, margin: gap } = readMemory(q[n], bank, H, parts.memory);
      retrieved[n] = ages;
      memoryWeights[n] = weights;
      margin = Math.min(margin, gap);
      return out.map((m, e) => {
        const gate = 1 / (1 + Math.exp(-w("self_attn.memory_bias")[Math.floor(e / D)]));
        return (1 - gate) * visible[n][e] + gate * m;
      });
    });
    const a = affine(o, w("self_attn.out_proj.weight"));
    attentionOutputs.push(a);
    const inner = each(affine(u, w("fc1.weight"), w("fc1.bias")), geluErf);
    const f = affine(inner, w("fc2.weight"), w("fc2.bias"));
    const isRaw = i === S - 1 && sideNet.shape.lastResidual === "raw";
    const residual = (isRaw ? stream : hiddenStates[r * i + r]).map((row, n) =>
      row.map((y, e) => y - hiddenStates[r * i][n][e])
    );
    x = sideNet.shape.crossNetworkResidual === false ? sum(f, a, x) : sum(f, a, residual, x);
    sideStates.push(x);
  }
  const features = normalize(x, sn("layer_norm.weight"), sn("layer_norm.bias"), 1e-5);
  if (!options.readOnly) memory.write(cached!.keys, cached!.values);
  const logits = head(features);
  if (logits[0].length !== V) {
    throw new RangeError(`Head gives ${logits[0].length} logits, not ${V}`);
  }
  return {
    hiddenStates,
    ...cached!,
    backboneLogits: head(hiddenStates[L]),
    sideStates,
    attentionOutputs,
    features,
    logits,
    retrieved,
    memoryWeights,
    margin,
  };
}

/** Attention of one unscaled query [E] over the chunks that each of its heads retrieves. */
export function readMemory(
  query: Float64Array,
  bank: readonly ReferenceChunk[],
  H: number,
  config: MemoryConfig,
  scoreOf = (product: number, D: number) => product / Math.sqrt(D),
): { out: Float64Array; ages: number[][]; weights: number[][]; margin: number } {
  const weights: number[][] = [];
  const { chunkTokens: c, retrievedTokens: K, missingChunks } = config;
  const E = query.length, D = E / H, out = new Float64Array(E), ages: number[][] = [];
  let margin = Infinity;
  for (let h = 0; h < H; h++) {
    const scores = bank.map(({ mean }) => dotHead(query, mean, h, D));
    const ranked = scores.map((_, age) => age).sort((a, b) => scores[b] - scores[a]);
    for (let i = 0; i < Math.min(K / c, bank.length - 1); i++) {
      margin = Math.min(margin, scores[ranked[i]] - scores[ranked[i + 1]]);
    }
    const best = ranked.slice(0, K / c);
    const keys = best.flatMap((age) => bank[age].keys);
    const values = best.flatMap((age) => bank[age].values);
    if (missingChunks === "zero-slot") {
      while (keys.length < K) {
        keys.push(new Float64Array(E));
        values.push(new Float64Array(E));
      }
    }
    weights.push(softmax(keys.map((key) => scoreOf(dotHead(query, key, h, D), D))));
    weights[h].forEach((p, i) => {
      for (let d = h * D; d < (h + 1) * D; d++) out[d] += p * values[i][d];
    });
    ages.push([...best, ...Array(K / c - best.length).fill(-1)]);
  }
  return { out, ages, weights, margin };
}

/** Slopes from the halving rule: the heads of the next power of two below, then every other slope of twice as many. */
export function slopesOf(H: number): number[] {
  const isPower = (H & (H - 1)) === 0;
  if (isPower) return Array.from({ length: H }, (_, h) => Math.pow(Math.pow(2, -8 / H), h + 1));
  let p = 1;
  while (2 * p <= H) p *= 2;
  return [...slopesOf(p), ...slopesOf(2 * p).filter((_, h) => h % 2 === 0).slice(0, H - p)];
}

/** Copies of heads of keys [N, K D] for the H / K heads of queries that share each: [N, H D]. */
export function shareHeads(x: Rows, { K, H, D }: { K: number; H: number; D: number }): Rows {
  return x.map((row) =>
    Float64Array.from(
      { length: H * D },
      (_, e) => row[Math.floor(Math.floor(e / D) * K / H) * D + e % D],
    )
  );
}

/**
 * Attention of tokens to those before them in their rows of T, and to themselves.
 *
 * @param scoreOf Score of an inner product.
 * @param windowTokens Tokens that one attends to at most.
 */
export function attendCausally(
  { q, k, v }: { q: Rows; k: Rows; v: Rows },
  { T, H, D, scoreOf, windowTokens = T }: {
    T: number;
    H: number;
    D: number;
    scoreOf: (product: number) => number;
    windowTokens?: number;
  },
): Rows {
  return q.map((query, n) => {
    const first = Math.max(n - n % T, n - windowTokens + 1), out = new Float64Array(H * D);
    for (let h = 0; h < H; h++) {
      const scores = k.slice(first, n + 1).map((key) => scoreOf(dotHead(query, key, h, D)));
      softmax(scores).forEach((p, i) => {
        for (let e = h * D; e < (h + 1) * D; e++) out[e] += p * v[first + i][e];
      });
    }
    return out;
  });
}

/**
 * Joins local attention with that to the memory by the gates of the heads; tokens of rows without a memory keep the local one.
 *
 * @returns The joint attention, and the smallest difference between scores of neighbouring chunks.
 */
export function joinMemory(
  local: Rows,
  queries: Rows,
  memory: ReferenceMemory,
  { T, H, gates, scoreOf }: {
    T: number;
    H: number;
    gates: Float32Array;
    scoreOf: (product: number) => number;
  },
): { joint: Rows; margin: number } {
  let margin = Infinity;
  const joint = local.map((own, n) => {
    const bank = memory.bankOf(Math.floor(n / T));
    if (bank.length === 0) return own;
    const found = readMemory(queries[n], bank, H, memory.config, scoreOf);
    margin = Math.min(margin, found.margin);
    return own.map((y, e) => {
      const gate = 1 / (1 + Math.exp(-gates[Math.floor(e * H / own.length)]));
      return (1 - gate) * y + gate * found.out[e];
    });
  });
  return { joint, margin };
}

/** All rows one after the other. */
export function flat(...states: readonly Rows[]): Float64Array {
  const rows = states.flat();
  const width = rows[0].length, data = new Float64Array(rows.length * width);
  rows.forEach((row, i) => data.set(row, i * width));
  return data;
}

export function dotHead(a: Float64Array, b: Float64Array, h: number, D: number): number {
  let sum = 0;
  for (let d = h * D; d < (h + 1) * D; d++) sum += a[d] * b[d];
  return sum;
}

export function softmax(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const powers = scores.map((s) => Math.exp(s - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / total);
}

/** x W^T + b with W [O, I]. */
export function affine(x: Rows, weight: Float32Array, bias?: Float32Array): Rows {
  const I = x[0].length, O = weight.length / I;
  return x.map((row) => {
    const y = new Float64Array(O);
    for (let o = 0; o < O; o++) {
      let sum = bias ? bias[o] : 0;
      for (let i = 0; i < I; i++) sum += row[i] * weight[o * I + i];
      y[o] = sum;
    }
    return y;
  });
}

export function normalize(x: Rows, gain: Float32Array, bias: Float32Array, epsilon: number): Rows {
  return x.map((row) => {
    const mean = row.reduce((a, b) => a + b, 0) / row.length;
    const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / row.length;
    return row.map((y, e) => (y - mean) / Math.sqrt(variance + epsilon) * gain[e] + bias[e]);
  });
}

export function each(x: Rows, f: (value: number) => number): Rows {
  return x.map((row) => row.map((value) => f(value)));
}

export function sum(...terms: Rows[]): Rows {
  return terms[0].map((row, n) => row.map((_, e) => terms.reduce((s, term) => s + term[n][e], 0)));
}

export function geluTanh(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

function geluErf(x: number): number {
  // Beyond 6 deviations erf is 1 to the last bit.
  const erf = Math.abs(x) > 8 ? Math.sign(x) : erf64(x / Math.SQRT2);
  return 0.5 * x * (1 + erf);
}
