import { z } from "zod";
import type { Accepts, Assert } from "../../declaration/part.ts";
import { openChronicleTokenizer } from "../chronicle/tokenizer.ts";
import { vocabulary } from "../chronicle/vocabulary.ts";
import type { StoredKind } from "./tokenizer_kind.ts";

/** The words of the chronicle, built in. */
export interface ChronicleTokenizerConfig {
  /** The words of the chronicle, whose corpus has no other tokenizer. */
  readonly kind: "chronicle";
}

const schema = z.strictObject({ kind: z.literal("chronicle") });
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, ChronicleTokenizerConfig>>;

export const chronicleTokenizer: StoredKind<ChronicleTokenizerConfig> = {
  schema,
  fill: (config) => config,
  reads: "chronicle",
  vocabSize: () => vocabulary.length,
  stored: {
    open: () => Promise.resolve(openChronicleTokenizer()),
    record: schema,
    copy: (config) => Promise.resolve(config),
    within: () => ({ kind: "chronicle" }),
  },
};
