/**
 * The kinds of evaluation: a file each, and a line here.
 */
import { chapterBreak } from "./chapter_break.ts";
import { efficiency } from "./efficiency.ts";
import { schemaProblem } from "../results/record_schemas.ts";
import type { Metric, SampleRecord } from "../results/records.ts";
import type { EvaluationKind } from "./evaluation_kind.ts";
import { inContextLearning } from "./in_context_learning.ts";
import { needle } from "./needle.ts";
import { perplexity } from "./perplexity.ts";
import { recall } from "./recall.ts";
import { squad } from "./squad.ts";

/** All kinds, by name. */
export const evaluations: ReadonlyMap<string, EvaluationKind<never, unknown>> = new Map(
  Object.entries<EvaluationKind<never, unknown>>({
    "perplexity": perplexity,
    "recall": recall,
    "chapter-break": chapterBreak,
    "in-context-learning": inContextLearning,
    "squad": squad,
    "needle": needle,
    "efficiency": efficiency,
  }),
);

/**
 * The kind of an evaluation.
 *
 * @throws {TypeError} If there is no such kind.
 */
export function kindOf<Config extends { readonly kind: string }>(
  { kind }: Config,
): EvaluationKind<Config, unknown> {
  const found = evaluations.get(kind);
  if (!found) throw new TypeError(`Cannot find a kind of evaluation named "${kind}"`);
  return found as EvaluationKind<Config, unknown>;
}

/** The evaluations of which some metrics were measured by an older version, so that they would be other numbers now. */
export function outdatedEvaluations<
  Config extends { readonly kind: string; readonly name: string },
>(
  configs: readonly Config[],
  metrics: readonly Metric[],
): Config[] {
  return configs.filter((config) => {
    const { version } = kindOf(config);
    return metrics.some(({ evaluation, measure, metricVersion }) =>
      evaluation === config.name && metricVersion < version(measure)
    );
  });
}

/**
 * What is wrong with the records of an evaluation's items, with the item and the field; undefined where nothing is, or the kind
 * is not known.
 */
export function itemProblem(
  samples: readonly SampleRecord[],
  kind: string | undefined,
): string | undefined {
  const known = evaluations.get(kind ?? "");
  if (!known) return undefined;
  for (const sample of samples) {
    const problem = schemaProblem(known.record, sample);
    if (problem !== undefined) return `item "${sample.item}" is wrong: ${problem}`;
  }
  return undefined;
}
