/**
 * What an experiment declares: the parts that it composes, and the fields of its own.
 *
 * Every part is described once, with all its fields filled in (`MemoryConfig`); what an author writes is the same type with
 * the fields that have a default made optional (`MemoryDeclaration`). Both are in the file of the part, with the schema, the
 * defaults and the rules of its fields: `src/memory/config.ts`.
 */
import type {
  CheckpointBackboneConfig,
  CheckpointBackboneDeclaration,
  ModelSize,
  NamedSize,
} from "../backbone/config.ts";
import type {
  CheckpointSideNetConfig,
  InitializedSideNetConfig,
  SideNetConfig,
  SideNetDeclaration,
} from "../longmem/config.ts";
import type {
  AdaptationConfig,
  AdaptationDeclaration,
  TrainingConfig,
  TrainingDeclaration,
} from "../training/config.ts";
import type {
  PretrainedBackboneConfig,
  PretrainedBackboneDeclaration,
} from "../training/pretraining.ts";
import type { BackboneConfig, BackboneDeclaration } from "./backbones.ts";
import type { BackboneInitialization } from "../backbone/initialization.ts";
import type { LabelCalibration, LabelScoring } from "../evaluation/in_context_learning.ts";
import type { DemonstrationDraw } from "../evaluation/shared/sentence_episodes.ts";
import type { SideNetInitialization } from "../longmem/initialization.ts";
import type { Declared } from "../declaration/part.ts";
import type { Protocol } from "../declaration/protocol.ts";
import type { MemoryConfig, MemoryDeclaration } from "../memory/config.ts";
import type { ExactIndexConfig } from "../memory/index/exact.ts";
import type { HnswIndexConfig, HnswIndexDeclaration } from "../memory/index/hnsw.ts";
import type { IndexConfig, IndexDeclaration } from "../memory/index/indexes.ts";
import type { PublishedTableName } from "../results/paper_tables.ts";
import type { ReproductionConfig, ReproductionDeclaration } from "../results/reproduction.ts";
import type {
  ChronicleCorpusConfig,
  ChronicleCorpusDeclaration,
  ChronicleWriting,
} from "../text/corpora/chronicle.ts";
import type { CorpusConfig, CorpusDeclaration } from "../text/corpora/corpora.ts";
import type { Split } from "../text/corpora/corpus_kind.ts";
import type { FileCorpusConfig, FileCorpusDeclaration } from "../text/corpora/files.ts";
import type { NoCorpusConfig } from "../text/corpora/none.ts";
import type { TokenizerConfig } from "../text/tokenizer_config.ts";
import type { SentenceTask } from "../text/sentence_tasks.ts";

export type {
  AdaptationConfig,
  AdaptationDeclaration,
  BackboneConfig,
  BackboneDeclaration,
  BackboneInitialization,
  CheckpointBackboneConfig,
  CheckpointBackboneDeclaration,
  CheckpointSideNetConfig,
  ChronicleCorpusConfig,
  ChronicleCorpusDeclaration,
  ChronicleWriting,
  CorpusConfig,
  CorpusDeclaration,
  Declared,
  DemonstrationDraw,
  ExactIndexConfig,
  FileCorpusConfig,
  FileCorpusDeclaration,
  HnswIndexConfig,
  HnswIndexDeclaration,
  IndexConfig,
  IndexDeclaration,
  InitializedSideNetConfig,
  LabelCalibration,
  LabelScoring,
  MemoryConfig,
  MemoryDeclaration,
  ModelSize,
  NamedSize,
  NoCorpusConfig,
  PretrainedBackboneConfig,
  PretrainedBackboneDeclaration,
  Protocol,
  PublishedTableName,
  ReproductionConfig,
  ReproductionDeclaration,
  SentenceTask,
  SideNetConfig,
  SideNetDeclaration,
  SideNetInitialization,
  Split,
  TokenizerConfig,
  TrainingConfig,
  TrainingDeclaration,
};

/** Where graphs run; `auto` takes a GPU where there is a real one, the native CPU engine otherwise. */
export type DeviceChoice = "auto" | "webgpu" | "cpu" | "wasm";

/** Whether the sizes are the paper's, or shrunk to what a small machine trains; tables say which. */
export type Scale = "paper" | "scaled-down";

/**
 * A model that is evaluated as it is, without settings of its own.
 *
 * - `backbone`: the frozen language model alone.
 * - `sidenet-without-memory`: a SideNet trained like LongMem's, but never with a memory.
 * - `longmem`: backbone, SideNet and memory, as adapted.
 * - `longmem-memory-off`: the same weights, the memory left empty.
 * - `longmem-recent-memory`: the same weights, but the memory is the smallest allowed and holds only what was read last: the
 *   segment before, or `memory.retrievedTokens` tokens where those are more (the last one or two segments where
 *   `memory.eviction` is `coarse`). What `longmem` does better it does by retrieving older text.
 * - `longmem-other-document`: the same weights, the memory filled from another document.
 * - `untrained-with-memory`: the SideNet as initialised, with memory.
 * - `memorizing-transformer`: the paper's MemTRM, no SideNet but a memory within the language model: block `sidenet.memoryBlock`
 *   and all above are trained like the SideNet, from copies of the backbone's, with the same memory, whose keys and values
 *   are the trained block's own. It is trained only for evaluations that list it.
 *
 * All `longmem` models need a SideNet that an adaptation trains, or one from a checkpoint; `sidenet-without-memory` and
 * `untrained-with-memory` need one that is initialised here.
 */
export type NamedModel =
  | "backbone"
  | "sidenet-without-memory"
  | "longmem"
  | "longmem-memory-off"
  | "longmem-recent-memory"
  | "longmem-other-document"
  | "untrained-with-memory"
  | "memorizing-transformer";

/**
 * The frozen language model alone, with a window that is longer than the segments it was trained on: ALiBi extrapolates.
 * Every segment is read together with those before it, as far as the window reaches, and again each time.
 */
export interface WindowedModel {
  /** Two sizes to compare with: that of a window a little longer, and that of all that LongMem can see. */
  readonly model: "backbone-sliding-window" | "backbone-full-context";
  /**
   * Tokens W of the window, the segment's own `contextTokens` included (default: `2 contextTokens` of a sliding window,
   * `contextTokens + memory.capacityTokens` of the full context).
   */
  readonly windowTokens: number;
}

/**
 * The frozen language model with an InfLLM-like memory (arXiv 2402.04617), without any training: every block caches keys and
 * values of its own, and attends to what it retrieves and to the segment in one softmax. `src/longmem/block_memory_graph.ts`
 * says where it differs from InfLLM.
 */
export interface BlockMemoryModel {
  /** Which model. */
  readonly model: "infllm";
  /** Size of each block's memory in tokens (default: the evaluation's memory's, or the paper's 65,536). */
  readonly capacityTokens: number;
  /** Tokens per chunk, found by their mean key (default 16). */
  readonly chunkTokens: number;
  /** Retrieved tokens per query and head; a multiple of `chunkTokens` (default 64). */
  readonly retrievedTokens: number;
  /**
   * Distance before the query at which ALiBi sees every retrieved token (default: the evaluation's `contextTokens`, as far as
   * a segment reaches; the larger it is, the fewer heads look there).
   */
  readonly distanceTokens: number;
}

/** A model with settings; results name it by its kind and the settings that tell it from others: `backbone-sliding-window-512`. */
export type ConfiguredModel = WindowedModel | BlockMemoryModel;

/** A model that can be evaluated. */
export type EvaluatedModel = NamedModel | ConfiguredModel;

/** A model as declared: its name, or an object with the settings that differ from the defaults. */
export type ModelDeclaration =
  | NamedModel
  | ConfiguredModel["model"]
  | Declared<WindowedModel, "model">
  | Declared<BlockMemoryModel, "model">;

/** What all evaluations have in common. */
export interface ModelEvaluation {
  /** Names the evaluation's results; unique in the experiment. */
  readonly name: string;
  /** Models to compare, all on the same items; the first is the baseline of the others. */
  readonly models: readonly EvaluatedModel[];
  /**
   * Items (documents, or prompted texts) evaluated side by side. Where rows share a bank, texts are read one at a time, and
   * it is prompts that are asked side by side.
   */
  readonly batchSize: number;
  /** Tokens T of a segment, and of what a model sees without memory. */
  readonly contextTokens: number;
  /** The memory of the evaluation: the experiment's, with its own overrides; absent without one. */
  readonly memory?: MemoryConfig;
}

/** What evaluations that read whole documents have in common: consecutive segments that do not overlap. */
export interface DocumentEvaluation extends ModelEvaluation {
  /** Documents to evaluate on. */
  readonly split: "valid" | "test";
  /** Takes only the first documents of the split. */
  readonly maxDocuments?: number;
}

/** Perplexity over whole documents. */
export interface PerplexityEvaluation extends DocumentEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "perplexity";
}

/** Whether a model names what a book of the chronicle has told before, near and far; and perplexity. */
export interface RecallEvaluation extends DocumentEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "recall";
}

/** Where the items of an evaluation of ChapterBreak come from. */
export type ChapterBreakSource =
  | {
    /** Chapters of books of the chronicle: which of six openings tells of the ship that rested last? */
    readonly kind: "chronicle";
    /** Books of this split. */
    readonly split: "valid" | "test";
    /** First chapter, from 0, whose opening is asked for. */
    readonly firstChapter: number;
    /** Seed of the choice of wrong openings. */
    readonly seed: number;
  }
  | {
    /** Chapters of the corpus's files, found as its `index.json` says, in texts that it does not list by their headings. */
    readonly kind: "books";
    /** Documents of this split. */
    readonly split: "valid" | "test";
    /** Tokens before a break that are needed, so that all prefixes are whole. */
    readonly minPrefixTokens: number;
    /** Seed of the choice of wrong openings. */
    readonly seed: number;
    /** Regular expression of a whole heading; absent: "Chapter IV", "LETTER 12.", "XIV" and the like. */
    readonly headings?: string;
  }
  | {
    /** A file in the official format. */
    readonly kind: "file";
    /** The file, relative to the folder in which the command runs. */
    readonly path: string;
    /** One of its splits: in the official files `pg19` or `ao3`. */
    readonly split: string;
  };

/** A source of items as declared. */
export type ChapterBreakSourceDeclaration =
  | Declared<Extract<ChapterBreakSource, { kind: "chronicle" }>, "kind">
  | Declared<Extract<ChapterBreakSource, { kind: "books" }>, "kind">
  | Extract<ChapterBreakSource, { kind: "file" }>;

/** Which of six texts begins the next chapter, with more or less of the work in memory (the paper's Table 3). */
export interface ChapterBreakEvaluation extends ModelEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "chapter-break";
  /** Where the items come from. */
  readonly source: ChapterBreakSource;
  /** Tokens before the break that count: in memory, except the last ones, which are the local context. Each has its own metrics. */
  readonly prefixTokens: readonly number[];
  /** Tokens of a candidate at most; longer ones are cut on the right. */
  readonly suffixTokens: number;
  /** A candidate's score: log-likelihood of its tokens, all cut to the shortest's length; or of a token on average. */
  readonly scoring: "sum" | "per-token";
  /** Whether an item is correct where a wrong candidate scores exactly as the right one. */
  readonly ties: "wrong" | "right";
  /** Takes only so many items, spread evenly over the works. */
  readonly maxItems?: number;
}

/** An evaluation of ChapterBreak as declared; without a source its items are those of the corpus. */
export type ChapterBreakDeclaration =
  & Declared<
    Omit<ChapterBreakEvaluation, "source" | "prefixTokens" | "memory" | "models">,
    "kind"
  >
  & {
    /** Where the items come from (default: the test split of the corpus). */
    readonly source?: ChapterBreakSourceDeclaration;
    /** Tokens before the break that count: one number, or several (default 4096, 6144 and 8192; of the chronicle 4096). */
    readonly prefixTokens?: number | readonly number[];
  };

/** In-context learning from labelled sentences, in the files of the released evaluation (specification section 14). */
export interface SentenceSource {
  /** Distinguishes it from other sources. */
  readonly kind: "sentences";
  /** Folder of the five sets, relative to the folder in which the command runs. */
  readonly folder: string;
  /** Sets to ask; all by default. */
  readonly tasks: readonly SentenceTask[];
  /** Seeds, each of a draw of demonstrations for each task (default 1 to 6). */
  readonly seeds: readonly number[];
  /**
   * How demonstrations are drawn: `released-code`, as the official script does; or `balanced`, as many of each label, none
   * twice and none of the evaluated ones. Follows the protocol.
   */
  readonly draw: DemonstrationDraw;
  /** Demonstrations that are read into the memory (default 2,000). */
  readonly memoryDemonstrations: number;
}

/**
 * In-context learning from reviews of the chronicle, whose goods have other labels in every task; the corpus's
 * `config.reviews` says how many goods and demonstrations there are.
 */
export interface ReviewSource {
  /** Distinguishes it from other sources. */
  readonly kind: "chronicle";
  /** Tasks (default 24). */
  readonly tasks: number;
}

/** Where tasks of in-context learning come from. */
export type DemonstrationSource = SentenceSource | ReviewSource;

/** A source of tasks as declared. */
export type DemonstrationSourceDeclaration =
  | Declared<SentenceSource, "kind" | "folder">
  | Declared<ReviewSource, "kind">;

/** Whether a model learns from demonstrations in its memory how to label another example. */
export interface InContextLearningEvaluation extends ModelEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "in-context-learning";
  /** What is to be labelled. */
  readonly source: DemonstrationSource;
  /** Demonstrations before each query (default 20 sentences, 0 reviews). */
  readonly shots: number;
  /**
   * `open-vocabulary` takes the most likely token of the whole vocabulary, and a label that begins with it as told (default
   * of the released code, and of reviews); `label-likelihood` takes the likeliest label.
   */
  readonly scoring: LabelScoring;
  /** What label likelihoods are divided by: nothing, or those after a prompt that says nothing (default `none`). */
  readonly calibration: LabelCalibration;
  /** A control: whether demonstrations in memory have their own labels (`true`, default), or one another's (`shuffled`). */
  readonly memoryLabels: "true" | "shuffled";
  /** Asks so many examples of each task at most, evenly spaced (default: all sentences, 16 reviews). */
  readonly maxItems?: number;
}

/**
 * Whether a model answers questions of SQuAD 1.1 in its own words, having read others with their answers into its memory.
 * Demonstrations and evaluated questions come from different articles.
 */
export interface SquadEvaluation extends ModelEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "squad";
  /**
   * Folder of `dev-v1.1.json` or `dev-v1.1.json.gz`, and of `dev-article-split.json` where the parts are not to be drawn;
   * relative to the folder in which the command runs.
   */
  readonly folder: string;
  /** Seeds, each of a draw of demonstrations (default 1 to 6). */
  readonly seeds: readonly number[];
  /** Questions with answers before each question (default 3); the first are left out where they have no room. */
  readonly shots: number;
  /** Questions with answers that are read into the memory (default 200). */
  readonly memoryDemonstrations: number;
  /** Tokens of an answer at most (default 16); every one takes a pass over the whole prompt. */
  readonly maxAnswerTokens: number;
  /** Asks so many questions at most, evenly spaced. */
  readonly maxItems?: number;
}

/**
 * Whether a model names facts that were told once, at chosen distances, in texts that otherwise tell nothing; and whether
 * the memory retrieves them. Nothing is downloaded: the facts are those of persons in the chronicle, pass keys elsewhere.
 */
export interface NeedleEvaluation extends ModelEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "needle";
  /**
   * Tokens from a fact to the answer at least, and no more than a sentence beyond; each has its own metrics (default 64,
   * 256, 512, 1024, 2048 and 4096). Texts are as long as the largest needs.
   */
  readonly distances: readonly number[];
  /** Facts of a text, dealt to the distances and all asked for; each number has texts of its own (default 1 alone). */
  readonly needles: readonly number[];
  /** How many times a fact of each distance is asked for, each in another text (default 24). */
  readonly instances: number;
  /** Seed of the texts (default 1). */
  readonly seed: number;
}

/**
 * Tokens a second and peak memory with so many tokens in sight (the paper's table of efficiency): `backbone` attends to all of them,
 * `longmem` and `untrained-with-memory` to `contextTokens` of them, with the others in a memory that is full. Which
 * weights they have makes no difference. `src/evaluation/efficiency.ts` says what is measured and how.
 */
export interface EfficiencyEvaluation extends ModelEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "efficiency";
  /** Tokens in sight, each a point (default 1024, 2048, 4096 and 8192); the memory's own capacity does not count. */
  readonly totalTokens: readonly number[];
  /** Passes before those that are timed (default 3). */
  readonly warmupPasses: number;
  /** Passes that are timed (default 9). */
  readonly repetitions: number;
}

/** An evaluation, all fields filled in. */
export type EvaluationConfig =
  | PerplexityEvaluation
  | RecallEvaluation
  | ChapterBreakEvaluation
  | InContextLearningEvaluation
  | SquadEvaluation
  | NeedleEvaluation
  | EfficiencyEvaluation;

/** An evaluation as declared; `memory` overrides fields of the experiment's memory. */
export type EvaluationDeclaration =
  & (
    | Declared<Omit<PerplexityEvaluation, "memory" | "models">, "kind" | "split">
    | Declared<Omit<RecallEvaluation, "memory" | "models">, "kind" | "split">
    | ChapterBreakDeclaration
    | Declared<Omit<NeedleEvaluation, "memory" | "models">, "kind">
    | Declared<Omit<EfficiencyEvaluation, "memory" | "models">, "kind">
    | (
      & Declared<Omit<InContextLearningEvaluation, "memory" | "models" | "source">, "kind">
      & { readonly source: DemonstrationSourceDeclaration }
    )
    | Declared<Omit<SquadEvaluation, "memory" | "models">, "kind" | "folder">
  )
  & { readonly models: readonly ModelDeclaration[]; readonly memory?: MemoryDeclaration };

/** An experiment as its author declares it. */
export interface Experiment {
  /** Lower-case words joined by `_` or `-`; the folder of its results. */
  readonly name: string;
  /** The question it answers, for the reader of its table. */
  readonly question?: string;
  /** The published table beside which `deno task table` prints its numbers; absent: none. */
  readonly reproduces?: ReproductionDeclaration | undefined;
  /** Whether tables present it at the paper's scale (default `scaled-down`). */
  readonly scale?: Scale;
  /** Seed of weights, order of documents and dropout (default 1). */
  readonly seed?: number;
  /** Defaults where paper and released code differ (default `strict`). */
  readonly protocol?: Protocol;
  /** Documents to train and evaluate on. */
  readonly corpus: CorpusDeclaration;
  /** Text to tokens. */
  readonly tokenizer: TokenizerConfig;
  /** The frozen language model. */
  readonly backbone: BackboneDeclaration;
  /** The SideNet; absent or undefined: only the backbone. */
  readonly sidenet?: SideNetDeclaration | undefined;
  /** The memory; absent or undefined: none, so that a baseline is `{ ...base, memory: undefined }`. */
  readonly memory?: MemoryDeclaration | undefined;
  /** Training of the SideNet; absent or undefined: it stays as initialised, or as its checkpoint has it. */
  readonly adaptation?: AdaptationDeclaration | undefined;
  /** What is measured. */
  readonly evaluations: readonly EvaluationDeclaration[];
  /** Where it runs (default `auto`). */
  readonly device?: DeviceChoice;
  /** Threads of the CPU engines (default: theirs). */
  readonly threads?: number;
  /**
   * Fields that take several values, a run for each combination: `{ "memory.chunkTokens": [1, 2, 4], seed: [1, 2] }`
   * are six runs. Lists in `zip` advance in step: `{ zip: { "memory.capacityTokens": [1024, 4096],
   * "memory.retrievedTokens": [16, 64] } }` are two. Absent: one run.
   */
  readonly sweep?: Sweep | undefined;
}

/** An experiment with every default filled in: the record of what a run does. */
export interface ResolvedExperiment
  extends
    Pick<Experiment, "name" | "question" | "tokenizer" | "threads">,
    Required<Pick<Experiment, "scale" | "seed" | "protocol" | "device">> {
  /** The published table beside which its numbers are printed; absent: none. */
  readonly reproduces?: ReproductionConfig;
  /** Documents to train and evaluate on. */
  readonly corpus: CorpusConfig;
  /** The frozen language model. */
  readonly backbone: BackboneConfig;
  /** The SideNet; absent: only the backbone. */
  readonly sidenet?: SideNetConfig;
  /** The memory of the adaptation; absent: none. */
  readonly memory?: MemoryConfig;
  /** Training of the SideNet; absent: it stays as initialised, or as its checkpoint has it. */
  readonly adaptation?: AdaptationConfig;
  /** What is measured. */
  readonly evaluations: readonly EvaluationConfig[];
}

/** The fields of which each run of a sweep may have its own value. */
export type Sweepable = Omit<
  Experiment,
  "name" | "question" | "reproduces" | "scale" | "device" | "threads" | "sweep"
>;

/** Paths of the fields of `T`, as `--set` names them; of an element of a list with its number. */
export type FieldPath<T, Prefix extends string = ""> = T extends readonly (infer Element)[]
  ? FieldPath<Element, `${Prefix}${number}.`>
  : T extends object ? {
      [K in keyof T & string]-?:
        | `${Prefix}${K}`
        | FieldPath<NonNullable<T[K]>, `${Prefix}${K}.`>;
    }[keyof T & string]
  : never;

/** The type of the field at a path, in any of the forms of `T` that has it. */
export type FieldValue<T, Path extends string> = T extends object ? Path extends keyof T ? T[Path]
  : Path extends `${infer Key}.${infer Rest}`
    ? T extends readonly (infer Element)[] ? FieldValue<Element, Rest>
    : Key extends keyof T ? FieldValue<NonNullable<T[Key]>, Rest>
    : never
  : never
  : never;

/** Lists of values by the path of their field, as `--set` names it: `memory.chunkTokens`, `seed`. */
export type SweptFields = {
  readonly [Path in FieldPath<Sweepable>]?: readonly NonNullable<FieldValue<Sweepable, Path>>[];
};

/** Fields and the values they take: every combination of the lists, except those in `zip`. */
export type Sweep = SweptFields & {
  /** Lists of one length, whose first values belong together, then their second, ...; combined with the others. */
  readonly zip?: SweptFields;
};
