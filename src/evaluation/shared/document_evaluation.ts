/**
 * Common parts of evaluations that read whole documents of a split.
 */
import { padId } from "../../backbone/shape.ts";
import { oneOf, positiveInteger } from "../../declaration/fields.ts";
import { type Problem, wrong } from "../../declaration/problem.ts";
import { corpora, type CorpusConfig } from "../../text/corpora/corpora.ts";
import {
  atMost,
  controlProblems,
  type EvaluationSurroundings,
  type ExperimentParts,
  fillModelEvaluation,
  limitOf,
  type ModelEvaluation,
  type ModelEvaluationDeclaration,
  type PromptedItems,
  readOptions,
  type TokensOf,
  windowOf,
} from "../evaluation_kind.ts";
import type { Measure } from "../measure.ts";
import type { SampleRecord } from "../../results/records.ts";
import { countWords, type TokenizedDocument } from "../../text/document_tokens.ts";
import { cutDocument, type DocumentSegments } from "../../text/segments.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { ClusteredDocument, PromptedModel } from "./language_model.ts";
import type { ReadOptions } from "./read_documents.ts";

/** Fields of evaluations that read whole documents in consecutive segments that do not overlap. */
export interface DocumentEvaluation extends ModelEvaluation {
  /** Documents to evaluate on. */
  readonly split: "valid" | "test";
  /** Takes only the first documents of the split. */
  readonly maxDocuments?: number;
  /** Reads only so many tokens at the beginning of each document; absent: whole documents. */
  readonly firstTokens?: number;
}

/** Forms of the fields of such an evaluation. */
export const documentFields = {
  split: oneOf("valid", "test"),
  maxDocuments: positiveInteger.exactOptional(),
  firstTokens: positiveInteger.exactOptional(),
};

function fillDocumentEvaluation<
  Declaration extends
    & Pick<DocumentEvaluation, "split">
    & ModelEvaluationDeclaration
    & { readonly kind: string },
>(declaration: Declaration, from: EvaluationSurroundings) {
  return {
    name: `${declaration.kind}-${declaration.split}`,
    ...fillModelEvaluation(declaration, from),
  };
}

/** Documents are those of the corpus, and a control reads others. */
function documentProblems(
  evaluation: DocumentEvaluation & { readonly kind: string },
  path: string,
  { corpus }: Pick<ExperimentParts, "corpus">,
): Problem[] {
  const { kind, split } = evaluation;
  const written = corpora.get(corpus.kind).documentCount?.(corpus, split) ?? Infinity;
  if (written === 0) {
    return [wrong(
      `${path}.kind`,
      `must bring its own texts where corpus.kind is "${corpus.kind}"`,
      kind,
      "chapter-break, in-context-learning, squad, questions, needle, efficiency, or a corpus of another kind",
    )];
  }
  const others = written - 1;
  return controlProblems(evaluation, path, {
    others,
    ...(others === 0
      ? {
        rule: `reads another document, of which ${path} has none`,
        allowed: ", or two documents and more",
      }
      : {
        rule: `reads more other documents than the ${others} that ${path} has`,
        allowed: `, or at most ${others} texts`,
      }),
  });
}

/** A document cut into segments, as models read it. */
export type ReadDocument = DocumentSegments & ClusteredDocument;

/** What kinds of such evaluations have in common. */
export const documentKind = {
  fill: fillDocumentEvaluation,
  check: documentProblems,
  limit: limitOf("maxDocuments"),
  describe: describeDocuments,
  splits: ({ split }: DocumentEvaluation) => [split],
  cost: documentTokens,
};

/**
 * The items of such an evaluation: documents cut into segments; a control reads others of them.
 *
 * @param all The documents of the split.
 * @param options.tokenizer Tokenizer of the documents.
 * @param options.known Further fields of a document, from the part of it that is read.
 * @param options.score Has a model read them: a record for each.
 * @param options.total A measure's count over all documents of the split (default: their number).
 */
export function documentItems<
  Source extends TokenizedDocument & Pick<ClusteredDocument, "cluster">,
  Known extends object,
>(
  evaluation: DocumentEvaluation,
  all: readonly Source[],
  { tokenizer, known, score, total = () => all.length }: {
    readonly tokenizer: TextDecoding;
    readonly known: (document: Source) => Known;
    readonly score: (
      model: PromptedModel,
      documents: readonly (ReadDocument & Known)[],
      options: ReadOptions,
    ) => Promise<SampleRecord[]>;
    readonly total?: (measure: Measure) => number;
  },
): PromptedItems {
  const { maxDocuments, contextTokens } = evaluation;
  const segmented = (whole: Source) => {
    const document = beginningOf(whole, evaluation, tokenizer);
    return {
      ...cutDocument(document, { contextTokens, pad: padId }),
      ...known(document),
      ...(document.cluster !== undefined && { cluster: document.cluster }),
    };
  };
  const documents = all.slice(0, maxDocuments).map(segmented);
  return {
    score: (model, scoring) => score(model, documents, readOptions(evaluation, documents, scoring)),
    texts: documents,
    ...(documents.length < all.length && {
      total,
      unscoredTexts: () => all.slice(documents.length).map(segmented),
    }),
  };
}

/** The first tokens of a document, and the words that these are. */
function beginningOf<Source extends TokenizedDocument>(
  document: Source,
  { firstTokens = Infinity }: DocumentEvaluation,
  tokenizer: TextDecoding,
): Source {
  if (document.tokens.length <= firstTokens) return document;
  const tokens = document.tokens.slice(0, firstTokens);
  return { ...document, tokens, words: wordsOf(tokens, tokenizer) };
}

/** Decodes tokens, and knows those between which texts begin and end. */
type TextDecoding = Pick<Tokenizer, "decode" | "specialIds">;

/** Words of a document of one text, or of a text for each line: no word is in two of them. */
function wordsOf(tokens: Int32Array, tokenizer: TextDecoding): number {
  const { bos, eos } = tokenizer.specialIds;
  let words = 0;
  for (let start = 0, i = 0; i <= tokens.length; i++) {
    if (i < tokens.length && tokens[i] !== bos && tokens[i] !== eos) continue;
    words += countWords(tokenizer.decode(tokens.subarray(start, i)));
    start = i + 1;
  }
  return words;
}

/** Which documents they are, and how much of each, in words. */
function describeDocuments({ maxDocuments, split, firstTokens }: DocumentEvaluation): string {
  const documents = `${atMost(maxDocuments, "documents")} of ${split}`;
  return firstTokens === undefined
    ? documents
    : `${firstTokens.toLocaleString("en")} tokens of ${documents}`;
}

/** Tokens that pass through each model. */
async function documentTokens(
  { split, maxDocuments, contextTokens, firstTokens = Infinity }: DocumentEvaluation,
  corpus: CorpusConfig,
): Promise<TokensOf | undefined> {
  const whole = await corpora.get(corpus.kind).documentTokens?.(corpus, split);
  const lengths = whole?.map((length) => Math.min(length, firstTokens));
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
