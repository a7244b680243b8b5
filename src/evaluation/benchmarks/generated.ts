/**
 * What generated benchmarks share: texts of chosen lengths, and a haystack among whose sentences facts are hidden.
 */
import { oneOf, positiveInteger, positiveIntegers, seed, text } from "../../declaration/fields.ts";
import { type Problem, repetitions, wrong } from "../../declaration/problem.ts";
import { sha256Of } from "../../sha256.ts";
import { type Haystack, haystackOf } from "../../text/benchmarks/haystack.ts";
import { openCorpus } from "../../text/corpus.ts";
import type { Split } from "../../text/corpora/corpus_kind.ts";
import {
  answerRoomProblems,
  bankProblems,
  type EvaluationInputs,
  type ExperimentParts,
  type ModelEvaluation,
  modelEvaluationFields,
  mostTextTokens,
  mostWrittenTokens,
  type NamedPath,
  type TokensOf,
  windowOf,
} from "../evaluation_kind.ts";
import { type AnswerEnd, answerEnds } from "./benchmark.ts";

/** Fields of generated benchmarks. */
export interface GeneratedEvaluation extends ModelEvaluation {
  /** Its name. */
  readonly kind: string;
  /** Tokens of a text with its question and answer at most; each has its own metrics. */
  readonly lengths: readonly number[];
  /** Texts of each task and length (default 24). */
  readonly instances: number;
  /** Seed of the texts (default 1). */
  readonly seed: number;
  /** Split of the corpus whose sentences surround facts (default test). */
  readonly split: Split;
  /** Text files, or a folder of such, in place of the corpus; relative to the folder in which the command runs. */
  readonly haystack?: string;
  /** Tokens of a written answer at most (default: the task's own); every one takes a pass over the whole prompt. */
  readonly maxAnswerTokens?: number;
  /** Whether an answer also ends with its first line (default official: it does not). */
  readonly stop: AnswerEnd;
}

/** Forms of these fields. */
export function generatedFields() {
  return {
    ...modelEvaluationFields(),
    lengths: positiveIntegers,
    instances: positiveInteger.exactOptional(),
    seed: seed.exactOptional(),
    split: oneOf("train", "valid", "test").exactOptional(),
    haystack: text.exactOptional(),
    maxAnswerTokens: positiveInteger.exactOptional(),
    stop: oneOf(...answerEnds).exactOptional(),
  };
}

/** Defaults of these fields. */
export const generatedDefaults = {
  instances: 24,
  seed: 1,
  split: "test",
  stop: "official",
} as const satisfies Partial<GeneratedEvaluation>;

/** Values of these fields that do not fit. */
export function generatedProblems(
  evaluation: GeneratedEvaluation & { readonly tasks: readonly string[] },
  path: string,
  { corpus }: ExperimentParts,
): Problem[] {
  const { lengths, instances, tasks, memory, maxAnswerTokens, contextTokens, haystack } =
    evaluation;
  const longest = Math.max(...lengths);
  const most = Math.floor(
    mostWrittenTokens / (tasks.length * lengths.reduce((sum, length) => sum + length, 0)),
  );
  return [
    ...repetitions(lengths, `${path}.lengths`, "numbers"),
    ...repetitions(tasks, `${path}.tasks`, "tasks"),
    ...bankProblems(memory, path),
    ...(maxAnswerTokens === undefined
      ? []
      : answerRoomProblems({ maxAnswerTokens, contextTokens }, path)),
    ...lengths.flatMap((length, i) =>
      length <= mostTextTokens ? [] : [wrong(
        `${path}.lengths.${i}`,
        "must fit a text",
        length,
        `integers from 1 to ${mostTextTokens}`,
      )]
    ),
    ...(longest > mostTextTokens || instances <= most ? [] : [wrong(
      `${path}.instances`,
      `must write ${mostWrittenTokens} tokens at most`,
      instances,
      `integers from 1 to ${most}`,
    )]),
    ...(corpus.kind === "none" && haystack === undefined
      ? [{
        path: `${path}.haystack`,
        message:
          'is missing: a text among whose sentences facts are hidden, as corpus.kind is "none"',
      }]
      : []),
  ];
}

/** The same evaluation of fewer texts of each task and length. */
export function limitGenerated<Evaluation extends GeneratedEvaluation>(
  evaluation: Evaluation,
  items: number,
): Evaluation {
  return { ...evaluation, instances: Math.min(items, evaluation.instances) };
}

/** The texts in words. */
export function describeGenerated(
  { tasks, lengths, instances }: GeneratedEvaluation & { readonly tasks: readonly string[] },
): string {
  return `${instances} instances of ${tasks.join(", ")}, of ${lengths.join(", ")} tokens`;
}

/** The files of the haystack. */
export function generatedFiles({ haystack }: GeneratedEvaluation): Promise<NamedPath[]> {
  return Promise.resolve(haystack === undefined ? [] : [{ field: "haystack", path: haystack }]);
}

/** The split of the corpus that is read. */
export function generatedSplits({ haystack, split }: GeneratedEvaluation): Split[] {
  return haystack === undefined ? [split] : [];
}

/** Tokens that pass each model: the texts twice, for likelihoods and for written answers, of which every token takes a window. */
export function generatedCost(
  evaluation: GeneratedEvaluation,
  tasks: number,
): Promise<TokensOf> {
  const { lengths, instances, contextTokens, maxAnswerTokens = 64 } = evaluation;
  const texts = lengths.length * instances * tasks;
  const read = 2 * lengths.reduce((sum, length) => sum + length, 0) * instances * tasks;
  return Promise.resolve((model) =>
    read + texts * maxAnswerTokens * windowOf(model, contextTokens)
  );
}

/** Reads the haystack. */
export async function readHaystack(
  { haystack, split, kind }: GeneratedEvaluation,
  { corpus, tokenizer, texts, recordHash }: EvaluationInputs,
): Promise<Haystack> {
  // A sentence of the chronicle is a line.
  const lines = tokenizer.kind === "chronicle";
  if (haystack !== undefined) {
    const documents = await openCorpus(haystack);
    const hashes = documents.map(({ sha256 }) => sha256);
    await recordHash(`${kind} haystack`, sha256Of(hashes.join("\n")));
    return haystackOf(documents.map(({ text }) => text), { lines });
  }
  const read = corpus.kind === "chronicle"
    ? (await texts.books(split)).map((book) => book.text())
    : (await texts.texts(split)).map(({ text }) => text);
  return haystackOf(read, { lines });
}
