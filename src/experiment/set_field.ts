import { setField, valueAt } from "../declaration/field_path.ts";
import { type TrainingDeclaration, warmupAfter } from "../training/config.ts";
import type { Experiment } from "./declaration.ts";

/**
 * Sets a field of an experiment, by the command line or a sweep; a warm-up that would be longer than its training follows the
 * steps, unless it is among the fields that are set.
 *
 * @param fixed Paths of all the fields that are set.
 */
export function setExperimentField(
  experiment: Experiment,
  path: string,
  value: unknown,
  fixed: readonly string[],
): void {
  const keys = path.split("."), owners = keys.slice(0, -1);
  const trainingOf = () => valueAt(experiment, owners) as TrainingDeclaration | undefined;
  const before = trainingOf()?.steps;
  setField(experiment, keys, value);
  const warmup = [...owners, "warmupSteps"], training = trainingOf();
  if (keys.at(-1) !== "steps" || before === undefined || fixed.includes(warmup.join("."))) return;
  if (typeof value !== "number" || training?.warmupSteps === undefined) return;
  setField(experiment, warmup, warmupAfter(training, before));
}
