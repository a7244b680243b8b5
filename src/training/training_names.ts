/**
 * The trainings of a run: their names in `metrics.jsonl`, which are those of the folders of their checkpoints.
 */

/** Name of the training of a backbone. */
export const backboneTraining = "backbone";

/** Name of the adaptation of a SideNet with memory, whose weights are the LongMem of a run. */
export const sideNetTraining = "longmem";

/** Names of trainings that are done only for models under test that ask for them. */
export const comparedTrainings = ["sidenet-without-memory", "memorizing-transformer"] as const;

/** Such a name. */
export type ComparedTraining = (typeof comparedTrainings)[number];

/** Name of a training. */
export type TrainingName = typeof backboneTraining | typeof sideNetTraining | ComparedTraining;

/** Whether a training adapts a backbone, which stays as it is. */
export function isAdaptation(name: string): boolean {
  return name !== backboneTraining;
}
