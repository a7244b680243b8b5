/**
 * RULER's generated tasks: needles, variable tracking, and common and frequent words, in texts of chosen lengths. The score is the
 * official one, the share of right answers that the written one contains (`string_match_all`). `src/text/benchmarks/ruler.ts`
 * describes the tasks and how they differ from the published generator; the two of question answering, which need data sets, are left
 * out.
 */
import { type RulerTask, rulerTasks, writeRulerText } from "../text/benchmarks/ruler.ts";
import { chronicleRuler, englishRuler } from "../text/benchmarks/ruler_wordings.ts";
import { untilRight } from "./benchmarks/format.ts";
import { type GeneratedEvaluation, generatedKind } from "./benchmarks/generated.ts";
import { stringMatchAll } from "./benchmarks/scorers.ts";
import type { DeclaredEvaluation } from "./evaluation_kind.ts";

/** Facts that are found, followed and counted in long texts: RULER's generated tasks. */
export type RulerEvaluation = GeneratedEvaluation<"ruler", RulerTask>;

/** The same as declared. */
export type RulerDeclaration = DeclaredEvaluation<RulerEvaluation, "kind" | "lengths">;

export const ruler = generatedKind({
  kind: "ruler",
  tasks: rulerTasks,
  wordings: { english: englishRuler, chronicle: chronicleRuler },
  write: writeRulerText,
  scoring: ({ answers }, wording) => ({
    reference: wording.join(answers),
    ...untilRight((prediction) => stringMatchAll(prediction, answers)),
  }),
});
