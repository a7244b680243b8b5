/**
 * BABILong's first five tasks: stories in the form of bAbI, told among the sentences of a long text. The score is the official one:
 * the right answer must be the only one of a task's labels that the first sentence of the written one names, apart from those that
 * the question names (`compare_answers`). `src/text/benchmarks/babi.ts` describes the stories.
 */
import { z } from "zod";
import { oneOf } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { composed } from "../declaration/registry.ts";
import { type BabiTask, babiTasks, writeBabiText } from "../text/benchmarks/babi.ts";
import { chronicleBabi, englishBabi } from "../text/benchmarks/babi_wordings.ts";
import {
  benchmarkItems,
  benchmarkLabel,
  benchmarkMeasures,
  benchmarkRecord,
  benchmarkVersion,
  chance,
} from "./benchmarks/benchmark.ts";
import {
  describeGenerated,
  generatedCost,
  generatedDefaults,
  type GeneratedEvaluation,
  generatedFields,
  generatedFiles,
  generatedProblems,
  generatedSplits,
  limitGenerated,
  readHaystack,
} from "./benchmarks/generated.ts";
import { compareAnswers, endsFirstSentence } from "./benchmarks/scorers.ts";
import {
  type DeclaredEvaluation,
  type EvaluationKind,
  fillModelEvaluation,
  onceReadMemory,
} from "./evaluation_kind.ts";

/** Stories of persons, places and things among the sentences of long texts: BABILong's first five tasks. */
export interface BabilongEvaluation extends GeneratedEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "babilong";
  /** Tasks (default all five). */
  readonly tasks: readonly BabiTask[];
}

/** The same as declared. */
export type BabilongDeclaration = DeclaredEvaluation<BabilongEvaluation, "kind" | "lengths">;

const babilongSchema = composed(() =>
  z.strictObject({
    kind: z.literal("babilong"),
    ...generatedFields(),
    tasks: z.array(oneOf(...babiTasks)).min(1).readonly().describe(
      `lists of ${babiTasks.join(", ")}`,
    ).exactOptional(),
  })
);
type _SchemaAcceptsTheType = Assert<
  Accepts<ReturnType<typeof babilongSchema>, BabilongDeclaration>
>;

/** The kind of evaluation. */
export const babilong: EvaluationKind<
  BabilongDeclaration,
  BabilongEvaluation,
  z.infer<typeof benchmarkRecord>
> = {
  get schema() {
    return babilongSchema();
  },
  fill: ({ memory, ...fields }, from) => ({
    name: fields.kind,
    tasks: babiTasks,
    ...generatedDefaults,
    ...fields,
    ...fillModelEvaluation({ ...fields, ...(memory && { memory }) }, from, onceReadMemory),
  }),
  check: generatedProblems,
  limit: limitGenerated,
  describe: describeGenerated,
  files: generatedFiles,
  splits: generatedSplits,
  cost: (evaluation) => generatedCost(evaluation, evaluation.tasks.length),
  async prepare(evaluation, inputs) {
    const { tokenizer } = inputs.texts;
    const wording = inputs.tokenizer.kind === "chronicle" ? chronicleBabi : englishBabi;
    const { lengths, tasks, instances } = evaluation;
    const haystack = await readHaystack(evaluation, inputs);
    const items = lengths.flatMap((length) =>
      tasks.flatMap((task) =>
        Array.from({ length: instances }, (_, instance) => {
          const text = writeBabiText(task, {
            ...evaluation,
            wording,
            haystack,
            length,
            instance,
            count: (text) => tokenizer.encode(text).length,
          });
          const { answers: [target], asked, labels } = text;
          return {
            ...text,
            name: `${task}/${length}/${instance}`,
            score: (prediction: string) =>
              Number(compareAnswers(prediction, { target, question: asked, labels })),
            isDone: endsFirstSentence,
          };
        })
      )
    );
    return benchmarkItems(evaluation, items, { tokenizer });
  },
  withoutModel: [chance],
  version: () => benchmarkVersion,
  record: benchmarkRecord,
  measures: benchmarkMeasures,
  label: benchmarkLabel,
};
