/**
 * What evaluations that read whole documents of a split have in common.
 */
import { join } from "node:path";
import { oneOf, positiveInteger } from "../../declaration/fields.ts";
import { type Problem, wrong } from "../../declaration/problem.ts";
import { ifThere } from "../../files.ts";
import { writeBooks } from "../../text/chronicle/book.ts";
import { findDocuments } from "../../text/corpus.ts";
import type { CorpusConfig } from "../../text/corpora/corpora.ts";
import {
  atMost,
  controlProblems,
  type EvaluationSurroundings,
  type ExperimentParts,
  fillModelEvaluation,
  type ModelEvaluation,
  type ModelEvaluationDeclaration,
  modelEvaluationFields,
  type TokensOf,
  windowOf,
} from "../evaluation_kind.ts";

/** What evaluations that read whole documents have in common: consecutive segments that do not overlap. */
export interface DocumentEvaluation extends ModelEvaluation {
  /** Documents to evaluate on. */
  readonly split: "valid" | "test";
  /** Takes only the first documents of the split. */
  readonly maxDocuments?: number;
}

/** The same as declared. */
export interface DocumentEvaluationDeclaration extends ModelEvaluationDeclaration {
  /** Documents to evaluate on. */
  readonly split: "valid" | "test";
  /** Takes only the first documents of the split. */
  readonly maxDocuments?: number;
}

/** Forms of the fields of such an evaluation. */
export function documentEvaluationFields() {
  return {
    ...modelEvaluationFields(),
    split: oneOf("valid", "test"),
    maxDocuments: positiveInteger.exactOptional(),
  };
}

/** Fills in the fields of such an evaluation. */
export function fillDocumentEvaluation<const Kind extends string>(
  { memory: _override, ...fields }: DocumentEvaluationDeclaration & { readonly kind: Kind },
  from: EvaluationSurroundings,
): DocumentEvaluation & { readonly kind: Kind } {
  const declared = { memory: _override, ...fields } as DocumentEvaluationDeclaration;
  return {
    name: `${fields.kind}-${fields.split}`,
    ...fields,
    ...fillModelEvaluation(declared, from),
  };
}

/** Documents are those of the corpus, and a control reads others. */
export function documentProblems(
  evaluation: DocumentEvaluation & { readonly kind: string },
  path: string,
  { corpus }: Pick<ExperimentParts, "corpus">,
): Problem[] {
  const { kind, split, maxDocuments = Infinity } = evaluation;
  if (corpus.kind === "none") {
    return [wrong(
      `${path}.kind`,
      'must bring its own texts where corpus.kind is "none"',
      kind,
      "chapter-break, in-context-learning, squad, needle, efficiency, or a corpus of another kind",
    )];
  }
  const written = corpus.kind === "chronicle" ? corpus.books[split] : Infinity;
  return Math.min(maxDocuments, written) > 1 ? [] : controlProblems(evaluation, path, {
    rule: `reads another document, of which ${path} has none`,
    allowed: ", or two documents and more",
  });
}

/** At most so many of the documents. */
export function limitDocuments<Config extends DocumentEvaluation>(
  evaluation: Config,
  items: number,
): Config {
  return { ...evaluation, maxDocuments: Math.min(items, evaluation.maxDocuments ?? items) };
}

/** Which documents they are, in words. */
export function describeDocuments({ maxDocuments, split }: DocumentEvaluation): string {
  return `${atMost(maxDocuments, "documents")} of ${split}`;
}

/** Tokens that pass through each model. */
export async function documentTokens(
  { split, maxDocuments, contextTokens }: DocumentEvaluation,
  corpus: CorpusConfig,
): Promise<TokensOf | undefined> {
  const lengths = await documentLengths(corpus, split);
  return lengths && ((model) => {
    const window = windowOf(model, contextTokens);
    let tokens = 0;
    for (const length of lengths.slice(0, maxDocuments)) {
      for (let end = contextTokens; end < length + contextTokens; end += contextTokens) {
        tokens += Math.min(end, window);
      }
    }
    return tokens;
  });
}

/** Bytes of a token of English text, about, in a vocabulary like GPT-2's; smaller vocabularies have shorter tokens. */
export const bytesPerToken = 4;

/** Tokens of each document, about; undefined where files are missing. */
async function documentLengths(
  corpus: CorpusConfig,
  split: "valid" | "test",
): Promise<number[] | undefined> {
  switch (corpus.kind) {
    case "files": {
      const sources = corpus[split].map((part) => join(corpus.folder, part));
      const files = await ifThere(findDocuments(sources));
      if (files === undefined) return undefined;
      const bytes = files.slice(0, corpus.maxDocuments[split]).map(({ path }) => textBytes(path));
      return (await Promise.all(bytes)).map((count) => count / bytesPerToken);
    }
    case "chronicle": {
      const { books, drills, config, seed } = corpus;
      const writing = { ...config, pretraining: { books: books.train, drills } };
      const [book] = writeBooks(writing, { seed, count: 1 }); // all are about as long
      return Array(books[split]).fill(book.tokens.length);
    }
    case "none":
      return undefined;
    default:
      return corpus satisfies never;
  }
}

/** Bytes of a file's text; of a compressed one those that its last four bytes tell. */
async function textBytes(path: string): Promise<number> {
  const { size } = await Deno.stat(path);
  if (!path.endsWith(".gz") || size < 4) return size;
  using file = await Deno.open(path);
  await file.seek(-4, Deno.SeekMode.End);
  const end = new Uint8Array(4);
  await file.read(end);
  return new DataView(end.buffer).getUint32(0, true);
}
