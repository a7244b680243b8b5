/**
 * What evaluations will take, as far as declarations and the sizes of files say it: about, since no text becomes tokens here.
 */
import { join } from "node:path";
import { writeBooks } from "../text/chronicle/book.ts";
import { findDocuments } from "../text/corpus.ts";
import { type SentenceTask, sentenceTaskFormats } from "../text/sentence_tasks.ts";
import type {
  ChapterBreakEvaluation,
  CorpusConfig,
  DocumentEvaluation,
  EfficiencyEvaluation,
  EvaluatedModel,
  EvaluationConfig,
  InContextLearningEvaluation,
  ModelEvaluation,
  SentenceSource,
} from "./declaration.ts";
import { ifThere, readTextBytes } from "../files.ts";

/** Operations of a forward pass for a token, without attention and retrieval. */
export interface ForwardOperations {
  /** Of the backbone with its head. */
  readonly backbone: number;
  /** Of the SideNet, for models that have one; absent where its size is not known. */
  readonly sidenet?: number;
}

/** What one evaluation will take. */
export interface EvaluationEstimate extends EvaluationCost {
  /** Its name. */
  readonly name: string;
  /** What each of its models takes of it. */
  readonly models: readonly (EvaluationCost & { readonly model: EvaluatedModel })[];
}

/** What is known of how much an evaluation will take. */
export interface EvaluationCost {
  /** Tokens that pass through its models, padding included, all together; absent where only the texts themselves would say. */
  readonly tokens?: number;
  /** Floating-point operations of the matrices, without attention and retrieval. */
  readonly operations?: number;
}

/** Bytes of a token of English text, about, in a vocabulary like GPT-2's; smaller vocabularies have shorter tokens. */
const bytesPerToken = 4;

/** Tokens that a model passes, or undefined where that is not known. */
type TokensOf = (model: EvaluatedModel) => number;

/** Estimates an evaluation. */
export async function estimateEvaluation(
  evaluation: EvaluationConfig,
  corpus: CorpusConfig,
  forward: ForwardOperations | undefined,
): Promise<EvaluationEstimate> {
  const { name, models } = evaluation;
  const tokensOf = await tokensByModel(evaluation, corpus);
  const operationsOf = (model: EvaluatedModel): number | undefined =>
    !hasSideNet(model) ? forward?.backbone : forward?.sidenet && forward.backbone + forward.sidenet;
  const costs = models.map((model): EvaluationCost & { model: EvaluatedModel } => {
    if (tokensOf === undefined) return { model };
    const tokens = tokensOf(model), perToken = operationsOf(model);
    return { model, tokens, ...(perToken !== undefined && { operations: tokens * perToken }) };
  });
  if (tokensOf === undefined) return { name, models: costs };
  const known = costs.every(({ operations }) => operations !== undefined);
  return {
    name,
    models: costs,
    tokens: Math.round(costs.reduce((sum, { tokens }) => sum + tokens!, 0)),
    ...(known && { operations: costs.reduce((sum, { operations }) => sum + operations!, 0) }),
  };
}

async function tokensByModel(
  evaluation: EvaluationConfig,
  corpus: CorpusConfig,
): Promise<TokensOf | undefined> {
  switch (evaluation.kind) {
    case "perplexity":
    case "recall":
      return await documentTokens(evaluation, corpus);
    case "chapter-break":
      return chapterBreakTokens(evaluation, corpus);
    case "in-context-learning":
      return evaluation.source.kind === "sentences"
        ? await sentenceTokens(evaluation, evaluation.source)
        : undefined;
    case "efficiency":
      return efficiencyTokens(evaluation);
    case "squad":
    case "needle":
      return undefined;
    default:
      return evaluation satisfies never;
  }
}

async function documentTokens(
  { split, maxDocuments, contextTokens }: DocumentEvaluation,
  corpus: CorpusConfig,
): Promise<TokensOf | undefined> {
  const lengths = await documentLengths(corpus, split);
  return lengths && ((model) => {
    const window = windowOf(model, contextTokens);
    let tokens = 0;
    for (const length of lengths.slice(0, maxDocuments)) {
      for (let end = contextTokens; end < length + contextTokens; end += contextTokens) {
        tokens += Math.min(end, window);
      }
    }
    return tokens;
  });
}

/** Tokens of each document, about; undefined where files are missing. */
async function documentLengths(
  corpus: CorpusConfig,
  split: "valid" | "test",
): Promise<number[] | undefined> {
  switch (corpus.kind) {
    case "files": {
      const sources = corpus[split].map((part) => join(corpus.folder, part));
      const files = await ifThere(findDocuments(sources));
      if (files === undefined) return undefined;
      const bytes = files.slice(0, corpus.maxDocuments[split]).map(({ path }) => textBytes(path));
      return (await Promise.all(bytes)).map((count) => count / bytesPerToken);
    }
    case "chronicle": {
      const { books, drills, config, seed } = corpus;
      const writing = { ...config, pretraining: { books: books.train, drills } };
      const [book] = writeBooks(writing, { seed, count: 1 }); // all are about as long
      return Array(books[split]).fill(book.tokens.length);
    }
    case "none":
      return undefined;
    default:
      return corpus satisfies never;
  }
}

/** Of items made from texts the number shows when they are made, unless it is limited. */
function chapterBreakTokens(
  { source, prefixTokens, suffixTokens, contextTokens, maxItems }: ChapterBreakEvaluation,
  corpus: CorpusConfig,
): TokensOf | undefined {
  const all = source.kind === "chronicle" && corpus.kind === "chronicle"
    ? corpus.books[source.split] * (corpus.config.book.chapters - source.firstChapter)
    : Infinity;
  const items = Math.min(all, maxItems ?? Infinity);
  if (!Number.isFinite(items)) return undefined;
  const candidates = 6;
  return (model) =>
    items * prefixTokens.reduce((sum, prefix) => {
      const read = Math.max(0, prefix - (contextTokens - suffixTokens));
      const prompt = Math.min(windowOf(model, contextTokens), prefix + suffixTokens);
      return sum + (remembers(model) ? read : 0) + candidates * prompt;
    }, 0);
}

async function sentenceTokens(
  { shots, scoring, maxItems }: InContextLearningEvaluation,
  { folder, tasks, seeds, memoryDemonstrations }: SentenceSource,
): Promise<TokensOf | undefined> {
  let read = 0, asked = 0;
  for (const task of tasks) {
    const sizes = await ifThere(sentenceSizes(folder, task));
    if (sizes === undefined) return undefined;
    const { train, evaluated, labels } = sizes;
    read += seeds.length * memoryDemonstrations * train.tokens;
    const items = Math.min(maxItems ?? Infinity, evaluated.lines);
    const prompts = items * (scoring === "label-likelihood" ? labels : 1);
    asked += seeds.length * prompts * (shots * train.tokens + evaluated.tokens);
  }
  return (model) => (remembers(model) ? read : 0) + asked;
}

/** Lines of the files of a task, and tokens of a demonstration. */
async function sentenceSizes(folder: string, task: SentenceTask) {
  const { train, evaluated, before, between, labels } = sentenceTaskFormats[task];
  const sizeOf = async (file: string) => {
    const text = new TextDecoder().decode(await readTextBytes(join(folder, file)));
    const lines = text.trimEnd().split("\n").length;
    const characters = text.length / lines + before.length + between.length;
    return { lines, tokens: characters / bytesPerToken };
  };
  return {
    train: await sizeOf(train),
    evaluated: await sizeOf(evaluated),
    labels: labels.length,
  };
}

function efficiencyTokens(
  { totalTokens, warmupPasses, repetitions, contextTokens, batchSize }: EfficiencyEvaluation,
): TokensOf {
  const passes = warmupPasses + repetitions;
  return (model) =>
    totalTokens.reduce(
      (sum, tokens) => sum + batchSize * passes * (remembers(model) ? contextTokens : tokens),
      0,
    );
}

/** Tokens that pass for each segment. */
function windowOf(model: EvaluatedModel, contextTokens: ModelEvaluation["contextTokens"]): number {
  return typeof model === "object" && "windowTokens" in model ? model.windowTokens : contextTokens;
}

function hasSideNet(model: EvaluatedModel): boolean {
  return typeof model === "string" && !["backbone", "memorizing-transformer"].includes(model);
}

/** Whether a model reads what is put into a memory. */
function remembers(model: EvaluatedModel): boolean {
  return typeof model === "string"
    ? !["backbone", "sidenet-without-memory", "longmem-memory-off"].includes(model)
    : model.model === "infllm";
}

/** Bytes of a file's text; of a compressed one those that its last four bytes tell. */
async function textBytes(path: string): Promise<number> {
  const { size } = await Deno.stat(path);
  if (!path.endsWith(".gz") || size < 4) return size;
  using file = await Deno.open(path);
  await file.seek(-4, Deno.SeekMode.End);
  const end = new Uint8Array(4);
  await file.read(end);
  return new DataView(end.buffer).getUint32(0, true);
}
