import { z } from "zod";
import type { Accepts, Assert } from "../../declaration/part.ts";
import { possibleFiles } from "./file.ts";
import type { BesideWeightsKind } from "./tokenizer_kind.ts";

/** The tokenizer of the backbone. */
export interface HuggingFaceTokenizerConfig {
  /** The tokenizer that lies beside the weights of the backbone. */
  readonly kind: "huggingface";
}

const schema = z.strictObject({ kind: z.literal("huggingface") });
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, HuggingFaceTokenizerConfig>>;

export const huggingFaceTokenizer: BesideWeightsKind<HuggingFaceTokenizerConfig> = {
  schema,
  fill: (config) => config,
  reads: "texts",
  isPadded: true,
  besideWeights: { files: possibleFiles },
};
