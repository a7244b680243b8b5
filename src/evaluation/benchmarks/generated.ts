/**
 * Generated benchmarks: texts of chosen lengths, and a haystack among whose sentences facts are hidden. A benchmark is a file that
 * calls {@linkcode generatedKind} with its tasks, wordings and scores.
 */
import { z } from "zod";
import { oneOf, positiveInteger, positiveIntegers, seed, text } from "../../declaration/fields.ts";
import { type Problem, repetitions } from "../../declaration/problem.ts";
import type { Accepts, Assert } from "../../declaration/part.ts";
import { sha256Of } from "../../sha256.ts";
import type { GeneratedText, TextOptions } from "../../text/benchmarks/generated_text.ts";
import { type Haystack, haystackOf } from "../../text/benchmarks/haystack.ts";
import { openCorpus } from "../../text/corpus.ts";
import { chronicleOf, corpora } from "../../text/corpora/corpora.ts";
import type { Split } from "../../text/corpora/corpus_kind.ts";
import {
  answerRoomProblems,
  type DeclaredEvaluation,
  evaluationForm,
  type EvaluationInputs,
  type EvaluationKind,
  type ExperimentParts,
  fillModelEvaluation,
  limitOf,
  type ModelEvaluation,
  onceReadMemory,
  textLengthProblems,
  windowOf,
  writtenTokenProblems,
} from "../evaluation_kind.ts";
import {
  type AnswerEnd,
  answerEnds,
  type BenchmarkItem,
  benchmarkItems,
  benchmarkKind,
  type BenchmarkRecord,
} from "./benchmark.ts";

/** A generated benchmark, as it is evaluated. */
export interface GeneratedEvaluation<Kind extends string = string, Task extends string = string>
  extends ModelEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: Kind;
  /** Tasks (default all). */
  readonly tasks: readonly Task[];
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

type GeneratedDeclaration<Kind extends string, Task extends string> = DeclaredEvaluation<
  GeneratedEvaluation<Kind, Task>,
  "kind" | "lengths"
>;

/** A benchmark whose texts are generated. */
export interface GeneratedBenchmark<
  Kind extends string,
  Task extends string,
  Wording,
  Text extends GeneratedText,
> {
  readonly kind: Kind;
  /** Its tasks, in the order of tables. */
  readonly tasks: readonly [Task, ...Task[]];
  /** Its words in English, and those of the chronicle, whose vocabulary has no others. */
  readonly wordings: { readonly english: Wording; readonly chronicle: Wording };
  readonly write: (task: Task, options: TextOptions<Wording>) => Text;
  /** How an answer to the question of a text is scored. */
  readonly scoring: (
    text: Text,
    wording: Wording,
  ) => Pick<BenchmarkItem, "score" | "isDone" | "reference">;
}

function formOf<const Kind extends string, const Task extends string>(
  { kind, tasks }: Pick<GeneratedBenchmark<Kind, Task, never, never>, "kind" | "tasks">,
) {
  return evaluationForm(kind, () => ({
    lengths: positiveIntegers,
    instances: positiveInteger.exactOptional(),
    seed: seed.exactOptional(),
    split: oneOf("train", "valid", "test").exactOptional(),
    haystack: text.exactOptional(),
    maxAnswerTokens: positiveInteger.exactOptional(),
    stop: oneOf(...answerEnds).exactOptional(),
    tasks: z.array(oneOf(...tasks)).min(1).readonly().describe(`lists of ${tasks.join(", ")}`)
      .exactOptional(),
  }));
}
type _FormAcceptsTheType = Assert<
  Accepts<
    ReturnType<ReturnType<typeof formOf<"kind", "task">>>,
    GeneratedDeclaration<"kind", "task">
  >
>;

/** The kind of evaluation of a generated benchmark. */
export function generatedKind<
  const Kind extends string,
  Task extends string,
  Wording,
  Text extends GeneratedText,
>(
  benchmark: GeneratedBenchmark<Kind, Task, Wording, Text>,
): EvaluationKind<
  GeneratedDeclaration<Kind, Task>,
  GeneratedEvaluation<Kind, Task>,
  BenchmarkRecord
> {
  const form = formOf(benchmark);
  return {
    schema: form,
    fill: (declared, from) => ({
      name: declared.kind,
      tasks: benchmark.tasks,
      instances: 24,
      seed: 1,
      split: "test",
      stop: "official",
      ...fillModelEvaluation(declared, from, onceReadMemory),
    }),
    check: checkGenerated,
    limit: limitOf("instances"),
    describe: ({ tasks, lengths, instances }) =>
      `${instances} instances of ${tasks.join(", ")}, of ${lengths.join(", ")} tokens`,
    files: ({ haystack }) => haystack === undefined ? [] : [{ field: "haystack", path: haystack }],
    splits: ({ haystack, split }) => haystack === undefined ? [split] : [],
    // The texts pass twice, for likelihoods and for written answers, of which every token takes a window.
    cost({ lengths, instances, tasks, contextTokens, maxAnswerTokens = 64 }) {
      const texts = lengths.length * instances * tasks.length;
      const read = 2 * lengths.reduce((sum, length) => sum + length, 0) * instances * tasks.length;
      return (model) => read + texts * maxAnswerTokens * windowOf(model, contextTokens);
    },
    async prepare(evaluation, inputs) {
      const { tokenizer } = inputs.texts, { english, chronicle } = benchmark.wordings;
      const wording = chronicleOf(inputs.corpus) ? chronicle : english;
      const { lengths, tasks, instances } = evaluation;
      const haystack = await readHaystack(evaluation, inputs);
      const count = (text: string) => tokenizer.encode(text).length;
      const items = lengths.flatMap((length) =>
        tasks.flatMap((task) =>
          Array.from({ length: instances }, (_, instance) => {
            const text = benchmark.write(task, {
              ...evaluation,
              wording,
              haystack,
              length,
              instance,
              count,
            });
            const name = `${task}/${length}/${instance}`;
            return { ...text, name, ...benchmark.scoring(text, wording) };
          })
        )
      );
      return benchmarkItems(evaluation, items, { tokenizer });
    },
    ...benchmarkKind,
  };
}

function checkGenerated(
  evaluation: GeneratedEvaluation,
  path: string,
  { corpus }: ExperimentParts,
): Problem[] {
  const { lengths, instances, tasks, haystack, split } = evaluation;
  const tokens = tasks.length * lengths.reduce((sum, length) => sum + length, 0);
  const tooLong = textLengthProblems(lengths, `${path}.lengths`);
  return [
    ...repetitions(lengths, `${path}.lengths`, "numbers"),
    ...repetitions(tasks, `${path}.tasks`, "tasks"),
    ...answerRoomProblems(evaluation, path),
    ...(tooLong.length > 0
      ? tooLong
      : writtenTokenProblems(instances, `${path}.instances`, { tokens })),
    ...(haystack === undefined && corpora.get(corpus.kind).documentCount?.(corpus, split) === 0
      ? [{
        path: `${path}.haystack`,
        message:
          `is missing: a text among whose sentences facts are hidden, as corpus.kind is "${corpus.kind}"`,
      }]
      : []),
  ];
}

async function readHaystack(
  { haystack, split, kind }: GeneratedEvaluation,
  { corpus, texts, recordHash }: EvaluationInputs,
): Promise<Haystack> {
  const documents = await (haystack === undefined ? texts.texts(split) : openCorpus(haystack));
  if (haystack !== undefined) {
    const hashes = documents.map(({ sha256 }) => sha256);
    await recordHash(`${kind} haystack`, sha256Of(hashes.join("\n")));
  }
  // A sentence of the chronicle is a line.
  const lines = chronicleOf(corpus) !== undefined;
  return haystackOf(documents.map(({ text }) => text), { lines });
}
