import { z } from "zod";
import { positiveInteger } from "../../declaration/fields.ts";
import type { Accepts, Assert } from "../../declaration/part.ts";
import { firstBytes, mostTrainedTokens, trainByteLevelBpe } from "../bpe_trainer.ts";
import { formatTokenizerJson } from "../tokenizer_json.ts";
import type { TrainedKind } from "./tokenizer_kind.ts";

/** A tokenizer that is trained here. */
export interface TrainedTokenizerConfig {
  /** A byte-level BPE trained on the train split. */
  readonly kind: "bpe";
  /** Vocabulary V, the four special tokens and 256 bytes included. */
  readonly vocabSize: number;
  /** Trains on the first bytes of the train split only; absent: all of it. */
  readonly maxTrainingBytes?: number;
}

/** A fairseq vocabulary has 4 special tokens; byte-level BPE adds one token for each byte. */
const vocabSize = z.int().min(260).max(mostTrainedTokens)
  .describe(`integers from 260 (4 special tokens and 256 bytes) to ${mostTrainedTokens}`);

const schema = z.strictObject({
  kind: z.literal("bpe"),
  vocabSize,
  maxTrainingBytes: positiveInteger.exactOptional(),
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, TrainedTokenizerConfig>>;

export const bpeTokenizer: TrainedKind<TrainedTokenizerConfig> = {
  schema,
  fill: (config) => config,
  reads: "texts",
  vocabSize: ({ vocabSize }) => vocabSize,
  trained: {
    async train({ vocabSize, maxTrainingBytes = Infinity }, texts) {
      const parts: string[] = [];
      let leftBytes = maxTrainingBytes;
      for await (const text of texts) {
        if (leftBytes <= 0) continue;
        const { part, sizeBytes } = firstBytes(text, leftBytes);
        parts.push(part);
        leftBytes = part.length < text.length ? 0 : leftBytes - sizeBytes;
      }
      return formatTokenizerJson(trainByteLevelBpe(parts, { vocabSize }));
    },
  },
};
