/** The lines that a training leaves in `metrics.jsonl`: each step once and in order, with the validations between. */
import type { MetricsRecord } from "../results/records.ts";
import type { TrainingConfig } from "../training/config.ts";

export interface MissingLine {
  /** Lines of the training before it. */
  readonly after: number;
  /** The line found, `train 3`, and the expected one: `none` behind the last. */
  readonly current: string;
  readonly allowed: string;
}

/**
 * Finds the first line that a training lacks, or has too many; undefined where they are whole.
 *
 * @param lines Those of the training, up to a step.
 * @param step The step that it has reached.
 */
export function missingLine(
  lines: readonly Pick<MetricsRecord, "split" | "step">[],
  { steps, validateEverySteps }: Pick<TrainingConfig, "steps" | "validateEverySteps">,
  step: number,
): MissingLine | undefined {
  const recorded = lines.map((line) => `${line.split} ${line.step}`);
  const expected: string[] = [];
  for (let i = 1; i <= step; i++) {
    expected.push(`train ${i}`);
    const validates = validateEverySteps && (i === steps || i % validateEverySteps === 0);
    if (validates) expected.push(`valid ${i}`);
  }
  const [first] = expected.keys().filter((i) => recorded[i] !== expected[i]);
  if (first === undefined && recorded.length === expected.length) return undefined;
  const after = first ?? expected.length;
  return { after, current: recorded[after] ?? "none", allowed: expected[after] ?? "none" };
}
