/**
 * Backbones whose attention is known by construction.
 */
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import type { BackboneCheckpoint, BackboneShape } from "../../src/backbone/shape.ts";

/** Words of the induction backbone, special tokens included: as many as a head is wide. */
const words = 16;

/** A backbone whose queries are 0: its heads see distance alone. */
export function contentFreeBackbone(shape: BackboneShape): BackboneCheckpoint {
  const weights = initializeBackbone(shape, 1);
  for (const [name, { data }] of weights) if (name.endsWith("q_proj.weight")) data.fill(0);
  return { shape, weights };
}

/** Probability with which a head of ALiBi slope m that sees distance alone attends from one position to another before it. */
export function distanceAttention(slope: number, query: number, key: number): number {
  let total = 0;
  for (let j = 0; j <= query; j++) total += Math.exp(slope * (j - query));
  return Math.exp(slope * (key - query)) / total;
}

/** Which head of which block of {@linkcode inductionBackbone} is one of induction. */
export const inductionHead = { block: 1, head: 7 } as const;

/**
 * Two blocks of eight heads, of which one looks for what followed an earlier occurrence of the token; all others see distance
 * alone. Tokens are unit vectors. Head 0 of block 0, which sees the token before with 0.24 of its attention, copies what it sees into
 * dimensions of its own, the "previous" ones. The induction head compares the token of the query with the previous token of the key,
 * less what head 0 has copied of the key's own token, and multiplies so much that one key takes all.
 */
export function inductionBackbone(): BackboneCheckpoint {
  const D = words, H = 8, E = H * D;
  const shape = { layers: 2, hiddenDim: E, heads: H, feedForwardDim: 4, vocabSize: words };
  const { weights } = contentFreeBackbone(shape);
  for (const [name, { data }] of weights) if (!name.includes("ln_")) data.fill(0);
  const set = (name: string, row: number, column: number, value: number) => {
    weights.get(name)!.data[row * E + column] = value;
  };
  const previous = D, negative = E / 2; // each number has a negative twin, so that means are 0
  const ownShare = 1 - Math.exp(-0.5); // head 0 has slope 1/2
  for (let d = 0; d < D; d++) {
    set("transformer.wte.weight", d, d, 1);
    set("transformer.wte.weight", d, negative + d, -1);
    set("transformer.h.0.attn.v_proj.weight", d, d, Math.sqrt(2 / E)); // undoes the normalisation
    set("transformer.h.0.attn.out_proj.weight", previous + d, d, 1);
    set("transformer.h.0.attn.out_proj.weight", negative + previous + d, d, -1);
    const row = inductionHead.head * D + d;
    set("transformer.h.1.attn.q_proj.weight", row, d, 1000);
    set("transformer.h.1.attn.k_proj.weight", row, previous + d, 1);
    set("transformer.h.1.attn.k_proj.weight", row, d, -ownShare);
  }
  return { shape, weights };
}
