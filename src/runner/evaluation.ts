import type { PromptedModel } from "../evaluation/language_model.ts";
import {
  type PerplexityDocument,
  perplexityMetrics,
  perplexitySamples,
  scoreDocuments,
} from "../evaluation/perplexity.ts";
import type { ReadOptions } from "../evaluation/reading.ts";
import { recallMetrics, recallSamples, scoreRecalls } from "../evaluation/recall.ts";
import type {
  EvaluatedModel,
  EvaluationConfig,
  PerplexityEvaluation,
  RecallEvaluation,
  ResolvedExperiment,
} from "../experiment/declaration.ts";
import { padId } from "../backbone/shape.ts";
import type { Metric, SampleRecord } from "../results/run_folder.ts";
import type { Device } from "../runtime/device.ts";
import { cutDocument, type DocumentSegments } from "../text/segments.ts";
import { type Evaluated, openModel } from "./evaluated_model.ts";
import { withFrozen } from "./models.ts";
import type { RunContext } from "./run.ts";
import type { RunText } from "./text.ts";

/** Where models are evaluated. */
interface Setting {
  readonly evaluated: Evaluated;
  readonly device: Device;
  readonly context: RunContext;
}

/** Runs the evaluations of an experiment; models that an interrupted run has scored are not scored again. */
export async function runEvaluations(
  experiment: ResolvedExperiment,
  evaluated: Evaluated,
  text: RunText,
  device: Device,
  context: RunContext,
): Promise<void> {
  await withFrozen(evaluated.backbone, "evaluation", async () => {
    for (const evaluation of experiment.evaluations) {
      switch (evaluation.kind) {
        case "perplexity":
          await evaluatePerplexity(evaluation, text, { evaluated, device, context });
          break;
        case "recall":
          await evaluateRecall(evaluation, text, { evaluated, device, context });
          break;
        default:
          evaluation satisfies never;
      }
    }
  });
}

async function evaluatePerplexity(
  evaluation: PerplexityEvaluation,
  text: RunText,
  setting: Setting,
): Promise<void> {
  const { contextTokens, name } = evaluation;
  const all = await text.documents(evaluation.split);
  const documents: PerplexityDocument[] = all.slice(0, evaluation.maxDocuments).map((document) => ({
    ...cutDocument(document, { contextTokens, pad: padId }),
    gpt2Tokens: document.gpt2Tokens,
  }));
  const labels = {
    evaluation: name,
    ...(documents.length < all.length ? { total: all.length } : {}),
  };
  await evaluateModels(evaluation, documents, setting, {
    score: async (model, options) =>
      perplexitySamples(await scoreDocuments(model, documents, options)),
    measure: (model, samples, baseline) =>
      perplexityMetrics({ ...labels, model }, samples, baseline),
  });
}

async function evaluateRecall(
  evaluation: RecallEvaluation,
  text: RunText,
  setting: Setting,
): Promise<void> {
  const { contextTokens, name } = evaluation;
  const all = await text.documents(evaluation.split);
  const books = await text.books(evaluation.split); // the same documents, with their recalls
  const documents = all.slice(0, evaluation.maxDocuments).map((document, i) => ({
    ...cutDocument(document, { contextTokens, pad: padId }),
    recalls: books[i].recalls,
  }));
  await evaluateModels(evaluation, documents, setting, {
    score: async (model, options) => recallSamples(await scoreRecalls(model, documents, options)),
    measure: (model, samples, baseline) =>
      recallMetrics({ evaluation: name, model }, samples, {
        ...(documents.length < all.length ? { all: books } : {}),
        ...(baseline ? { baseline } : {}),
      }),
  });
}

/** Evaluates one model after the other on the same documents; the first is the baseline of the others. */
async function evaluateModels(
  evaluation: EvaluationConfig,
  documents: readonly DocumentSegments[],
  { evaluated, device, context }: Setting,
  steps: {
    /** Has a model read all documents: a record for each. */
    score: (model: PromptedModel, options: ReadOptions) => Promise<SampleRecord[]>;
    /** Metrics from the records. */
    measure: (
      model: EvaluatedModel,
      samples: readonly SampleRecord[],
      baseline: { model: string; samples: readonly SampleRecord[] } | undefined,
    ) => Metric[];
  },
): Promise<void> {
  const { results, progress } = context;
  const { name, models } = evaluation;
  for (const model of models) {
    if (
      results.summary.metrics.some((metric) => metric.evaluation === name && metric.model === model)
    ) continue;
    await using opened = await openModel(model, evaluation, evaluated, documents, device);
    const scored = await steps.score(opened.model, {
      rows: evaluation.memory?.bank === "shared"
        ? 1
        : Math.min(evaluation.batchSize, documents.length),
      pad: padId,
      signal: context.signal,
      onTargets: (items, total) => progress.item({ evaluation: name, model, items, total }),
    });
    await results.writeSamples(name, model, scored);
    const samples = await results.readSamples(name);
    const of = (wanted: string) => samples.filter((sample) => sample.model === wanted);
    const [first] = models;
    const baseline = model === first ? undefined : { model: first, samples: of(first) };
    await results.recordMetrics(steps.measure(model, of(model), baseline));
  }
}
