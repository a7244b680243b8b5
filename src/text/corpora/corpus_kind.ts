import type { NamedPath, Part } from "../../declaration/part.ts";
import { type Problem, wrong } from "../../declaration/problem.ts";
import type { Protocol } from "../../declaration/protocol.ts";
import type { ChronicleBook } from "../chronicle/book.ts";
import type { ChronicleConfig } from "../chronicle/config.ts";
import type { Document } from "../corpus.ts";
import type { LineTreatment, TokenizedDocument } from "../document_tokens.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { type TokenizerConfig, tokenizers } from "../tokenizers/tokenizers.ts";

/** One part of a corpus. */
export type Split = "train" | "valid" | "test";

export const splits = ["train", "valid", "test"] as const satisfies readonly Split[];

/** Inputs from which the defaults of a corpus are derived. */
export interface CorpusDefaults {
  readonly protocol: Protocol;
  /** The experiment's. */
  readonly seed: number;
}

/** Parts of a run that a corpus must fit. */
export interface CorpusSurroundings {
  readonly tokenizer: TokenizerConfig;
  /** Parts of the experiment that are trained on it: `backbone`, `adaptation`. */
  readonly trained: readonly string[];
}

/** How a corpus treats its texts. */
export interface TextTreatment extends Required<LineTreatment> {
  /** Cuts documents into parts of at most this many tokens. */
  readonly maxDocumentTokens?: number;
  /** Works or authors of documents, by their names. */
  readonly clusters?: Readonly<Record<string, string>>;
}

/** The chronicle whose words a corpus is written in. */
export interface WrittenChronicle {
  readonly seed: number;
  readonly writing: ChronicleConfig;
}

/** A kind of corpus: the fields that declare it. */
export interface CorpusKind<Declaration, Config>
  extends Part<Declaration, Config, CorpusDefaults, CorpusSurroundings> {
  /** Files and folders that it reads, as far as the declaration names them. */
  files?(config: Config, path: string): Promise<NamedPath[]>;
  /**
   * Finds the documents of all splits.
   *
   * @throws {MissingDataError} Naming the field of the split that has none.
   */
  checkDocuments?(config: Config): Promise<void>;
  /** SHA-256 over the names and bytes of a split's documents, where these are files; undefined where they are missing. */
  hash?(config: Config, split: Split): Promise<string | undefined>;
  /** How it treats texts; absent: its documents are not read from texts. */
  treatment?(config: Config): TextTreatment;
  /** Folder of its texts, whose `index.json` may list their chapters; absent: they are in none. */
  folder?(config: Config): string;
  /** The chronicle that it is written in; absent: its words are those of a natural language. */
  chronicle?(config: Config): WrittenChronicle;
  /** Documents of a split, where the declaration says it. */
  documentCount?(config: Config, split: Split): number;
  /** Tokens of each document of a split, about, before it is read; undefined where files are missing. */
  documentTokens?(config: Config, split: Split): Promise<number[] | undefined>;
  /** Opens the corpus and its tokenizer; records the hashes of both. */
  open(config: Config, context: CorpusContext): Promise<RunText>;
}

/** Context in which a run reads a corpus. */
export interface CorpusContext {
  /** Name of the experiment, for errors. */
  readonly name: string;
  /** Splits that the run reads, where it trains on one of them; otherwise none. */
  readonly splits: readonly Split[];
  /** Opens the tokenizer of the run and records its hash; one that is trained learns from the documents, those of the train split. */
  openTokenizer(documents?: AsyncIterable<Document>): Promise<Tokenizer>;
  /** Records the hash of the data read. */
  recordHash(name: string, hash: string): Promise<void>;
  /** Shows the present activity. */
  doing(text: string): void;
  /** Shows a line that stays. */
  note(text: string): void;
}

/** A document as token ids, with its length in the unit of the paper's buckets. */
export interface RunDocument extends TokenizedDocument {
  /** Length in GPT-2 tokens: from the corpus's `index.json`, else characters / 4. */
  readonly gpt2Tokens: number;
  /** Its work or author: documents of one are not independent of each other; absent where the corpus does not say. */
  readonly cluster?: string;
}

/** The text of a run: its tokenizer, and the documents of each split, read or written when first asked for. */
export interface RunText {
  readonly tokenizer: Tokenizer;
  documents(split: Split): Promise<readonly RunDocument[]>;
  /**
   * The documents of a split as text, read again each time.
   *
   * @throws {TypeError} If the corpus has none.
   */
  texts(split: Split): Promise<readonly Document[]>;
  /** Pretraining data of a backbone: the train split, and documents of the corpus for backbones alone. */
  pretrainingDocuments(): Promise<readonly RunDocument[]>;
  /**
   * The documents of a split with their recalls.
   *
   * @throws {TypeError} If the corpus is not the chronicle: recalls are known of no other.
   */
  books(split: Split): Promise<readonly ChronicleBook[]>;
}

/** Loads the documents of a split when it is first asked for. */
export function once<T>(load: (split: Split) => Promise<T>): (split: Split) => Promise<T> {
  const loaded = new Map<Split, Promise<T>>();
  return (split) => {
    if (!loaded.has(split)) loaded.set(split, load(split));
    return loaded.get(split)!;
  };
}

/** How much was read, in words. */
export function sizeOf(documents: readonly RunDocument[]): string {
  const tokens = documents.reduce((sum, document) => sum + document.tokens.length, 0);
  return `${documents.length} documents, ${tokens} tokens`;
}

/** A tokenizer that does not fit a kind of corpus. */
export function tokenizerProblems(
  corpus: string,
  tokenizer: TokenizerConfig,
  fits: (kind: ReturnType<typeof tokenizers.get>) => boolean,
): Problem[] {
  const allowed = tokenizers.names.filter((name) => fits(tokenizers.get(name)));
  if (allowed.includes(tokenizer.kind)) return [];
  const [only, ...others] = allowed;
  const rule = others.length === 0 ? `must be "${only}"` : `must not be "${tokenizer.kind}"`;
  return [wrong(
    "tokenizer.kind",
    `${rule} where corpus.kind is "${corpus}"`,
    tokenizer.kind,
    allowed.join(", "),
  )];
}
