import { dirname, join } from "node:path";
import { loadSideNetWeights, loadTrainedBackbone } from "../checkpoint/checkpoint.ts";
import type { BackboneCheckpoint } from "../backbone/shape.ts";
import { sideNetKindOf } from "../checkpoint/sidenets.ts";
import type { ResolvedExperiment } from "../experiment/declaration.ts";
import { backbones } from "../experiment/backbones.ts";
import type { SideNetCheckpoint } from "../longmem/sidenet_shape.ts";
import type { MemoryConfig } from "../memory/config.ts";
import { backboneTraining, sideNetTraining } from "../training/adaptation.ts";
import { tokenizers, type TokenizerSource } from "../text/tokenizers/tokenizers.ts";
import { InputTypeError, MissingDataError } from "../errors.ts";
import { isThere, requireThere } from "../files.ts";
import { readDeclaration } from "../results/records.ts";
import { readRunSummary } from "../results/read_runs.ts";
import { quoted } from "../shell.ts";

/** The model that a run has trained. */
export interface FinishedRun {
  /** The declaration of the run. */
  readonly experiment: ResolvedExperiment;
  /** The frozen language model. */
  readonly backbone: BackboneCheckpoint;
  /** The SideNet, adapted with memory. */
  readonly sideNet: SideNetCheckpoint;
  /** The memory it was adapted with. */
  readonly memory: MemoryConfig;
  /** Tokens of a segment. */
  readonly contextTokens: number;
}

/** Whether a path is the folder of a run. */
export async function isRunFolder(path: string): Promise<boolean> {
  const found = await Deno.stat(join(path, "experiment.json")).catch(() => undefined);
  return found?.isFile ?? false;
}

/** Whether a run adapts a SideNet, and not just pretrains or evaluates a backbone. */
export async function adaptsSideNet(path: string): Promise<boolean> {
  return (await readExperiment(path)).adaptation !== undefined;
}

/**
 * Reads the LongMem that a run has trained from its folder `results/<experiment>/<run>`.
 *
 * @throws {Deno.errors.NotFound} Where weights are missing, as in a run that has not finished.
 * @throws {TypeError} Where the run trains no LongMem.
 */
export async function readFinishedRun(path: string): Promise<FinishedRun> {
  const experiment = await readExperiment(path);
  const { sidenet, memory, adaptation, backbone: config } = experiment;
  if (!sidenet || !memory || !adaptation) {
    throw new InputTypeError(
      `Cannot take a LongMem from run "${path}" as it trains none: ` +
        `its experiment must have sidenet, memory and adaptation`,
    );
  }
  const weights = (training: string) => weightsPath(path, training);
  const { stored, trained } = backbones.get(config.kind);
  const needed = [...trained ? [backboneTraining] : [], sideNetTraining];
  await checkWeights(path, needed.map(weights), "a LongMem");
  const backbone = trained
    ? await loadTrainedBackbone(weights(backboneTraining), trained.sizes(config))
    : (await stored.read(config)).backbone;
  const kind = sideNetKindOf(sidenet);
  const shape = await kind.readShape?.(sidenet, backbone.shape) ?? kind.shapeOf(sidenet);
  const sideNet = await loadSideNetWeights(weights(sideNetTraining), backbone.shape, { shape });
  const { contextTokens } = adaptation;
  return { experiment, backbone, sideNet, memory, contextTokens };
}

/**
 * Reads the backbone that a run has pretrained from its folder `results/<experiment>/<run>`; its `contextTokens` are those of the
 * pretraining.
 *
 * @throws {Deno.errors.NotFound} Where its weights are missing, as in a run that has not finished.
 * @throws {TypeError} Where the run pretrains none.
 */
export async function readPretrainedBackbone(
  path: string,
): Promise<{ readonly experiment: ResolvedExperiment; readonly backbone: BackboneCheckpoint }> {
  const experiment = await readExperiment(path), { backbone: config } = experiment;
  const { trained } = backbones.get(config.kind);
  if (!trained) {
    throw new InputTypeError(
      `Cannot take a backbone from run "${path}" as it pretrains none: current value of backbone.kind is "${config.kind}"`,
    );
  }
  const weights = weightsPath(path, backboneTraining);
  await checkWeights(path, [weights], "a backbone");
  const { contextTokens } = trained.training(config);
  const read = await loadTrainedBackbone(weights, trained.sizes(config));
  const backbone = { ...read, contextTokens };
  return { experiment, backbone };
}

function weightsPath(run: string, training: string): string {
  return join(run, "checkpoint", training, "weights.safetensors");
}

/**
 * Checks that the weights of a run are there.
 *
 * @throws {MissingDataError} With the command that trains them.
 */
async function checkWeights(
  path: string,
  files: readonly string[],
  what: "a LongMem" | "a backbone",
): Promise<void> {
  for (const file of files) {
    if (await isThere(file)) continue;
    const summary = await readRunSummary(path);
    const state = summary?.state ?? "unknown";
    const command = `deno task run ${quoted(path)}`;
    const results = dirname(dirname(path));
    throw new MissingDataError(
      summary?.state === "completed"
        ? `Cannot take ${what} from run "${path}" as "${file}" is missing: the repository holds records of runs without their ` +
          `weights. To train them again, run\n  ${command} --results scratch\nand name "scratch/${summary.experiment}/${summary.run}"`
        : `Cannot take ${what} from run "${path}" as "${file}" is missing: the run must be completed, current state is ${state}. ` +
          `To go on with it, run\n  ${command}${
            results === "results" ? "" : ` --results ${quoted(results)}`
          }${state === "failed" ? " --retry-failed" : ""}`,
    );
  }
}

/** Where the folder of a run keeps a tokenizer that it trained. */
export function trainedTokenizerPath(run: string): string {
  return join(run, "tokenizer.json");
}

/** Where the tokenizer of a run lies: the one that it trained, or the one that it was given. */
export async function runTokenizer(
  path: string,
  { tokenizer, backbone }: Pick<ResolvedExperiment, "tokenizer" | "backbone">,
): Promise<TokenizerSource> {
  const { trained, besideWeights } = tokenizers.get(tokenizer.kind);
  if (trained) return { kind: "file", path: trainedTokenizerPath(path) };
  if (besideWeights) return await backbones.get(backbone.kind).stored!.tokenizer(backbone);
  return tokenizer as TokenizerSource;
}

async function readExperiment(path: string): Promise<ResolvedExperiment> {
  return await requireThere(
    readDeclaration(join(path, "experiment.json")),
    `Cannot read run "${path}" as "experiment.json" is missing: expected the folder of a run, results/<experiment>/<run>`,
  ) as unknown as ResolvedExperiment;
}
