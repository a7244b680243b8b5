import type { EvaluationConfig } from "../experiment/declaration.ts";
import type { Metric } from "../results/records.ts";
import { chapterBreakVersion } from "../evaluation/chapter_break.ts";
import { efficiencyVersion } from "../evaluation/efficiency.ts";
import { inContextLearningVersion } from "../evaluation/in_context_learning.ts";
import { needleVersion } from "../evaluation/needle.ts";
import { perplexityVersion } from "../evaluation/perplexity.ts";
import { recallVersion } from "../evaluation/recall.ts";
import { squadVersion } from "../evaluation/squad.ts";

/** Whether a metric was measured by an older version of its evaluation, so that it would be another number now. */
function isOutdated(
  { name, metricVersion }: Metric,
  { kind }: Pick<EvaluationConfig, "kind">,
): boolean {
  switch (kind) {
    case "perplexity":
      return metricVersion < perplexityVersion;
    case "recall":
      return metricVersion < (name.startsWith("recall ") ? recallVersion : perplexityVersion);
    case "chapter-break":
      return metricVersion < chapterBreakVersion;
    case "in-context-learning":
      return metricVersion < inContextLearningVersion;
    case "squad":
      return metricVersion < squadVersion;
    case "efficiency":
      return metricVersion < efficiencyVersion;
    case "needle":
      return metricVersion < needleVersion;
    default:
      return kind satisfies never;
  }
}

/** The evaluations whose metrics, or some of them, are outdated. */
export function outdatedEvaluations<E extends Pick<EvaluationConfig, "kind" | "name">>(
  evaluations: readonly E[],
  metrics: readonly Metric[],
): E[] {
  return evaluations.filter((evaluation) =>
    metrics.some((metric) =>
      metric.evaluation === evaluation.name && isOutdated(metric, evaluation)
    )
  );
}
