import { join } from "node:path";
import type {
  ChronicleCorpusConfig,
  FileCorpusConfig,
  ResolvedExperiment,
  Split,
  TokenizerConfig,
} from "../experiment/declaration.ts";
import type { TrainingConfig } from "../training/config.ts";
import { firstBytes, trainByteLevelBpe } from "../text/bpe_trainer.ts";
import { type ChronicleBook, writeBooks } from "../text/chronicle/book.ts";
import { writePretrainingDocuments } from "../text/chronicle/pretraining.ts";
import { type Document, type DocumentFile, findDocuments, readDocument } from "../text/corpus.ts";
import { readCorpusIndex } from "../text/corpus_index.ts";
import { DocumentStream } from "../text/document_stream.ts";
import { type TokenizedDocument, tokenizeDocument } from "../text/document_tokens.ts";
import { concatenateDocuments, LaneStream } from "../text/lane_stream.ts";
import type { SegmentStream } from "../text/segments.ts";
import { hashOf, type Tokenizer } from "../text/tokenizer.ts";
import { formatTokenizerJson, parseTokenizerJson } from "../text/tokenizer_json.ts";
import { openTokenizer } from "../text/tokenizer_source.ts";
import { readText, writeAtomically } from "../files.ts";
import type { RunContext } from "./run_context.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";

/** A document as token ids, with its length in the unit of the paper's buckets. */
export interface RunDocument extends TokenizedDocument {
  /** Length in GPT-2 tokens: what the corpus's `index.json` says, else characters / 4. */
  readonly gpt2Tokens: number;
}

/** The text of a run: its tokenizer, and the documents of each split, read or written when first asked for. */
export interface RunText {
  readonly tokenizer: Tokenizer;
  documents(split: Split): Promise<readonly RunDocument[]>;
  /**
   * The documents of a split as text, read anew each time.
   *
   * @throws {TypeError} If the corpus is not one of files.
   */
  texts(split: Split): Promise<readonly Document[]>;
  /** What a backbone is pretrained on: the train split, and what the corpus has for backbones alone. */
  pretrainingDocuments(): Promise<readonly RunDocument[]>;
  /**
   * The documents of a split with their recalls.
   *
   * @throws {TypeError} If the corpus is not the chronicle, of which alone recalls are known.
   */
  books(split: Split): Promise<readonly ChronicleBook[]>;
}

/** Opens corpus and tokenizer; records the hashes of both. */
export async function openText(
  experiment: ResolvedExperiment,
  context: RunContext,
): Promise<RunText> {
  const { corpus } = experiment;
  switch (corpus.kind) {
    case "files":
      return await openFiles(corpus, experiment, context);
    case "chronicle":
      return await openChronicle(experiment.name, corpus, context);
    case "none":
      return await openTokenizerAlone(experiment, context);
    default:
      return corpus satisfies never;
  }
}

async function openFiles(
  corpus: FileCorpusConfig,
  experiment: ResolvedExperiment,
  context: RunContext,
): Promise<RunText> {
  const { name, tokenizer: config } = experiment;
  await checkSplits(corpus, experiment);
  const index = await readCorpusIndex(corpus.folder);
  const tokenizer = config.kind === "bpe"
    ? await trainedTokenizer(config, corpus, context)
    : await openTokenizer(config);
  await context.results.recordHash("tokenizer", tokenizer.hash);

  const documents = once(async (split: Split): Promise<readonly RunDocument[]> => {
    context.progress.doing(`reading the ${split} split`);
    const documents: RunDocument[] = [];
    const hashes: string[] = [];
    for await (const document of documentsOf(corpus, split)) {
      hashes.push(document.name, document.sha256);
      const tokenized = tokenizeDocument(document, tokenizer, corpus);
      documents.push({
        ...tokenized,
        gpt2Tokens: index.documents.get(document.name)?.gpt2Tokens ??
          Math.round(document.text.length / 4),
      });
    }
    await context.results.recordHash(`corpus ${split}`, hashOf(hashes));
    context.progress.note(`${split} split: ${sizeOf(documents)}`);
    return documents;
  });
  return {
    tokenizer,
    documents,
    async texts(split) {
      const texts = await Array.fromAsync(documentsOf(corpus, split));
      const hashes = texts.flatMap(({ name, sha256 }) => [name, sha256]);
      await context.results.recordHash(`corpus ${split}`, hashOf(hashes));
      return texts;
    },
    pretrainingDocuments: () => documents("train"),
    books() {
      throw new InputTypeError(
        `Cannot find recalls in the corpus of "${name}" as only those of the chronicle are known: ` +
          `current value of corpus.kind is "files", allowed is chronicle`,
      );
    },
  };
}

async function openChronicle(
  name: string,
  { seed, books: counts, drills, config }: ChronicleCorpusConfig,
  context: RunContext,
): Promise<RunText> {
  const writing = { ...config, pretraining: { books: counts.train, drills } };
  const tokenizer = await openTokenizer({ kind: "chronicle" });
  await context.results.recordHash("tokenizer", tokenizer.hash);

  /** Records what has been written, and leaves it without its recalls, of which a long corpus has many. */
  const record = async (name: string, written: Iterable<TokenizedDocument>) => {
    context.progress.doing(`writing the ${name} documents`);
    const documents: RunDocument[] = [];
    const hashes: string[] = [];
    for (const { name, tokens, words } of written) {
      hashes.push(name, hashOf([tokens.join(" ")]));
      documents.push({ name, tokens, words, gpt2Tokens: tokens.length });
    }
    await context.results.recordHash(`corpus ${name}`, hashOf(hashes));
    context.progress.note(`${name}: ${sizeOf(documents)}`);
    return documents;
  };
  const books = (split: Split) => {
    // The books of the train split are those of the pretraining, which draws their seeds so.
    const name = split === "train" ? "pretraining" : split;
    return writeBooks(writing, { seed: `${seed}/${name}`, count: counts[split] });
  };
  const pretraining = once(() => record("pretraining", writePretrainingDocuments(writing, seed)));
  return {
    tokenizer,
    documents: once((split: Split) => record(split, books(split))),
    pretrainingDocuments: () => pretraining("train"),
    texts() {
      throw new InputTypeError(
        `Cannot read the texts of the corpus of "${name}" as they are written as tokens: ` +
          `current value of corpus.kind is "chronicle", allowed is files`,
      );
    },
    books: once((split: Split) => Promise.resolve(books(split))),
  };
}

/** The text of a run without documents. */
async function openTokenizerAlone(
  { name, tokenizer: config }: ResolvedExperiment,
  context: RunContext,
): Promise<RunText> {
  if (config.kind === "bpe") {
    throw new InputTypeError(`Cannot train a tokenizer for "${name}" as it has no corpus`);
  }
  const tokenizer = await openTokenizer(config);
  await context.results.recordHash("tokenizer", tokenizer.hash);
  const missing = () => {
    throw new InputTypeError(
      `Cannot read documents for "${name}" as it has none: current value of corpus.kind is "none", ` +
        "allowed are files, chronicle",
    );
  };
  return {
    tokenizer,
    documents: missing,
    texts: missing,
    pretrainingDocuments: missing,
    books: missing,
  };
}

/** Loads the documents of a split when it is first asked for. */
function once<T>(load: (split: Split) => Promise<T>): (split: Split) => Promise<T> {
  const loaded = new Map<Split, Promise<T>>();
  return (split) => {
    if (!loaded.has(split)) loaded.set(split, load(split));
    return loaded.get(split)!;
  };
}

function sizeOf(documents: readonly RunDocument[]): string {
  const tokens = documents.reduce((sum, document) => sum + document.tokens.length, 0);
  return `${documents.length} documents, ${tokens} tokens`;
}

/** Cuts documents into the batches of a training. */
export function trainingStream(
  documents: readonly RunDocument[],
  tokenizer: Tokenizer,
  experiment: ResolvedExperiment,
  training: TrainingConfig,
): SegmentStream {
  const { batchSize, contextTokens } = training;
  const { eos, pad } = tokenizer.specialIds;
  switch (training.batches) {
    case "lanes":
      return new LaneStream(concatenateDocuments(documents), { batchSize, contextTokens, eos });
    case "documents": {
      const { corpus } = experiment;
      const maxDocumentTokens = corpus.kind === "files" ? corpus.maxDocumentTokens : undefined;
      return new DocumentStream(documents, {
        batchSize,
        contextTokens,
        pad,
        seed: experiment.seed,
        ...(maxDocumentTokens === undefined ? {} : { maxDocumentTokens }),
      });
    }
    default:
      return training.batches satisfies never;
  }
}

async function filesOf(corpus: FileCorpusConfig, split: Split): Promise<DocumentFile[]> {
  const files = await findDocuments(corpus[split].map((part) => join(corpus.folder, part)));
  return files.slice(0, corpus.maxDocuments[split]);
}

async function* documentsOf(corpus: FileCorpusConfig, split: Split): AsyncGenerator<Document> {
  for (const file of await filesOf(corpus, split)) yield await readDocument(file);
}

/**
 * Reads every document once before anything is trained, so that one that cannot be read is found now and not after
 * the training; and so that nothing is measured on what was trained on.
 *
 * @throws {RangeError} Where a text is in two of the splits that the run reads.
 */
async function checkSplits(
  corpus: FileCorpusConfig,
  { name, backbone, adaptation, evaluations }: ResolvedExperiment,
): Promise<void> {
  const pretraining = backbone.kind === "pretrain" ? [backbone.training] : [];
  const trainings = adaptation ? [...pretraining, adaptation] : pretraining;
  if (trainings.length === 0) return; // evaluations read their documents at once
  const splits = new Set<Split>(["train"]);
  if (trainings.some(({ validateEverySteps }) => validateEverySteps)) splits.add("valid");
  for (const evaluation of evaluations) {
    if ("split" in evaluation) splits.add(evaluation.split);
    if (evaluation.kind === "chapter-break" && evaluation.source.kind === "books") {
      splits.add(evaluation.source.split);
    }
  }
  const seen = new Map<string, { readonly split: Split; readonly path: string }>();
  for (const split of splits) {
    for (const file of await filesOf(corpus, split)) {
      const { sha256 } = await readDocument(file);
      const other = seen.get(sha256);
      if (other && other.split !== split) {
        throw new InputRangeError(
          `Cannot run "${name}" as corpus.${split} must have no text of corpus.${other.split}: ` +
            `current files "${file.path}" and "${other.path}" are the same`,
        );
      }
      seen.set(sha256, { split, path: file.path });
    }
  }
}

/** A tokenizer trained on the train split, which is kept as `tokenizer.json` in the run's folder. */
async function trainedTokenizer(
  config: Extract<TokenizerConfig, { kind: "bpe" }>,
  corpus: FileCorpusConfig,
  context: RunContext,
): Promise<Tokenizer> {
  const path = join(context.results.path, "tokenizer.json");
  try {
    return parseTokenizerJson(await readText(path), { name: path });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  context.progress.doing(`training a vocabulary of ${config.vocabSize} tokens`);
  const texts: string[] = [];
  let leftBytes = config.maxTrainingBytes ?? Infinity;
  for await (const { text } of documentsOf(corpus, "train")) {
    const { part, sizeBytes } = firstBytes(text, leftBytes);
    texts.push(part);
    leftBytes -= sizeBytes;
    if (part.length < text.length) break;
  }
  const json = formatTokenizerJson(trainByteLevelBpe(texts, { vocabSize: config.vocabSize }));
  await writeAtomically(path, json);
  return parseTokenizerJson(json, { name: path });
}
