/**
 * The backbone in double precision and plain loops, with attention to be replaced: what baselines that change it are
 * compared with.
 */
import type { BackboneShape } from "../../src/backbone/shape.ts";
import {
  affine,
  dotHead,
  each,
  geluTanh,
  normalize,
  readMemory,
  type ReferenceMemory,
  type Rows,
  slopesOf,
  softmax,
  sum,
} from "./reference_model.ts";

const padId = 1;

/** A batch as attention sees it. */
export interface ReferenceBatch {
  readonly rows: number;
  /** Tokens of a row T. */
  readonly T: number;
  readonly isPad: (n: number) => boolean;
  /** Tokens of the row before each that are not padding. */
  readonly position: Float64Array;
}

/** Attention of a block: q, k, v [N][E] -> [N][E]. */
export type ReferenceAttention = (
  i: number,
  heads: { q: Rows; k: Rows; v: Rows },
  batch: ReferenceBatch,
) => Rows;

/**
 * One pass over tokens [B, T].
 *
 * @param weight The data of a tensor by its official name.
 */
export function referenceBackbone(
  { layers: L, hiddenDim: E }: BackboneShape,
  weight: (name: string) => Float32Array,
  tokens: Int32Array,
  options: { rows: number; attention: ReferenceAttention },
): { logits: Rows; projections: { k: Rows; v: Rows }[]; mlpInputs: Rows[] } {
  const { rows, attention } = options;
  const T = tokens.length / rows;
  const isPad = (n: number) => tokens[n] === padId;
  const position = new Float64Array(tokens.length);
  for (let b = 0; b < rows; b++) {
    for (let t = 0, count = 0; t < T; t++) {
      if (!isPad(b * T + t)) position[b * T + t] = count++;
    }
  }
  const embeddings = weight("transformer.wte.weight");
  let h: Rows = Array.from(
    tokens,
    (id) => Float64Array.from(embeddings.subarray(id * E, (id + 1) * E)),
  );
  const projections = [], mlpInputs: Rows[] = [];
  for (let i = 0; i < L; i++) {
    const w = (name: string) => weight(`transformer.h.${i}.${name}`);
    const u = normalize(h, w("ln_1.weight"), w("ln_1.bias"), 1e-6);
    const [q, k, v] = ["q", "k", "v"].map((p) => affine(u, w(`attn.${p}_proj.weight`)));
    projections.push({ k, v });
    mlpInputs.push(u);
    const o = attention(i, { q, k, v }, { rows, T, isPad, position });
    const inner = each(affine(u, w("mlp.fc_in.weight"), w("mlp.fc_in.bias")), geluTanh);
    h = sum(
      h,
      affine(o, w("attn.out_proj.weight")),
      affine(inner, w("mlp.fc_out.weight"), w("mlp.fc_out.bias")),
    );
  }
  const features = normalize(
    h,
    weight("transformer.ln_f.weight"),
    weight("transformer.ln_f.bias"),
    1e-6,
  );
  return {
    logits: affine(features, weight("lm_head.weight"), weight("lm_head.bias")),
    projections,
    mlpInputs,
  };
}

/** Attention of block i of an InfLLM-like memory: one softmax over the segment and what each token and head retrieves. */
export function referenceBlockMemory(
  H: number,
  memories: readonly ReferenceMemory[],
  distanceTokens: number,
): ReferenceAttention {
  const slopes = slopesOf(H);
  return (i, { q, k, v }, { T, isPad, position }) =>
    q.map((query, n) => {
      const E = query.length, D = E / H, b = Math.floor(n / T), out = new Float64Array(E);
      const { config } = memories[i], bank = memories[i].bankOf(b);
      for (let h = 0; h < H; h++) {
        const scores: number[] = [], values: Float64Array[] = [];
        for (let j = b * T; j <= n; j++) {
          if (isPad(j)) continue;
          const distance = position[n] - position[j];
          scores.push(dotHead(query, k[j], h, D) / Math.sqrt(D) - slopes[h] * distance);
          values.push(v[j]);
        }
        const similarity = bank.map(({ mean }) => dotHead(query, mean, h, D));
        const best = [...bank.keys()].sort((x, y) => similarity[y] - similarity[x])
          .slice(0, config.retrievedTokens / config.chunkTokens);
        for (const chunk of best) {
          bank[chunk].keys.forEach((key, j) => {
            scores.push(dotHead(query, key, h, D) / Math.sqrt(D) - slopes[h] * distanceTokens);
            values.push(bank[chunk].values[j]);
          });
        }
        softmax(scores).forEach((p, j) => {
          for (let d = h * D; d < (h + 1) * D; d++) out[d] += p * values[j][d];
        });
      }
      return out;
    });
}

/** Attention to the segment alone. */
export function referenceLocal(H: number): ReferenceAttention {
  const slopes = slopesOf(H);
  return (_, { q, k, v }, { T, isPad, position }) =>
    q.map((query, n) => {
      const E = query.length, D = E / H, out = new Float64Array(E);
      const first = n - n % T;
      const seen = Array.from({ length: n - first + 1 }, (_, j) => first + j)
        .filter((j) => !isPad(j));
      for (let h = 0; h < H; h++) {
        const scores = seen.map((j) =>
          dotHead(query, k[j], h, D) / Math.sqrt(D) - slopes[h] * (position[n] - position[j])
        );
        softmax(scores).forEach((p, j) => {
          for (let d = h * D; d < (h + 1) * D; d++) out[d] += p * v[seen[j]][d];
        });
      }
      return out;
    });
}

/** Attention of a Memorizing Transformer: block R mixes the segment and its memory by a gate for each head. */
export function referenceMemorizing(
  H: number,
  R: number,
  memory: ReferenceMemory,
  gates: ArrayLike<number>,
): ReferenceAttention {
  const attendLocally = referenceLocal(H);
  return (i, heads, batch) => {
    const local = attendLocally(i, heads, batch);
    if (i !== R) return local;
    return local.map((own, n) => {
      const bank = memory.bankOf(Math.floor(n / batch.T));
      if (bank.length === 0) return own;
      const { out } = readMemory(heads.q[n], bank, H, memory.config);
      const D = own.length / H;
      return own.map((x, e) => {
        const gate = 1 / (1 + Math.exp(-gates[Math.floor(e / D)]));
        return (1 - gate) * x + gate * out[e];
      });
    });
  };
}
