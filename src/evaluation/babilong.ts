/**
 * BABILong's first five tasks: stories in the form of bAbI, told among the sentences of a long text. The score is the official one:
 * the right answer must be the only one of a task's labels that the first sentence of the written one names, apart from those that
 * the question names (`compare_answers`). `src/text/benchmarks/babi.ts` describes the stories.
 */
import { type BabiTask, babiTasks, writeBabiText } from "../text/benchmarks/babi.ts";
import { chronicleBabi, englishBabi } from "../text/benchmarks/babi_wordings.ts";
import { type GeneratedEvaluation, generatedKind } from "./benchmarks/generated.ts";
import { compareAnswers, endsFirstSentence } from "./benchmarks/scorers.ts";
import type { DeclaredEvaluation } from "./evaluation_kind.ts";

/** Stories of persons, places and things among the sentences of long texts: BABILong's first five tasks. */
export type BabilongEvaluation = GeneratedEvaluation<"babilong", BabiTask>;

/** The same as declared. */
export type BabilongDeclaration = DeclaredEvaluation<BabilongEvaluation, "kind" | "lengths">;

export const babilong = generatedKind({
  kind: "babilong",
  tasks: babiTasks,
  wordings: { english: englishBabi, chronicle: chronicleBabi },
  write: writeBabiText,
  scoring: ({ answers: [target], asked: question, labels }) => ({
    score: (prediction) => Number(compareAnswers(prediction, { target, question, labels })),
    isDone: endsFirstSentence,
  }),
});
