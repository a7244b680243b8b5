/**
 * Declaration of an experiment: the parts that it composes, and the fields of its own.
 *
 * Every part is described once, with all its fields filled in (`MemoryConfig`); the author's declaration is the same type with
 * optional fields where there is a default (`MemoryDeclaration`). Both are in the file of the part, with the schema, the
 * defaults and the rules of its fields: `src/memory/config.ts`.
 */
import type { ClusterConfig, ClusterDeclaration } from "../cluster/config.ts";
import type { SideNetConfig, SideNetDeclaration } from "../checkpoint/sidenets.ts";
import type { AdaptationConfig, AdaptationDeclaration } from "../training/config.ts";
import type { BackboneConfig, BackboneDeclaration } from "./backbones.ts";
import type { EvaluationConfig, EvaluationDeclaration } from "../evaluation/evaluations.ts";
import type { Protocol } from "../declaration/protocol.ts";
import type { MemoryConfig, MemoryDeclaration } from "../memory/config.ts";
import type { ReproductionConfig, ReproductionDeclaration } from "../results/reproduction.ts";
import type { CorpusConfig, CorpusDeclaration } from "../text/corpora/corpora.ts";
import type { TokenizerConfig } from "../text/tokenizers/tokenizers.ts";

export type { ModelSize, NamedSize } from "../backbone/config.ts";
export type { ClusterConfig, ClusterDeclaration } from "../cluster/config.ts";
export type {
  CheckpointSideNetConfig,
  CheckpointSideNetDeclaration,
} from "../checkpoint/checkpoint_sidenet.ts";
export type { SideNetConfig, SideNetDeclaration } from "../checkpoint/sidenets.ts";
export type {
  InitializedSideNetConfig,
  InitializedSideNetDeclaration,
} from "../longmem/initialized_sidenet.ts";
export type {
  AdaptationConfig,
  AdaptationDeclaration,
  TrainingConfig,
  TrainingDeclaration,
} from "../training/config.ts";
export type {
  PretrainedBackboneConfig,
  PretrainedBackboneDeclaration,
} from "../training/pretraining.ts";
export type { BackboneConfig, BackboneDeclaration } from "./backbones.ts";
export type {
  CheckpointBackboneConfig,
  CheckpointBackboneDeclaration,
} from "../checkpoint/checkpoint_backbone.ts";
export type {
  HuggingFaceBackboneConfig,
  HuggingFaceBackboneDeclaration,
} from "../checkpoint/huggingface_backbone.ts";
export type { BackboneStart } from "../training/pretraining.ts";
export type {
  ChapterBreakDeclaration,
  ChapterBreakEvaluation,
} from "../evaluation/chapter_break.ts";
export type {
  ChapterBreakSource,
  ChapterBreakSourceDeclaration,
} from "../evaluation/chapter_break/sources.ts";
export type { BookChapters } from "../evaluation/chapter_break/books.ts";
export type { ChronicleChapters } from "../evaluation/chapter_break/chronicle.ts";
export type { ChapterBreakFile } from "../evaluation/chapter_break/file.ts";
export type { EfficiencyDeclaration, EfficiencyEvaluation } from "../evaluation/efficiency.ts";
export type {
  DeclaredEvaluation,
  ModelEvaluation,
  ModelEvaluationDeclaration,
} from "../evaluation/evaluation_kind.ts";
export type { EvaluationConfig, EvaluationDeclaration } from "../evaluation/evaluations.ts";
export type {
  InContextLearningDeclaration,
  InContextLearningEvaluation,
} from "../evaluation/in_context_learning.ts";
export type { ReviewSource } from "../evaluation/in_context_learning/reviews.ts";
export type {
  DemonstrationDraw,
  SentenceSource,
} from "../evaluation/in_context_learning/sentences.ts";
export type {
  LabelCalibration,
  LabelScoring,
  TaskProtocol,
} from "../evaluation/in_context_learning/source.ts";
export type {
  DemonstrationSource,
  DemonstrationSourceDeclaration,
} from "../evaluation/in_context_learning/sources.ts";
export type {
  ConfiguredModel,
  EvaluatedModel,
  ModelDeclaration,
  NamedModel,
  SlidingModel,
} from "../evaluation/models.ts";
export type { CopyModel } from "../evaluation/models/copy.ts";
export type { KnnLmModel } from "../evaluation/models/knn_lm.ts";
export type { OtherDocumentModel } from "../evaluation/models/longmem_other_document.ts";
export type { BlockMemoryModel } from "../evaluation/models/infllm.ts";
export type { WindowedModel } from "../evaluation/models/in_window.ts";
export type { NeedleDeclaration, NeedleEvaluation } from "../evaluation/needle.ts";
export type { PerplexityDeclaration, PerplexityEvaluation } from "../evaluation/perplexity.ts";
export type { RecallDeclaration, RecallEvaluation } from "../evaluation/recall.ts";
export type { DocumentEvaluation } from "../evaluation/shared/document_evaluation.ts";
export type { QuestionsDeclaration, QuestionsEvaluation } from "../evaluation/questions.ts";
export type { RetrievalDeclaration, RetrievalEvaluation } from "../evaluation/retrieval.ts";
export type { RulerDeclaration, RulerEvaluation } from "../evaluation/ruler.ts";
export type { BenchmarkDeclaration, BenchmarkEvaluation } from "../evaluation/benchmark.ts";
export type { FormatName } from "../evaluation/benchmarks/formats.ts";
export type { BabilongDeclaration, BabilongEvaluation } from "../evaluation/babilong.ts";
export type { BabiTask } from "../text/benchmarks/babi.ts";
export type { RulerTask } from "../text/benchmarks/ruler.ts";
export type { GeneratedEvaluation } from "../evaluation/benchmarks/generated.ts";
export type { AnswerEnd } from "../evaluation/benchmarks/benchmark.ts";
export type { SquadDeclaration, SquadEvaluation } from "../evaluation/squad.ts";
export type { TokenLossDeclaration, TokenLossEvaluation } from "../evaluation/token_loss.ts";
export type { PublishedTableName } from "../results/paper_tables.ts";
export type { ReproductionConfig, ReproductionDeclaration } from "../results/reproduction.ts";
export type {
  ChronicleCorpusConfig,
  ChronicleCorpusDeclaration,
  ChronicleWriting,
} from "../text/corpora/chronicle.ts";
export type { CorpusConfig, CorpusDeclaration } from "../text/corpora/corpora.ts";
export type { Split } from "../text/corpora/corpus_kind.ts";
export type { FileCorpusConfig, FileCorpusDeclaration } from "../text/corpora/files.ts";
export type { NoCorpusConfig } from "../text/corpora/none.ts";
export type { TrainedTokenizerConfig } from "../text/tokenizers/bpe.ts";
export type { ChronicleTokenizerConfig } from "../text/tokenizers/chronicle.ts";
export type { FileTokenizerConfig } from "../text/tokenizers/file.ts";
export type { Gpt2TokenizerConfig } from "../text/tokenizers/gpt2.ts";
export type { HuggingFaceTokenizerConfig } from "../text/tokenizers/huggingface.ts";
export type { TokenizerConfig } from "../text/tokenizers/tokenizers.ts";
export type { SentenceTask } from "../text/sentence_tasks.ts";

/** Where graphs run; `auto` takes a GPU where there is a real one, the native CPU engine otherwise. */
export type DeviceChoice = "auto" | "webgpu" | "cpu" | "wasm";

/** Whether the sizes are the paper's, or reduced so that a small machine can train them; tables say which. */
export type Scale = "paper" | "scaled-down";

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
  /** Evaluations, in order. */
  readonly evaluations: readonly EvaluationDeclaration[];
  /** Where it runs (default `auto`). */
  readonly device?: DeviceChoice;
  /** Threads of the CPU engines (default: the environment's LONGMEM_THREADS, or one per core). */
  readonly threads?: number;
  /** What `deno task submit` asks of a cluster; flags of the command line override it. */
  readonly cluster?: ClusterDeclaration | undefined;
  /**
   * Paths that its runs were recorded with, by those that it names now: `{ "data/novels": "../shared/data/novels" }`. Paths are part
   * of a run's name; a run of data that has moved keeps the name that it had. Whether the data is the same is told by its hashes.
   */
  readonly moved?: Readonly<Record<string, string>>;
  /**
   * Fields that take several values, a run for each combination: `{ "memory.chunkTokens": [1, 2, 4], seed: [1, 2] }`
   * are six runs. Lists in `zip` advance in step: `{ zip: { "memory.capacityTokens": [1024, 4096],
   * "memory.retrievedTokens": [16, 64] } }` are two. Absent: one run.
   */
  readonly sweep?: Sweep | undefined;
}

/** An experiment with every default filled in, as runs record it. */
export interface ResolvedExperiment
  extends
    Pick<Experiment, "name" | "question" | "tokenizer" | "threads" | "moved">,
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
  /** Evaluations, in order. */
  readonly evaluations: readonly EvaluationConfig[];
  /** What `deno task submit` asks of a cluster; absent: its defaults. */
  readonly cluster?: ClusterConfig;
}

/** The fields of which each run of a sweep may have its own value. */
export type Sweepable = Omit<
  Experiment,
  | "name"
  | "question"
  | "reproduces"
  | "scale"
  | "device"
  | "threads"
  | "moved"
  | "cluster"
  | "sweep"
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
