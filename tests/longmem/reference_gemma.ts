/**
 * Gemma 2 and 3, and a SideNet of their blocks, in double precision and plain loops, written from their papers (arXiv 2408.00118,
 * 2503.19786): norms on both sides, caps of scores and logits, norms of queries and keys, windows, and rotations by kind of block.
 */
import type { BackboneCheckpoint } from "../../src/backbone/shape.ts";
import type { SideNetCheckpoint } from "../../src/longmem/sidenet_shape.ts";
import {
  affine,
  attendCausally,
  each,
  geluTanh,
  joinMemory,
  type ReferenceMemory,
  type Rows,
  shareHeads,
  sum,
} from "./reference_model.ts";

/** Settings of either architecture that decide its numbers. */
interface GemmaSettings {
  readonly epsilon: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly scoreChannels: number;
  readonly windowTokens: number;
  readonly windowedBlocks: readonly number[];
  readonly ropeTheta: number;
  /** Of Gemma 3's windowed blocks. */
  readonly windowRopeTheta?: number;
  readonly scoreSoftCap?: number | null;
  readonly logitSoftCap?: number | null;
}

/**
 * One pass over tokens [B, T] without padding; reads the memory, then writes to it the keys before any rotation.
 *
 * @param blocks Block whose kind each SideNet layer has.
 * @returns Logits of the backbone and of LongMem, and the smallest difference between scores of neighbouring chunks.
 */
export function referenceGemmaPass(
  { backbone, sideNet }: { backbone: BackboneCheckpoint; sideNet: SideNetCheckpoint },
  memory: ReferenceMemory,
  tokens: Int32Array,
  { rows, blocks }: { rows: number; blocks: readonly number[] },
): { backboneLogits: Rows; logits: Rows; margin: number } {
  const { layers: L, hiddenDim: E, heads: H } = backbone.shape;
  const { layers: S, reductionFactor: r, memoryBlock: R } = sideNet.shape;
  const settings = backbone.shape.settings as unknown as GemmaSettings;
  const { epsilon, keyValueHeads: K, headDim: D, windowTokens } = settings;
  const T = tokens.length / rows, scale = settings.scoreChannels ** -0.5;
  type Weight = (name: string) => Float32Array;
  const frozen: Weight = (name) => backbone.weights.get(name)!.data;
  const capped = (x: number, cap?: number | null) => cap ? cap * Math.tanh(x / cap) : x;
  const isWindowed = (block: number) => settings.windowedBlocks.includes(block);

  /** Norm of each `size` numbers of a row. */
  const rms = (x: Rows, gain: Float32Array, size = E): Rows =>
    x.map((row) =>
      row.map((y, e) => {
        const part = row.subarray(e - e % size, e - e % size + size);
        const meanSquare = part.reduce((total, z) => total + z * z, 0) / size;
        return y / Math.sqrt(meanSquare + epsilon) * gain[e % size];
      })
    );
  const shared = (x: Rows) => shareHeads(x, { K, H, D });
  const scoreOf = (product: number) => capped(scale * product, settings.scoreSoftCap);
  /** Turns rows of a kind of block to the positions that `at` says. */
  const turn = (x: Rows, block: number, at: (n: number) => number): Rows => {
    const theta = isWindowed(block)
      ? settings.windowRopeTheta ?? settings.ropeTheta
      : settings.ropeTheta;
    return x.map((row, n) =>
      row.map((y, e) => {
        const d = e % D, angle = at(n) * theta ** (-2 * (d % (D / 2)) / D);
        const other = d < D / 2 ? -row[e + D / 2] : row[e - D / 2];
        return y * Math.cos(angle) + other * Math.sin(angle);
      })
    );
  };
  const layer = (
    x: Rows,
    block: number,
    weight: Weight,
    join: (local: Rows, q: Rows) => Rows = (local) => local,
  ) => {
    const u = rms(x, weight("attention_norm.weight"));
    const heads = (name: "q" | "k") => {
      const projected = affine(u, weight(`attention.${name}.weight`));
      return backbone.weights.has("blocks.0.attention.q_norm.weight")
        ? rms(projected, weight(`attention.${name}_norm.weight`), D)
        : projected;
    };
    const q = heads("q"), k = shared(heads("k"));
    const v = shared(affine(u, weight("attention.v.weight")));
    const at = (n: number) => n % T;
    const local = attendCausally(
      { q: turn(q, block, at), k: turn(k, block, at), v },
      { T, H, D, scoreOf, ...(isWindowed(block) && { windowTokens }) },
    );
    const o = join(local, q);
    const attended = affine(o, weight("attention.out.weight"));
    const y = sum(x, rms(attended, weight("attention_output_norm.weight")));
    const m = rms(y, weight("mlp_norm.weight"));
    const gate = each(affine(m, weight("mlp.gate.weight")), geluTanh);
    const inner = affine(m, weight("mlp.in.weight"))
      .map((row, n) => row.map((z, f) => z * gate[n][f]));
    const added = rms(affine(inner, weight("mlp.out.weight")), weight("mlp_output_norm.weight"));
    return { output: sum(y, added), k, v };
  };

  const embeddings = frozen("embeddings.weight");
  const states: Rows[] = [Array.from(
    tokens,
    (id) => Float64Array.from(embeddings.subarray(id * E, (id + 1) * E), (x) => x * Math.sqrt(E)),
  )];
  let cached: { k: Rows; v: Rows } | undefined;
  for (let i = 0; i < L; i++) {
    const block = layer(states[i], i, (name) => frozen(`blocks.${i}.${name}`));
    states.push(block.output);
    if (i === R) cached = block;
  }
  const head = (x: Rows, gain: Float32Array) =>
    each(affine(rms(x, gain), embeddings), (z) => capped(z, settings.logitSoftCap));

  const trained: Weight = (name) => sideNet.weights.get(name)!.data;
  const { positions } = memory.config;
  let x = states[0], margin = Infinity;
  for (let i = 0; i < S; i++) {
    const weight: Weight = (name) => trained(`layers.${i}.${name}`);
    const readToo = (local: Rows, q: Rows): Rows => {
      const queries = positions?.kind === "distance"
        ? turn(q, blocks[i], () => positions.tokens)
        : q;
      const gates = weight("attention.memory_bias");
      const found = joinMemory(local, queries, memory, { T, H, gates, scoreOf });
      margin = found.margin;
      return found.joint;
    };
    const { output } = layer(x, blocks[i], weight, i === Math.trunc(R / r) ? readToo : undefined);
    const residual = states[r * i + r].map((row, n) => row.map((y, e) => y - states[r * i][n][e]));
    x = sum(output, residual);
  }
  memory.write(cached!.k, cached!.v);
  return {
    backboneLogits: head(states[L], frozen("final_norm.weight")),
    logits: head(x, trained("final_norm.weight")),
    margin,
  };
}
