import { join } from "node:path";
import { readSafetensors, writeSafetensors } from "../formats/safetensors.ts";
import { cutDocument } from "../text/segments.ts";
import { languageModel } from "../evaluation/shared/language_model.ts";
import { scoreDocuments } from "../evaluation/perplexity.ts";
import { LongMem } from "../longmem/longmem.ts";
import { trainedPart, wholeNetwork, withTrained } from "../longmem/parts.ts";
import type { TensorMap } from "../tensor.ts";
import { padId } from "../backbone/shape.ts";
import { hasCheckpoint, keepCheckpoints } from "../training/checkpoint.ts";
import { train } from "../training/train.ts";
import { type StepMetrics, Trainer } from "../training/trainer.ts";
import type { ResolvedExperiment } from "../experiment/declaration.ts";
import { isThere } from "../files.ts";
import { InputError } from "../errors.ts";
import {
  checkPhase,
  lockPhase,
  recordPhaseEnd,
  recordPhaseStart,
  takeFinishedPhase,
} from "./training_cache.ts";
import { codeDeterminants, identifyPhase, type Phase } from "./training_identity.ts";
import type { RunContext } from "./run_context.ts";
import type { RunText } from "../text/corpora/corpus_kind.ts";
import { trainingStream } from "./corpus.ts";
import { missingLine } from "./training_lines.ts";

/** Tokens of each valid document that a validation during training reads. */
const validationTokens = 8192;

/**
 * Runs a training, or takes the weights of one that has finished, in this run or in another that trained the same: those
 * that were best on the valid split. Every step is a line of `metrics.jsonl`.
 */
export async function runPhase(
  phase: Phase,
  text: RunText,
  experiment: ResolvedExperiment,
  context: RunContext,
): Promise<TensorMap> {
  const { name, trainer: { config, parts } } = phase;
  const folder = join(context.results.checkpointFolder, name);
  const finished = join(folder, "weights.safetensors");
  const { results, progress } = context;
  const trainer = await Trainer.prepare(phase.trainer);
  try {
    const code = await codeDeterminants(phase, trainer.graphHash, experiment, context);
    if (await isThere(finished)) {
      const weights = (await readSafetensors(finished)).tensors;
      await checkPhase(phase, code, context, weights);
      await checkSteps(phase, config.steps, context);
      return weights;
    }
    const documents = trainedPart(parts).name === "backbone"
      ? await text.pretrainingDocuments()
      : await text.documents("train");
    const stream = trainingStream(documents, text.tokenizer, experiment, config);
    const identity = await identifyPhase(code, phase, documents, stream, text);
    using _lock = await lockPhase(identity, name, context);
    const taken = await takeFinishedPhase(phase, identity, context);
    if (taken) return taken;
    if (await hasCheckpoint(folder)) await checkPhase(phase, identity.determinedBy, context);
    await trainer.compile();
    const recorder = stepRecorder(phase, context);
    const best = await train(trainer, stream, {
      config,
      checkpointFolder: folder,
      signal: context.signal,
      onStart: async (step) => {
        if (step === 0) await recordPhaseStart(folder, identity);
        await recorder.start(step);
      },
      onStep: recorder.step,
      onSave: async () => {
        await results.checkLock();
        await results.syncMetrics();
      },
      load: {
        refuse: (step) => missingRecord(phase, step, context),
        onSkip: (text) => progress.note(`${name}: ${text}`),
      },
      validate: (weights) => validationLoss(phase, weights, text),
      onValidation: recorder.validation,
    });
    if (config.validateEverySteps) {
      progress.note(
        `${name}: the weights of step ${best.step} are best on the valid split (loss ${
          best.loss.toFixed(4)
        })`,
      );
    }
    await checkSteps(phase, config.steps, context);
    await results.checkLock();
    await recordPhaseEnd(folder, identity, best.weights);
    await writeSafetensors(finished, best.weights);
    await keepCheckpoints(folder, { step: config.steps, batches: 0 }, 1);
    return best.weights;
  } finally {
    await trainer.close();
  }
}

/**
 * Checks that `metrics.jsonl` has every line of a training up to a step.
 *
 * @throws {InputError} Naming the first that is missing.
 */
async function checkSteps(phase: Phase, step: number, context: RunContext): Promise<void> {
  const missing = await missingRecord(phase, step, context);
  if (missing === undefined) return;
  throw new InputError(
    `Cannot record training "${phase.name}" as ${missing}; --fresh starts the run again`,
  );
}

/** What `metrics.jsonl` lacks of the first steps of a training, in words; undefined where it has them all, each once and in order. */
async function missingRecord(
  { name, trainer: { config } }: Phase,
  step: number,
  { results }: Pick<RunContext, "results">,
): Promise<string | undefined> {
  const recorded = (await results.readMetrics())
    .filter((line) => line.phase === name && line.step <= step);
  const missing = missingLine(recorded, config, step);
  if (!missing) return undefined;
  const { after, current, allowed } = missing;
  const path = join(results.path, "metrics.jsonl");
  return `"${path}" must have a line for each of its ${step} steps: after ${after} lines of ${name}, ` +
    `the current one is ${current}, allowed is ${allowed}`;
}

/** Records steps in `metrics.jsonl` and on the terminal. */
function stepRecorder({ name, trainer }: Phase, context: RunContext) {
  const { config, parts: { memory } } = trainer;
  const startedAt = performance.now();
  let tokens = 0, recentTokens = 0, recentAt = startedAt, tokensPerSecond = 0;
  const perStep = config.batchSize * config.contextTokens * config.accumulationSteps;
  return {
    async start(step: number) {
      await context.results.truncateMetrics(name, step);
      tokens = step * perStep;
      recentAt = performance.now();
    },
    async step(metrics: StepMetrics) {
      tokens += perStep;
      recentTokens += perStep;
      const now = performance.now();
      if (now - recentAt > 2000 || tokensPerSecond === 0) {
        tokensPerSecond = 1000 * recentTokens / (now - recentAt);
        recentTokens = 0;
        recentAt = now;
      }
      const fillTokens = metrics.memoryFillChunks.map((chunks) => chunks * memory!.chunkTokens);
      await context.results.appendMetrics({
        phase: name,
        step: metrics.step,
        split: "train",
        tokens,
        loss: metrics.loss,
        learningRate: metrics.learningRate,
        gradientNorm: metrics.gradientNorm,
        ...(memory ? { memoryTokens: fillTokens.reduce((sum, tokens) => sum + tokens, 0) } : {}),
        ...(metrics.diagnostics ? { diagnostics: metrics.diagnostics } : {}),
        timing: { tokensPerSecond, elapsedMs: now - startedAt },
      });
      context.progress.step({
        phase: name,
        step: metrics.step,
        steps: config.steps,
        loss: metrics.loss,
        tokensPerSecond,
        ...(memory
          ? { memory: { tokens: Math.max(...fillTokens), capacityTokens: memory.capacityTokens } }
          : {}),
      });
    },
    async validation(step: number, loss: number) {
      await context.results.appendMetrics({ phase: name, step, split: "valid", tokens, loss });
      context.progress.note(`${name} step ${step}: loss on the valid split ${loss.toFixed(4)}`);
      recentAt = performance.now();
      recentTokens = 0;
    },
  };
}

/** Mean loss on the beginnings of the valid documents, each read with a memory of its own. */
async function validationLoss(phase: Phase, weights: TensorMap, text: RunText): Promise<number> {
  const { config: { contextTokens, batchSize }, device, parts } = phase.trainer;
  const documents = (await text.documents("valid")).map((document) =>
    cutDocument({ ...document, tokens: document.tokens.slice(0, validationTokens + 1) }, {
      contextTokens,
      pad: padId,
    })
  );
  const model = new LongMem(device, withTrained(parts, weights));
  try {
    const rows = parts.memory?.bank === "shared" ? 1 : Math.min(batchSize, documents.length);
    const nats = await scoreDocuments(
      languageModel(phase.name, model, wholeNetwork(parts)),
      documents,
      { rows, pad: padId },
    );
    return nats.reduce((sum, ofDocument) => sum + ofDocument, 0) /
      documents.reduce((sum, { targetTokens }) => sum + targetTokens, 0);
  } finally {
    await model.close();
  }
}
