import type { TensorMap } from "../tensor.ts";
import type { SegmentStream } from "../text/segments.ts";
import {
  type BestWeights,
  loadCheckpoint,
  type LoadOptions,
  saveCheckpoint,
} from "./checkpoint.ts";
import type { TrainingConfig } from "./config.ts";
import type { StepMetrics, Trainer } from "./trainer.ts";
import { InputError } from "../errors.ts";

/** Context of a training. */
export interface TrainOptions {
  readonly config: TrainingConfig;
  readonly checkpointFolder: string;
  /** Aborted when the training should save a checkpoint and stop. */
  readonly signal: AbortSignal;
  /** Measures the loss of weights on the valid split, in nats a token, where the training validates. */
  readonly validate?: (weights: TensorMap) => Promise<number>;
  /** Told the step that a resumed training continues from; 0 for a new one. */
  readonly onStart?: (step: number) => Promise<void>;
  readonly onStep?: (metrics: StepMetrics) => Promise<void>;
  readonly onValidation?: (step: number, loss: number) => Promise<void>;
  /** Called before a checkpoint is written: makes the records of its steps last, and checks that the folder is still this process's. */
  readonly onSave?: () => Promise<void>;
  /** Which checkpoint it continues from. */
  readonly load?: LoadOptions;
}

/**
 * Trains to the end of the schedule, continuing from the newest checkpoint, and returns the weights that were best on the
 * valid split (the last ones where nothing validates).
 *
 * @throws The signal's reason once aborted, after a checkpoint; errors of the trainer at non-finite losses.
 */
export async function train(
  trainer: Trainer,
  stream: SegmentStream,
  options: TrainOptions,
): Promise<BestWeights> {
  const { config, checkpointFolder, signal, validate } = options;
  const saved = await loadCheckpoint(checkpointFolder, options.load);
  let best = saved?.best;
  if (saved) {
    await trainer.restore(saved.trainer);
    stream.seek(saved.position);
  }
  await options.onStart?.(trainer.step);
  let savedStep = saved?.trainer.step, savedBatches = saved?.trainer.begun?.batches ?? 0;
  const save = async () => {
    // Writing the newest checkpoint once more would risk it.
    if (savedStep === trainer.step && savedBatches === trainer.begunBatches) return;
    await saveCheckpoint(checkpointFolder, {
      trainer: await trainer.save(),
      position: stream.position(),
      best,
    }, options.onSave);
    savedStep = trainer.step;
    savedBatches = trainer.begunBatches;
  };

  const record = async (which?: { latest: boolean }) => {
    for await (const metrics of trainer.results(which)) await options.onStep?.(metrics);
  };

  while (trainer.step < config.steps) {
    if (signal.aborted) {
      await record();
      await save();
      signal.throwIfAborted();
    }
    const { diagnoseEverySteps, validateEverySteps, checkpointEverySteps } = config;
    const diagnoses = diagnoseEverySteps !== undefined &&
      ((trainer.step + 1) % diagnoseEverySteps === 0 || trainer.step + 1 === config.steps);
    if (!await trainer.advance(() => stream.next(), signal, { diagnoses })) continue; // saves, and stops
    const { step } = trainer;
    const isLast = step === config.steps;
    const saves = isLast || step % checkpointEverySteps === 0;
    const validates = validate && validateEverySteps &&
      (isLast || step % validateEverySteps === 0);
    if (saves || validates) await record();
    else if (trainer.resultsAreDue) await record({ latest: false });
    if (validates) {
      const weights = await trainer.weights();
      const loss = await validate(weights);
      if (!Number.isFinite(loss)) {
        throw new InputError(
          `Cannot continue training as the loss on the valid split after step ${step} is ${loss}: the last checkpoint is of step ${
            savedStep ?? 0
          }`,
        );
      }
      await options.onValidation?.(step, loss);
      if (!best || loss < best.loss) best = { step, loss, weights };
    }
    if (saves) await save();
  }
  return best ?? { step: trainer.step, loss: NaN, weights: await trainer.weights() };
}
