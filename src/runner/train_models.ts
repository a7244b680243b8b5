import { sideNetKindOf } from "../checkpoint/sidenets.ts";
import { checkTokens, checkVocabulary } from "../checkpoint/vocabulary.ts";
import type { TrainedModels } from "../evaluation/model_kind.ts";
import { hashFrozen, hashTensors } from "../formats/tensor_hash.ts";
import type { StoredWeights, TrainedWeights } from "../backbone/config.ts";
import { type BackboneConfig, backbones } from "../experiment/backbones.ts";
import type { ResolvedExperiment } from "../experiment/declaration.ts";
import { trainingsOf } from "../experiment/trainings.ts";
import { checkBackbone } from "../experiment/validation.ts";
import type { Device } from "../runtime/device.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { tokenizers } from "../text/tokenizers/tokenizers.ts";
import type { TrainingConfig } from "../training/config.ts";
import { backboneTraining, sideNetTraining } from "../training/adaptation.ts";
import type { RunContext } from "./run_context.ts";
import type { RunText } from "../text/corpora/corpus_kind.ts";
import { runPhase } from "./training.ts";
import { InputError } from "../errors.ts";
import type { BackboneCheckpoint } from "../backbone/shape.ts";
import { valueAt } from "../declaration/field_path.ts";
import { type LongMemParts, withTrained } from "../longmem/parts.ts";

/** The frozen language model of a run: read from a checkpoint, or pretrained here. */
export async function obtainBackbone(
  experiment: ResolvedExperiment,
  text: RunText,
  device: Device,
  context: RunContext,
): Promise<BackboneCheckpoint> {
  const { backbone: config, seed } = experiment, { results } = context;
  const { stored, trained } = backbones.get(config.kind);
  const backbone = trained ? await pretrain(trained) : await read(stored);
  checkBackbone(experiment, backbone.shape);
  await results.recordHash("backbone", hashFrozen(backbone.weights));
  return backbone;

  async function read(stored: StoredWeights<BackboneConfig>): Promise<BackboneCheckpoint> {
    const { backbone, commit } = await stored.read(config);
    if (commit !== undefined) await results.recordHash("backbone commit", commit);
    checkTokenizer(experiment, backbone, text.tokenizer);
    if (!tokenizers.get(experiment.tokenizer.kind).besideWeights) {
      const of = weightsOf(experiment);
      await checkTokens(text.tokenizer, () => stored.tokenizer(config), { of });
    }
    return backbone;
  }

  async function pretrain(
    kind: TrainedWeights<BackboneConfig, TrainingConfig>,
  ): Promise<BackboneCheckpoint> {
    const training = kind.training(config);
    const backbone = await kind.start(config, text.tokenizer.vocabSize, seed);
    checkTokenizer(experiment, backbone, text.tokenizer);
    const trainer = { device, config: training, seed, parts: { backbone } };
    const weights = await runPhase({ name: backboneTraining, trainer }, text, experiment, context);
    return { ...backbone, contextTokens: training.contextTokens, weights };
  }
}

/**
 * Checks that a backbone can have been trained on a tokenizer's ids. Its vocabulary may be padded beyond that of some kinds; a
 * fairseq dictionary holds its own padding, and those that this project makes have none, so that another size of them means other
 * ids, as where a `dict.txt` is cut off.
 *
 * @throws {RangeError} Where it cannot.
 */
function checkTokenizer(
  experiment: ResolvedExperiment,
  { shape }: Pick<BackboneCheckpoint, "shape">,
  tokenizer: Pick<Tokenizer, "vocabSize" | "specialIds">,
): void {
  const { isPadded } = tokenizers.get(experiment.tokenizer.kind);
  checkVocabulary(tokenizer, shape, { of: weightsOf(experiment), isExact: !isPadded });
}

/** A tokenizer and the weights that it is used with, for errors. */
function weightsOf({ tokenizer: { kind }, backbone }: ResolvedExperiment): string {
  const source = ["path", "repo", "initialization.path"]
    .find((field) => valueAt(backbone, field.split(".")) !== undefined);
  const field = source
    ? `backbone.${source} "${valueAt(backbone, source.split("."))}"`
    : "backbone";
  return `the tokenizer of kind "${kind}" with the weights of ${field}`;
}

/**
 * Runs a function that must not change a backbone's weights.
 *
 * @param what Names it in the error.
 * @throws {Error} Where the weights have changed.
 */
export async function withFrozen<Result>(
  { weights }: Pick<BackboneCheckpoint, "weights">,
  what: string,
  use: () => Promise<Result>,
): Promise<Result> {
  const before = hashFrozen(weights);
  const result = await use();
  if (hashTensors(weights) !== before) {
    throw new InputError(
      `Cannot trust the results as the frozen backbone has changed during the ${what}`,
    );
  }
  return result;
}

/**
 * Initialises or reads the SideNet, and does the adaptations that the experiment declares.
 *
 * @throws {RangeError} Where a SideNet was trained on another backbone.
 */
export async function adaptNetworks(
  experiment: ResolvedExperiment,
  backbone: BackboneCheckpoint,
  text: RunText,
  device: Device,
  context: RunContext,
): Promise<TrainedModels> {
  const { sidenet, memory, seed } = experiment;
  if (!sidenet) return { backbone, models: {} };
  const kind = sideNetKindOf(sidenet), sideNet = await kind.start(sidenet, backbone, seed);
  if (kind.isTrained) {
    await context.results.recordHash(`SideNet ${sidenet.kind}`, hashFrozen(sideNet.weights));
  }
  const models: Record<string, LongMemParts> = {
    [kind.isTrained ? sideNetTraining : "untrained"]: { backbone, sideNet },
  };
  for (const { name, config, adaptation } of trainingsOf(experiment)) {
    if (!adaptation) continue;
    const parts = adaptation.start({ backbone, sideNet, ...(memory && { memory }) });
    const { dropout, gate } = config;
    const trainer = { device, config, seed, parts, dropout, ...(gate && { gate }) };
    const weights = await withFrozen(
      backbone,
      "adaptation",
      () => runPhase({ name, trainer }, text, experiment, context),
    );
    await context.results.recordHash(adaptation.hashName, hashFrozen(weights));
    models[name] = withTrained(parts, weights);
  }
  return { backbone, models };
}
