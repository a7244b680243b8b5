import { z } from "zod";
import type { Accepts, Assert } from "../../declaration/part.ts";
import { InputTypeError } from "../../errors.ts";
import { openTokenizer } from "../tokenizer_source.ts";
import {
  type CorpusContext,
  type CorpusKind,
  type RunText,
  tokenizerProblems,
} from "./corpus_kind.ts";

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
    ...tokenizerProblems(kind, tokenizer, ["file", "gpt2", "huggingface"]),
    ...trained.map((part) => ({
      path: `${path}.kind`,
      message: `must not be "none" where ${part} is trained: allowed are files, chronicle`,
    })),
  ],
  documentCount: () => 0,
  open: openTokenizerAlone,
};

/** The text of a run without documents. */
async function openTokenizerAlone(
  _corpus: NoCorpusConfig,
  context: CorpusContext,
): Promise<RunText> {
  const { name, tokenizer: config } = context;
  if (config.kind === "bpe") {
    throw new InputTypeError(`Cannot train a tokenizer for "${name}" as it has no corpus`);
  }
  const tokenizer = await openTokenizer(config);
  await context.recordHash("tokenizer", tokenizer.hash);
  const missing = () => {
    throw new InputTypeError(
      `Cannot read documents for "${name}" as it has none: current value of corpus.kind is "none", ` +
        "allowed are files, chronicle",
    );
  };
  return {
    tokenizer,
    documents: missing,
    texts: missing,
    pretrainingDocuments: missing,
    books: missing,
  };
}
