/**
 * What the experiments of this folder have in common: the paper's model at its own size, with the weights that its authors
 * released (Hugging Face, weizhiwang/LongMem-558M). Nothing is trained. `deno task data longmem_558m` fetches them.
 */
import type { Experiment } from "@longmem/lab";

/** The released model; an experiment adds its name, its question, its corpus and its evaluations. */
export const released = {
  scale: "paper",
  tokenizer: { kind: "gpt2", folder: "data/gpt2_bpe" },
  backbone: {
    kind: "checkpoint",
    path: "data/longmem_558m/gpt2_medium/checkpoint_last.pt",
    shape: { size: "gpt2-medium", vocabSize: 51_200 },
  },
  sidenet: {
    kind: "checkpoint",
    path: "data/longmem_558m/longmem_gpt2_medium/checkpoint_last.pt",
    shape: { size: "gpt2-medium" },
  },
  memory: { capacityTokens: 65_536, chunkTokens: 4, retrievedTokens: 64 },
} as const satisfies Partial<Experiment>;

/** Tokens of a segment, and of what a model sees without memory. */
export const contextTokens = 1024;
