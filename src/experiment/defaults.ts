/**
 * Every default of an experiment, in one place, and the protocols (specification section 17).
 */
import type {
  ChapterBreakEvaluation,
  ChapterBreakSource,
  ChapterBreakSourceDeclaration,
  ConfiguredModel,
  CorpusConfig,
  DemonstrationSource,
  DemonstrationSourceDeclaration,
  EvaluatedModel,
  EvaluationConfig,
  EvaluationDeclaration,
  Experiment,
  InContextLearningEvaluation,
  MemoryConfig,
  MemoryDeclaration,
  ModelDeclaration,
  ModelEvaluation,
  Protocol,
  ResolvedExperiment,
  SentenceSource,
} from "./declaration.ts";
import { sizeOf } from "../backbone/config.ts";
import { sidenetPart } from "../longmem/config.ts";
import { adaptationPart } from "../training/config.ts";
import { backbones } from "./backbones.ts";
import { memoryPart, paperMemory } from "../memory/config.ts";
import { measured } from "./model_name.ts";
import { reproductionPart } from "../results/reproduction.ts";
import { corpusKindOf } from "../text/corpora/corpora.ts";
import { sentenceTasks } from "../text/sentence_tasks.ts";
import { InputRangeError } from "../errors.ts";

/** What a protocol decides. */
export interface ProtocolDefaults {
  readonly chapterBreak: Pick<ChapterBreakEvaluation, "ties">;
  readonly inContextLearning:
    & Pick<InContextLearningEvaluation, "scoring">
    & Pick<SentenceSource, "draw">
    & { readonly memory: Partial<Pick<MemoryConfig, "chunkTokens">> };
}

const strictInContextLearning = {
  scoring: "label-likelihood",
  draw: "balanced",
  memory: {},
} as const satisfies ProtocolDefaults["inContextLearning"];

/** The defaults that follow from the protocol; the numbers are rows of specification section 17. */
const protocolDefaults: Readonly<Record<Protocol, ProtocolDefaults>> = {
  "released-code": {
    chapterBreak: { ties: "right" }, // as in ChapterBreak's own evaluator
    inContextLearning: {
      scoring: "open-vocabulary", // 14
      draw: "released-code",
      memory: { chunkTokens: 2 }, // 10
    },
  },
  strict: {
    chapterBreak: { ties: "wrong" },
    inContextLearning: strictInContextLearning,
  },
  paper: {
    chapterBreak: { ties: "right" },
    inContextLearning: strictInContextLearning,
  },
};

/** Seeds of draws of demonstrations: those of the released evaluation. */
const drawSeeds = [1, 2, 3, 4, 5, 6] as const;

/** The released evaluation's demonstrations (specification section 14). */
const sentenceDefaults = {
  tasks: sentenceTasks,
  seeds: drawSeeds,
  memoryDemonstrations: 2000,
} as const satisfies Partial<SentenceSource>;
const sentenceShots = 20;

/** As many demonstrations as the paper has. */
const squadDefaults = { shots: 3, memoryDemonstrations: 200, maxAnswerTokens: 16 } as const;

/** As many tasks as there are test books, and half of the goods of each. */
const reviewTasks = 24, reviewItems = 16;

/**
 * Fills in the defaults of a declaration that has the right form.
 *
 * @throws {RangeError} Where an evaluation has no `contextTokens` and there is no training to take it from, or a full
 *   context no `windowTokens` and there is no memory.
 */
export function fillDefaults(experiment: Experiment): ResolvedExperiment {
  const { question, sidenet, adaptation, threads, seed = 1 } = experiment;
  const protocol = experiment.protocol ?? "strict";
  const memory = experiment.memory && memoryPart.fill(experiment.memory, { protocol });
  const corpus = corpusKindOf(experiment.corpus).fill(experiment.corpus, { protocol, seed });
  const backbone = backbones.get(experiment.backbone.kind).fill(experiment.backbone, { protocol });
  const adapted = adaptation &&
    adaptationPart.fill(adaptation, { protocol, size: sizeOf(experiment.backbone) });
  const contextTokens = adapted?.contextTokens ??
    (backbone.kind === "pretrain" ? backbone.training.contextTokens : undefined);
  const evaluations = experiment.evaluations.map((evaluation) =>
    fillEvaluation(evaluation, { corpus: corpus.kind, memory, contextTokens, protocol })
  );
  return {
    name: experiment.name,
    ...(question !== undefined && { question }),
    ...(experiment.reproduces && {
      reproduces: reproductionPart.fill(experiment.reproduces, {
        evaluations: measured(evaluations),
      }),
    }),
    scale: experiment.scale ?? "scaled-down",
    seed,
    protocol,
    corpus,
    tokenizer: experiment.tokenizer,
    backbone,
    ...(sidenet && { sidenet: sidenetPart.fill(sidenet) }),
    ...(memory && { memory }),
    ...(adapted && { adaptation: adapted }),
    evaluations,
    device: experiment.device ?? "auto",
    ...(threads !== undefined && { threads }),
  };
}

/** What an evaluation takes from its experiment. */
interface EvaluationSurroundings {
  readonly corpus: CorpusConfig["kind"];
  readonly memory: MemoryConfig | undefined;
  readonly contextTokens: number | undefined;
  readonly protocol: Protocol;
}

function fillEvaluation(
  evaluation: EvaluationDeclaration,
  experiment: EvaluationSurroundings,
): EvaluationConfig {
  const { memory: _override, ...fields } = evaluation;
  switch (fields.kind) {
    case "perplexity":
    case "recall":
      return {
        name: `${fields.kind}-${fields.split}`,
        ...fields,
        ...fillModelEvaluation(evaluation, experiment),
      };
    case "chapter-break": {
      const common = fillModelEvaluation(evaluation, experiment);
      const prefixTokens = [fields.prefixTokens ?? chapterBreakPrefixes[experiment.corpus]].flat();
      const source = fillChapterBreakSource(
        fields.source ?? { kind: experiment.corpus === "chronicle" ? "chronicle" : "books" },
        prefixTokens,
      );
      return {
        name: `${fields.kind}-${source.split}`,
        // A window that is not much longer than the paper's suffixes has room for a local context, too.
        suffixTokens: Math.min(128, Math.ceil(common.contextTokens / 2)),
        scoring: "sum",
        ...protocolDefaults[experiment.protocol].chapterBreak,
        ...fields,
        ...common,
        source,
        prefixTokens,
      };
    }
    case "efficiency":
      return {
        name: fields.kind,
        ...efficiencyDefaults,
        ...fields,
        ...fillModelEvaluation(evaluation, experiment),
      };
    case "needle":
      return {
        name: fields.kind,
        ...needleDefaults,
        ...fields,
        ...fillModelEvaluation(evaluation, experiment),
      };
    case "in-context-learning": {
      const reviews = fields.source.kind === "chronicle";
      const { scoring, draw, memory } = protocolDefaults[experiment.protocol].inContextLearning;
      return {
        name: fields.kind,
        shots: reviews ? 0 : sentenceShots,
        scoring: reviews ? "open-vocabulary" : scoring,
        calibration: "none",
        memoryLabels: "true",
        ...(reviews && { maxItems: reviewItems }),
        ...fields,
        source: fillSource(fields.source, draw),
        ...fillModelEvaluation(evaluation, experiment, {
          ...(reviews ? {} : memory),
          ...onceReadMemory,
        }),
      };
    }
    case "squad":
      return {
        name: fields.kind,
        seeds: drawSeeds,
        ...squadDefaults,
        ...fields,
        ...fillModelEvaluation(evaluation, experiment, onceReadMemory),
      };
    default:
      return fields satisfies never;
  }
}

const efficiencyDefaults = {
  totalTokens: [1024, 2048, 4096, 8192],
  warmupPasses: 3,
  repetitions: 9,
} as const;

/** Distances within a short segment, and as far as the chronicle's memory reaches. */
const needleDefaults = {
  distances: [64, 256, 512, 1024, 2048, 4096],
  needles: [1],
  instances: 24,
  seed: 1,
} as const;

/** The paper's numbers of prefix tokens; books of the chronicle have about 5,000. */
const paperPrefixes = [4096, 6144, 8192];
const chapterBreakPrefixes = { files: paperPrefixes, none: paperPrefixes, chronicle: [4096] };

function fillChapterBreakSource(
  source: ChapterBreakSourceDeclaration,
  prefixTokens: readonly number[],
): ChapterBreakSource {
  switch (source.kind) {
    case "chronicle":
      return { split: "test", firstChapter: 4, seed: 1, ...source };
    case "books":
      return { split: "test", minPrefixTokens: Math.max(...prefixTokens), seed: 1, ...source };
    case "file":
      return source;
    default:
      return source satisfies never;
  }
}

/** What is read once is read by one row, for all rows that ask. */
const onceReadMemory = { bank: "shared", reset: "epoch" } as const;

function fillSource(
  source: DemonstrationSourceDeclaration,
  draw: SentenceSource["draw"],
): DemonstrationSource {
  switch (source.kind) {
    case "sentences":
      return { ...sentenceDefaults, draw, ...source };
    case "chronicle":
      return { tasks: reviewTasks, ...source };
    default:
      return source satisfies never;
  }
}

/**
 * The fields that all evaluations have in common and that have a default.
 *
 * @param ownMemory What the evaluation kind takes in the place of the experiment's memory, unless the evaluation says otherwise.
 */
function fillModelEvaluation(
  { memory: override, batchSize = 1, contextTokens: declared, models }: EvaluationDeclaration,
  experiment: EvaluationSurroundings,
  ownMemory: MemoryDeclaration = {},
): Pick<ModelEvaluation, "models" | "batchSize" | "contextTokens" | "memory"> {
  const contextTokens = declared ?? experiment.contextTokens;
  if (contextTokens === undefined) {
    throw new InputRangeError("Cannot fill in contextTokens as no training declares it");
  }
  const memory = override || experiment.memory
    ? memoryPart.fill({ ...ownMemory, ...override }, {
      protocol: experiment.protocol,
      base: experiment.memory,
    })
    : undefined;
  return {
    models: models.map((model) => fillModel(model, { contextTokens, memory })),
    batchSize,
    contextTokens,
    ...(memory && { memory }),
  };
}

/** What the settings of a model follow. */
type ModelSurroundings = Pick<ModelEvaluation, "contextTokens"> & {
  readonly memory: MemoryConfig | undefined;
};

function fillModel(declared: ModelDeclaration, evaluation: ModelSurroundings): EvaluatedModel {
  switch (declared) {
    case "backbone-sliding-window":
    case "backbone-full-context":
      return fillSettings({ model: declared }, evaluation);
    case "infllm":
      return fillSettings({ model: declared }, evaluation);
    default:
      return typeof declared === "string" ? declared : fillSettings(declared, evaluation);
  }
}

function fillSettings(
  declared: Exclude<ModelDeclaration, string>,
  { contextTokens, memory }: ModelSurroundings,
): ConfiguredModel {
  switch (declared.model) {
    case "backbone-sliding-window":
      return { windowTokens: 2 * contextTokens, ...declared };
    case "backbone-full-context": {
      const windowTokens = declared.windowTokens ??
        (memory && contextTokens + memory.capacityTokens);
      if (windowTokens === undefined) {
        throw new InputRangeError("Cannot fill in windowTokens as there is no memory to match");
      }
      return { ...declared, windowTokens };
    }
    case "infllm": {
      const { retrievedTokens } = paperMemory;
      const { capacityTokens } = memory ?? paperMemory;
      const chunkTokens = 16, distanceTokens = contextTokens;
      return { capacityTokens, chunkTokens, retrievedTokens, distanceTokens, ...declared };
    }
    default:
      return declared satisfies never;
  }
}
