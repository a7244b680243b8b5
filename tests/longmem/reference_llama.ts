/**
 * A Llama and a SideNet of its blocks in double precision and plain loops, written from the formulae of
 * `reference/hf/llama/README.md`: rotary positions, RMS norms, shared heads of keys, gated MLPs.
 */
import type { BackboneCheckpoint } from "../../src/backbone/shape.ts";
import type { SideNetCheckpoint } from "../../src/longmem/sidenet_shape.ts";
import {
  affine,
  attendCausally,
  each,
  joinMemory,
  type ReferenceMemory,
  type Rows,
  shareHeads,
  sum,
} from "./reference_model.ts";

/** Values of a pass; everything has one row for each of the N = B*T tokens. */
export interface LlamaPass {
  readonly backboneLogits: Rows;
  readonly logits: Rows;
  /** Smallest difference between the scores of two neighbours among the retrieved chunks and the next best. */
  readonly margin: number;
}

/** One pass over tokens [B, T] without padding; reads the memory, then writes to it the keys before any rotation. */
export function referenceLlamaPass(
  { backbone, sideNet }: { backbone: BackboneCheckpoint; sideNet: SideNetCheckpoint },
  memory: ReferenceMemory,
  tokens: Int32Array,
  { rows }: { rows: number },
): LlamaPass {
  const { layers: L, hiddenDim: E, heads: H, settings } = backbone.shape;
  const { layers: S, reductionFactor: r, memoryBlock: R } = sideNet.shape;
  const { epsilon, ropeTheta, keyValueHeads: K, headDim: D = E / H } = settings as {
    epsilon: number;
    ropeTheta: number;
    keyValueHeads: number;
    headDim?: number;
  };
  const T = tokens.length / rows;
  const frozen = (name: string) => backbone.weights.get(name)!.data;
  const trained = (name: string) => sideNet.weights.get(name)!.data;

  const rms = (x: Rows, gain: Float32Array): Rows =>
    x.map((row) => {
      const meanSquare = row.reduce((total, y) => total + y * y, 0) / E;
      return row.map((y, e) => y / Math.sqrt(meanSquare + epsilon) * gain[e]);
    });
  /** Channels j and j + D/2 of each head at position t turn by t theta^(-2j/D). */
  const turn = (x: Rows): Rows =>
    x.map((row, n) =>
      row.map((y, e) => {
        const d = e % D, j = d % (D / 2), angle = (n % T) * ropeTheta ** (-2 * j / D);
        const other = d < D / 2 ? -row[e + D / 2] : row[e - D / 2];
        return y * Math.cos(angle) + other * Math.sin(angle);
      })
    );
  const scoreOf = (product: number) => product / Math.sqrt(D);
  const shared = (x: Rows) => shareHeads(x, { K, H, D });
  const layer = (
    x: Rows,
    weight: (name: string) => Float32Array,
    join: (local: Rows, q: Rows) => Rows = (local) => local,
  ) => {
    const u = rms(x, weight("attention_norm.weight"));
    const q = affine(u, weight("attention.q.weight"));
    const k = shared(affine(u, weight("attention.k.weight")));
    const v = shared(affine(u, weight("attention.v.weight")));
    const o = join(attendCausally({ q: turn(q), k: turn(k), v }, { T, H, D, scoreOf }), q);
    const y = sum(x, affine(o, weight("attention.out.weight")));
    const m = rms(y, weight("mlp_norm.weight"));
    const gate = each(affine(m, weight("mlp.gate.weight")), (z) => z / (1 + Math.exp(-z)));
    const inner = affine(m, weight("mlp.in.weight"))
      .map((row, n) => row.map((z, f) => z * gate[n][f]));
    return { output: sum(y, affine(inner, weight("mlp.out.weight"))), k, v };
  };

  const embeddings = frozen("embeddings.weight");
  const embedded = Array.from(
    tokens,
    (id) => Float64Array.from(embeddings.subarray(id * E, (id + 1) * E)),
  );
  const states: Rows[] = [embedded];
  let cached: { k: Rows; v: Rows } | undefined;
  for (let i = 0; i < L; i++) {
    const block = layer(states[i], (name) => frozen(`blocks.${i}.${name}`));
    states.push(block.output);
    if (i === R) cached = block;
  }
  const head = (x: Rows, gain: Float32Array) => affine(rms(x, gain), frozen("head.weight"));

  let x = states[0], margin = Infinity;
  for (let i = 0; i < S; i++) {
    const weight = (name: string) => trained(`layers.${i}.${name}`);
    const readMemoryToo = (local: Rows, q: Rows): Rows => {
      const gates = weight("attention.memory_bias");
      const found = joinMemory(local, q, memory, { T, H, gates, scoreOf });
      margin = found.margin;
      return found.joint;
    };
    const { output } = layer(x, weight, i === Math.trunc(R / r) ? readMemoryToo : undefined);
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
