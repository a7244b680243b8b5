import { join } from "node:path";
import type {
  CorpusConfig,
  ResolvedExperiment,
  Split,
  TokenizerConfig,
} from "../experiment/declaration.ts";
import type { TrainingConfig } from "../training/config.ts";
import { trainByteLevelBpe } from "../text/bpe_trainer.ts";
import { type Document, type DocumentFile, findDocuments, readDocument } from "../text/corpus.ts";
import { DocumentStream } from "../text/document_stream.ts";
import { type TokenizedDocument, tokenizeDocument } from "../text/document_tokens.ts";
import { concatenateDocuments, LaneStream } from "../text/lane_stream.ts";
import type { SegmentStream } from "../text/segments.ts";
import { hashOf, type Tokenizer } from "../text/tokenizer.ts";
import { formatTokenizerJson, parseTokenizerJson } from "../text/tokenizer_json.ts";
import { openTokenizer } from "../text/tokenizer_source.ts";
import type { RunContext } from "./run.ts";

/** A document as token ids, with its length in the unit of the paper's buckets. */
export interface RunDocument extends TokenizedDocument {
  /** Length in GPT-2 tokens: what the corpus's `index.json` says, else characters / 4. */
  readonly gpt2Tokens: number;
}

/** The text of a run: its tokenizer, and the documents of each split, tokenised when first asked for. */
export interface RunText {
  readonly tokenizer: Tokenizer;
  documents(split: Split): Promise<readonly RunDocument[]>;
}

/** Opens corpus and tokenizer; records the hashes of both. */
export async function openText(
  experiment: ResolvedExperiment,
  context: RunContext,
): Promise<RunText> {
  const { corpus } = experiment;
  const lengths = await knownLengths(corpus.folder);
  const tokenizer = await tokenizerOf(experiment, context);
  await context.results.recordHash("tokenizer", tokenizer.hash);
  const splits = new Map<Split, Promise<readonly RunDocument[]>>();

  const load = async (split: Split): Promise<readonly RunDocument[]> => {
    context.progress.note(`reading the ${split} split`);
    const documents: RunDocument[] = [];
    const hashes: string[] = [];
    for await (const document of documentsOf(corpus, split)) {
      hashes.push(document.name, document.sha256);
      const tokenized = tokenizeDocument(document, tokenizer, corpus);
      documents.push({
        ...tokenized,
        gpt2Tokens: lengths.get(document.name) ?? Math.round(document.text.length / 4),
      });
    }
    await context.results.recordHash(`corpus ${split}`, hashOf(hashes));
    const tokens = documents.reduce((sum, document) => sum + document.tokens.length, 0);
    context.progress.note(`${split} split: ${documents.length} documents, ${tokens} tokens`);
    return documents;
  };
  return {
    tokenizer,
    documents(split) {
      if (!splits.has(split)) splits.set(split, load(split));
      return splits.get(split)!;
    },
  };
}

/** Cuts the train split into the batches of a training. */
export async function trainingStream(
  text: RunText,
  experiment: ResolvedExperiment,
  training: TrainingConfig,
): Promise<SegmentStream> {
  const documents = await text.documents("train");
  const { batchSize, contextTokens } = training;
  const { eos, pad } = text.tokenizer.specialIds;
  switch (training.batches) {
    case "lanes":
      return new LaneStream(concatenateDocuments(documents), { batchSize, contextTokens, eos });
    case "documents": {
      const { maxDocumentTokens } = experiment.corpus;
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

async function filesOf(corpus: CorpusConfig, split: Split): Promise<DocumentFile[]> {
  const files = await findDocuments(corpus[split].map((part) => join(corpus.folder, part)));
  return files.slice(0, corpus.maxDocuments[split]);
}

async function* documentsOf(corpus: CorpusConfig, split: Split): AsyncGenerator<Document> {
  for (const file of await filesOf(corpus, split)) yield await readDocument(file);
}

/** The declared tokenizer; one that is trained is kept as `tokenizer.json` in the run's folder. */
async function tokenizerOf(
  experiment: ResolvedExperiment,
  context: RunContext,
): Promise<Tokenizer> {
  const { tokenizer, corpus } = experiment;
  switch (tokenizer.kind) {
    case "bpe":
      return await trainedTokenizer(tokenizer, corpus, context);
    case "file":
    case "gpt2":
      return await openTokenizer(tokenizer);
    default:
      return tokenizer satisfies never;
  }
}

async function trainedTokenizer(
  config: Extract<TokenizerConfig, { kind: "bpe" }>,
  corpus: CorpusConfig,
  context: RunContext,
): Promise<Tokenizer> {
  const path = join(context.results.path, "tokenizer.json");
  try {
    return parseTokenizerJson(await Deno.readTextFile(path), { name: path });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  context.progress.note(`training a vocabulary of ${config.vocabSize} tokens`);
  const texts: string[] = [];
  let left = config.maxTrainingBytes ?? Infinity;
  for await (const { text } of documentsOf(corpus, "train")) {
    if (left <= 0) break;
    texts.push(text.slice(0, left));
    left -= text.length;
  }
  const json = formatTokenizerJson(trainByteLevelBpe(texts, { vocabSize: config.vocabSize }));
  await Deno.writeTextFile(`${path}.part`, json);
  await Deno.rename(`${path}.part`, path);
  return parseTokenizerJson(json, { name: path });
}

/** GPT-2 lengths of documents by name, where the corpus has an `index.json` that says them. */
async function knownLengths(folder: string): Promise<Map<string, number>> {
  let entries: unknown;
  try {
    entries = JSON.parse(await Deno.readTextFile(join(folder, "index.json")));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return new Map();
    }
    throw error;
  }
  const lengths = new Map<string, number>();
  for (const entry of Array.isArray(entries) ? entries : []) {
    const { file, "gpt2_tokens": tokens } = entry as { file?: unknown; gpt2_tokens?: unknown };
    if (typeof file !== "string" || typeof tokens !== "number") continue;
    lengths.set(file.split("/").at(-1)!.replace(/\.txt(\.gz)?$/, ""), tokens);
  }
  return lengths;
}
