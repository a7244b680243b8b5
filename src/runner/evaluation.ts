import type { BackboneCheckpoint } from "../backbone/checkpoint/content.ts";
import {
  type LanguageModel,
  languageModel,
  otherDocumentModel,
} from "../evaluation/language_model.ts";
import {
  type PerplexityDocument,
  perplexityMetrics,
  perplexitySamples,
  scoreDocuments,
} from "../evaluation/perplexity.ts";
import type {
  EvaluatedModel,
  EvaluationConfig,
  ResolvedExperiment,
} from "../experiment/declaration.ts";
import { LongMem, type LongMemParts, padId } from "../longmem/longmem.ts";
import type { Device } from "../runtime/device.ts";
import { cutDocument } from "../text/segments.ts";
import { type SideNets, withFrozen } from "./models.ts";
import type { RunContext } from "./run.ts";
import type { RunText } from "./text.ts";

/** What is evaluated. */
export interface Evaluated {
  readonly backbone: BackboneCheckpoint;
  readonly sideNets: SideNets | undefined;
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
          await evaluatePerplexity(evaluation, evaluated, text, device, context);
          break;
        default:
          evaluation.kind satisfies never;
      }
    }
  });
}

async function evaluatePerplexity(
  evaluation: EvaluationConfig,
  evaluated: Evaluated,
  text: RunText,
  device: Device,
  context: RunContext,
): Promise<void> {
  const { results, progress } = context;
  const { contextTokens, name, models } = evaluation;
  const all = await text.documents(evaluation.split);
  const documents: PerplexityDocument[] = all.slice(0, evaluation.maxDocuments).map((document) => ({
    ...cutDocument(document, { contextTokens, pad: padId }),
    gpt2Tokens: document.gpt2Tokens,
  }));
  const labels = {
    evaluation: name,
    ...(documents.length < all.length ? { total: all.length } : {}),
  };
  for (const model of models) {
    if (
      results.summary.metrics.some((metric) => metric.evaluation === name && metric.model === model)
    ) continue;
    await using opened = await openModel(model, evaluation, evaluated, documents, device);
    const scores = await scoreDocuments(opened.model, documents, {
      rows: evaluation.memory?.bank === "shared"
        ? 1
        : Math.min(evaluation.batchSize, documents.length),
      pad: padId,
      signal: context.signal,
      onTargets: (items, total) => progress.item({ evaluation: name, model, items, total }),
    });
    await results.writeSamples(name, model, perplexitySamples(scores));
    const samples = await results.readSamples(name);
    const of = (wanted: string) => samples.filter((sample) => sample.model === wanted);
    const [first] = models;
    await results.recordMetrics(
      perplexityMetrics(
        { ...labels, model },
        of(model),
        model === first ? undefined : { model: first, samples: of(first) },
      ),
    );
  }
}

/** A model by its name in the declaration, and what to free after its evaluation. */
async function openModel(
  name: EvaluatedModel,
  evaluation: EvaluationConfig,
  { backbone, sideNets }: Evaluated,
  documents: readonly PerplexityDocument[],
  device: Device,
): Promise<{ model: LanguageModel } & AsyncDisposable> {
  const memory = evaluation.memory ? { memory: evaluation.memory } : {};
  const open = (parts: Omit<LongMemParts, "backbone">, wrap: (model: LongMem) => LanguageModel) => {
    const model = new LongMem(device, { backbone, ...parts });
    return Promise.resolve({ model: wrap(model), [Symbol.asyncDispose]: () => model.close() });
  };
  switch (name) {
    case "backbone":
      return await open({}, (model) => languageModel(name, model, "backbone"));
    case "sidenet-without-memory":
      return await open(
        { sideNet: needed(sideNets?.withoutMemory, name) },
        (model) => languageModel(name, model, "sidenet"),
      );
    case "longmem":
      return await open(
        { sideNet: needed(sideNets?.longmem, name), ...memory },
        (model) => languageModel(name, model, "longmem"),
      );
    case "longmem-memory-off":
      // With an empty memory the joint attention is the local one (specification section 7).
      return await open(
        { sideNet: needed(sideNets?.longmem, name) },
        (model) => languageModel(name, model, "sidenet"),
      );
    case "longmem-other-document":
      return await open(
        { sideNet: needed(sideNets?.longmem, name), ...memory },
        (model) => otherDocumentModel(name, model, documents),
      );
    case "untrained-with-memory":
      return await open(
        { sideNet: needed(sideNets?.untrained, name), ...memory },
        (model) => languageModel(name, model, "longmem"),
      );
    default:
      return name satisfies never;
  }
}

function needed<T>(sideNet: T | undefined, model: EvaluatedModel): T {
  if (!sideNet) {
    throw new TypeError(
      `Cannot evaluate model "${model}" as the experiment trains no such SideNet`,
    );
  }
  return sideNet;
}
