/**
 * RULER's generated tasks: needles, variable tracking, and common and frequent words, in texts of chosen lengths. The score is the
 * official one, the share of right answers that the written one contains (`string_match_all`). `src/text/benchmarks/ruler.ts`
 * describes the tasks and how they differ from the published generator; the two of question answering, which need data sets, are left
 * out.
 */
import { z } from "zod";
import { oneOf } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { composed } from "../declaration/registry.ts";
import { type RulerTask, rulerTasks, writeRulerText } from "../text/benchmarks/ruler.ts";
import { chronicleRuler, englishRuler } from "../text/benchmarks/ruler_wordings.ts";
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
import { stringMatchAll } from "./benchmarks/scorers.ts";
import {
  type DeclaredEvaluation,
  type EvaluationKind,
  fillModelEvaluation,
  onceReadMemory,
} from "./evaluation_kind.ts";

/** Facts that are found, followed and counted in long texts: RULER's generated tasks. */
export interface RulerEvaluation extends GeneratedEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "ruler";
  /** Tasks (default all eleven). */
  readonly tasks: readonly RulerTask[];
}

/** The same as declared. */
export type RulerDeclaration = DeclaredEvaluation<RulerEvaluation, "kind" | "lengths">;

const rulerSchema = composed(() =>
  z.strictObject({
    kind: z.literal("ruler"),
    ...generatedFields(),
    tasks: z.array(oneOf(...rulerTasks)).min(1).readonly().describe(
      `lists of ${rulerTasks.join(", ")}`,
    ).exactOptional(),
  })
);
type _SchemaAcceptsTheType = Assert<Accepts<ReturnType<typeof rulerSchema>, RulerDeclaration>>;

/** The kind of evaluation. */
export const ruler: EvaluationKind<
  RulerDeclaration,
  RulerEvaluation,
  z.infer<typeof benchmarkRecord>
> = {
  get schema() {
    return rulerSchema();
  },
  fill: ({ memory, ...fields }, from) => ({
    name: fields.kind,
    tasks: rulerTasks,
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
    const wording = inputs.tokenizer.kind === "chronicle" ? chronicleRuler : englishRuler;
    const { lengths, tasks, instances } = evaluation;
    const haystack = await readHaystack(evaluation, inputs);
    const items = lengths.flatMap((length) =>
      tasks.flatMap((task) =>
        Array.from({ length: instances }, (_, instance) => {
          const text = writeRulerText(task, {
            ...evaluation,
            wording,
            haystack,
            length,
            instance,
            count: (text) => tokenizer.encode(text).length,
          });
          const score = (prediction: string) => stringMatchAll(prediction, text.answers);
          return {
            ...text,
            name: `${task}/${length}/${instance}`,
            reference: wording.join(text.answers),
            score,
            // More text contains no less.
            isDone: (prediction: string) => score(prediction) === 1,
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
