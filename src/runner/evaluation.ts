import { EncodedMemories } from "../evaluation/encoded_memory.ts";
import {
  chapterBreakMetrics,
  chapterBreakQuestions,
  chapterBreakSamples,
  scoreChapterBreak,
  textsOfOtherWorks,
} from "../evaluation/chapter_break.ts";
import {
  nextDocuments,
  type PromptedModel,
  type ReadableDocument,
} from "../evaluation/language_model.ts";
import {
  type PerplexityDocument,
  perplexityMetrics,
  perplexitySamples,
  scoreDocuments,
} from "../evaluation/perplexity.ts";
import { askNeedles, needleMetrics } from "../evaluation/needle.ts";
import { outdatedEvaluations } from "../evaluation/metric_version.ts";
import type { PromptOptions } from "../evaluation/prompting.ts";
import type { ReadOptions } from "../evaluation/reading.ts";
import { recallMetrics, recallSamples, scoreRecalls } from "../evaluation/recall.ts";
import type {
  ChapterBreakEvaluation,
  CorpusConfig,
  ModelEvaluation,
  NeedleEvaluation,
  PerplexityEvaluation,
  RecallEvaluation,
  ResolvedExperiment,
} from "../experiment/declaration.ts";
import { padId } from "../backbone/shape.ts";
import { modelName } from "../experiment/model_name.ts";
import type { Metric, SampleRecord } from "../results/run_folder.ts";
import type { Device } from "../runtime/device.ts";
import { defaultChronicle } from "../text/chronicle/config.ts";
import { chronicleWording, englishWording, writeNeedleTexts } from "../text/needle.ts";
import { cutDocument } from "../text/segments.ts";
import { chapterBreakItems, spread } from "./chapter_break.ts";
import { evaluateEfficiency } from "./efficiency.ts";
import { type Evaluated, openModel } from "./evaluated_model.ts";
import { inContextLearningSteps } from "./in_context_learning.ts";
import { withFrozen } from "./models.ts";
import type { RunContext } from "./run.ts";
import { squadSteps } from "./squad.ts";
import type { RunText } from "./text.ts";

/** Where models are evaluated. */
interface Setting {
  readonly evaluated: Evaluated;
  readonly device: Device;
  readonly context: RunContext;
  /** What models with the run's backbone have read. */
  readonly memories: EncodedMemories;
}

/**
 * Runs the evaluations of an experiment; models that an interrupted run has scored are not scored again, unless by an
 * older version of the metrics.
 */
export async function runEvaluations(
  experiment: ResolvedExperiment,
  evaluated: Evaluated,
  text: RunText,
  device: Device,
  context: RunContext,
): Promise<void> {
  await withFrozen(evaluated.backbone, "evaluation", async () => {
    const { evaluations } = experiment;
    for (const { name } of outdatedEvaluations(evaluations, context.results.summary.metrics)) {
      context.progress.note(`${name} was measured by an older version of its metrics`);
      await context.results.dropMetrics(name);
    }
    const memories = new EncodedMemories(evaluated.backbone);
    const setting: Setting = { evaluated, device, context, memories };
    for (const evaluation of evaluations) {
      switch (evaluation.kind) {
        case "perplexity":
          await evaluatePerplexity(evaluation, text, setting);
          break;
        case "recall":
          await evaluateRecall(evaluation, text, setting);
          break;
        case "in-context-learning":
          await evaluateModels(
            evaluation,
            setting,
            await inContextLearningSteps(evaluation, experiment, text, context),
          );
          break;
        case "squad":
          await evaluateModels(evaluation, setting, await squadSteps(evaluation, text, context));
          break;
        case "efficiency":
          await evaluateEfficiency(evaluation, evaluated, {
            device: device.kind,
            threads: experiment.threads,
            context,
          });
          break;
        case "needle":
          await evaluateNeedle(evaluation, experiment, text, setting);
          break;
        case "chapter-break":
          await evaluateChapterBreak(evaluation, experiment.corpus, text, setting);
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
  await evaluateModels(evaluation, setting, {
    score: async (model, scoring) =>
      perplexitySamples(
        await scoreDocuments(model, documents, readOptions(evaluation, documents, scoring)),
      ),
    others: () => nextDocuments(documents),
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
  await evaluateModels(evaluation, setting, {
    score: async (model, scoring) =>
      recallSamples(
        await scoreRecalls(model, documents, readOptions(evaluation, documents, scoring)),
      ),
    others: () => nextDocuments(documents),
    measure: (model, samples, baseline) =>
      recallMetrics({ evaluation: name, model }, samples, {
        ...(documents.length < all.length ? { all: books } : {}),
        ...(baseline ? { baseline } : {}),
      }),
  });
}

async function evaluateChapterBreak(
  evaluation: ChapterBreakEvaluation,
  corpus: CorpusConfig,
  text: RunText,
  setting: Setting,
): Promise<void> {
  const { name, maxItems } = evaluation;
  const all = await chapterBreakItems(evaluation, corpus, text, setting.context);
  const items = spread(all, maxItems);
  const labels = { evaluation: name, ...(items.length < all.length ? { total: all.length } : {}) };
  const questions = chapterBreakQuestions(items, evaluation);
  await evaluateModels(evaluation, setting, {
    score: async (model, scoring) =>
      chapterBreakSamples(
        await scoreChapterBreak(model, questions, {
          ...evaluation,
          ...promptOptions(evaluation, questions, scoring),
        }),
      ),
    others: () => textsOfOtherWorks(questions),
    measure: (model, samples, baseline) =>
      chapterBreakMetrics({ ...labels, model }, samples, baseline),
  });
}

async function evaluateNeedle(
  evaluation: NeedleEvaluation,
  { corpus, tokenizer }: ResolvedExperiment,
  text: RunText,
  setting: Setting,
): Promise<void> {
  const { name, memory } = evaluation;
  const { sentence } = corpus.kind === "chronicle" ? corpus.config : defaultChronicle;
  const wording = tokenizer.kind === "chronicle"
    ? chronicleWording(sentence)
    : englishWording(text.tokenizer);
  const texts = writeNeedleTexts({ ...evaluation, wording });
  await evaluateModels(evaluation, setting, {
    score: (model, scoring) =>
      askNeedles(model, texts, {
        ...promptOptions(evaluation, texts, scoring),
        chunkTokens: memory?.chunkTokens,
      }),
    others: () =>
      nextDocuments(texts.map(({ reading }) => ({
        segments: reading.map((tokens) => ({ tokens, targetTokens: tokens.length })),
      }))),
    measure: (model, samples, baseline) =>
      needleMetrics({ evaluation: name, model }, samples, baseline),
  });
}

/** While a model is scored. */
export interface Scoring {
  readonly signal: AbortSignal;
  /** Told how much is done, of how much: of the targets of all documents, or of all prompts. */
  readonly report: (done: number, total: number) => void;
}

/** How an evaluation reads whole documents. */
function readOptions(
  { batchSize, memory }: ModelEvaluation,
  documents: readonly unknown[],
  { signal, report }: Scoring,
): ReadOptions {
  const rows = memory?.bank === "shared" ? 1 : Math.min(batchSize, documents.length);
  return { rows, pad: padId, signal, onTargets: report };
}

/** How an evaluation asks prompts of texts that are read into a memory each. */
function promptOptions(
  { batchSize, memory }: ModelEvaluation,
  items: readonly unknown[],
  { signal, report }: Scoring,
): PromptOptions {
  const shared = memory?.bank === "shared";
  return {
    rows: shared ? batchSize : Math.min(batchSize, items.length),
    memory: shared ? "shared" : "per-row",
    pad: padId,
    signal,
    onPrompts: report,
  };
}

/** What an evaluation does with each of its models. */
export interface EvaluationSteps {
  /** Whether texts are read once, about which all rows are asked; absent: each row reads for itself. */
  readonly readsOnce?: true;
  /** Has a model read and answer all items: a record for each. */
  readonly score: (model: PromptedModel, scoring: Scoring) => Promise<SampleRecord[]>;
  /** What the control reads in the place of each item. */
  readonly others: () => readonly ReadableDocument[];
  /** Metrics from the records of a model, and from those of the first one, to which it is compared. */
  readonly measure: (
    model: string,
    samples: readonly SampleRecord[],
    baseline: { model: string; samples: readonly SampleRecord[] } | undefined,
  ) => Metric[];
}

/** Evaluates one model after the other on the same items; the first is the baseline of the others. */
async function evaluateModels(
  evaluation: ModelEvaluation,
  { evaluated, device, context, memories }: Setting,
  { readsOnce, score, others, measure }: EvaluationSteps,
): Promise<void> {
  const { results, progress, signal } = context;
  const { name, models } = evaluation;
  const first = modelName(models[0]);
  for (const declared of models) {
    const model = modelName(declared);
    if (
      results.summary.metrics.some((metric) => metric.evaluation === name && metric.model === model)
    ) continue;
    await using opened = await openModel(declared, evaluation, evaluated, {
      device,
      others,
      ...(readsOnce ? { memories } : {}),
    });
    const report = (items: number, total: number) =>
      progress.item({ evaluation: name, model, items, total });
    await results.writeSamples(name, model, await score(opened.model, { signal, report }));
    const samples = await results.readSamples(name);
    const of = (wanted: string) => samples.filter((sample) => sample.model === wanted);
    const baseline = model === first ? undefined : { model: first, samples: of(first) };
    await results.recordMetrics(measure(model, of(model), baseline));
  }
}
