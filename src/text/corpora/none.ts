import { z } from "zod";
import type { Accepts, Assert } from "../../declaration/part.ts";
import { InputTypeError } from "../../errors.ts";
import { type CorpusKind, tokenizerProblems } from "./corpus_kind.ts";

/** No documents: nothing is trained, and evaluations bring their own texts. */
export interface NoCorpusConfig {
  /** Distinguishes it from documents. */
  readonly kind: "none";
}

const schema = z.strictObject({ kind: z.literal("none") });
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, NoCorpusConfig>>;

export const noCorpus: CorpusKind<NoCorpusConfig, NoCorpusConfig> = {
  schema,
  fill: (corpus) => corpus,
  check: ({ kind }, path, { tokenizer, trained }) => [
    ...tokenizerProblems(kind, tokenizer, ({ reads, trained }) => reads === "texts" && !trained),
    ...trained.map((part) => ({
      path: `${path}.kind`,
      message: `must not be "none" where ${part} is trained: allowed are files, chronicle`,
    })),
  ],
  documentCount: () => 0,
  async open(_corpus, { name, openTokenizer }) {
    const missing = () => {
      throw new InputTypeError(
        `Cannot read documents for "${name}" as it has none: current value of corpus.kind is "none", ` +
          "allowed are files, chronicle",
      );
    };
    return {
      tokenizer: await openTokenizer(),
      documents: missing,
      texts: missing,
      pretrainingDocuments: missing,
      books: missing,
    };
  },
};
