import type { TensorMap } from "../tensor.ts";

/** Id of `<pad>` in every vocabulary of the project (specification section 1). */
export const padId = 1;

/** Sizes of the frozen backbone (specification section 3). */
export interface BackboneShape {
  /** Blocks L. */
  readonly layers: number;
  /** Width E. */
  readonly hiddenDim: number;
  /** Attention heads H; `hiddenDim` is a multiple of it. */
  readonly heads: number;
  /** Width of the MLP F; the official code has 4E. */
  readonly feedForwardDim: number;
  /** Vocabulary V, special tokens included. */
  readonly vocabSize: number;
}

/** Official names of the backbone's tensors, without the prefix `decoder.model.`, and their shapes. */
export function backboneTensorShapes(shape: BackboneShape): Map<string, number[]> {
  const { layers, hiddenDim: E, feedForwardDim: F, vocabSize: V } = shape;
  const shapes = new Map<string, number[]>([["transformer.wte.weight", [V, E]]]);
  for (let i = 0; i < layers; i++) {
    const block = `transformer.h.${i}.`;
    shapes.set(block + "ln_1.weight", [E]).set(block + "ln_1.bias", [E]);
    for (const projection of ["q", "k", "v", "out"]) {
      shapes.set(`${block}attn.${projection}_proj.weight`, [E, E]);
    }
    shapes.set(block + "mlp.fc_in.weight", [F, E]).set(block + "mlp.fc_in.bias", [F]);
    shapes.set(block + "mlp.fc_out.weight", [E, F]).set(block + "mlp.fc_out.bias", [E]);
  }
  shapes.set("transformer.ln_f.weight", [E]).set("transformer.ln_f.bias", [E]);
  return shapes.set("lm_head.weight", [V, E]).set("lm_head.bias", [V]);
}

/** A frozen language model. */
export interface BackboneCheckpoint {
  /** Sizes. */
  readonly shape: BackboneShape;
  /** Tokens of a segment it was trained on, where the checkpoint says. */
  readonly contextTokens?: number;
  /** Tensors by their official names, without the prefix `decoder.model.`. */
  readonly weights: TensorMap;
}
