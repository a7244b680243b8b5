import { z } from "zod";
import type { Accepts, Assert } from "../../declaration/part.ts";
import { type CorpusKind, tokenizerProblems } from "./corpus_kind.ts";

/** No documents: nothing is trained, and evaluations bring their own texts. */
export interface NoCorpusConfig {
  /** Distinguishes it from documents. */
  readonly kind: "none";
}

const schema = z.strictObject({ kind: z.literal("none") });
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, NoCorpusConfig>>;

/** No documents, as a kind of corpus. */
export const noCorpus: CorpusKind<NoCorpusConfig, NoCorpusConfig> = {
  schema,
  fill: (corpus) => corpus,
  check: ({ kind }, path, { tokenizer, trained }) => [
    ...tokenizerProblems(kind, tokenizer, ["file", "gpt2"]),
    ...trained.map((part) => ({
      path: `${path}.kind`,
      message: `must not be "none" where ${part} is trained: allowed are files, chronicle`,
    })),
  ],
};
