import type { z } from "zod";
import type { NamedPath, Part } from "../../declaration/part.ts";
import type { Tokenizer } from "../tokenizer.ts";

/** The fields that declare a tokenizer of some kind, and its vocabulary. */
interface DeclaredTokenizer<Config> extends Part<Config, Config> {
  /** Texts, or the words of the chronicle alone. */
  readonly reads: "texts" | "chronicle";
  /** Size of the vocabulary V, where the declaration says it. */
  vocabSize?(config: Config): number | undefined;
  /** Whether a backbone may have embeddings beyond its tokens; otherwise another size means other ids. */
  readonly isPadded?: true;
  /** Files and folders that the declaration names. */
  files?(config: Config, path: string): NamedPath[];
}

/** A kind whose declaration says where the tokenizer lies. */
export interface StoredKind<
  Config,
  Source = Config,
  Saved extends TokenizerRecord = TokenizerRecord,
> extends DeclaredTokenizer<Config> {
  readonly stored: StoredTokenizer<Source, Saved>;
  readonly trained?: undefined;
  readonly besideWeights?: undefined;
}

/** A kind that is trained on the train split; the folder of the run keeps it as `tokenizer.json`. */
export interface TrainedKind<Config> extends DeclaredTokenizer<Config> {
  readonly trained: {
    /**
     * Learns it.
     *
     * @param texts Texts of all documents, each to be read: their hash is recorded.
     * @returns Text of a `tokenizer.json`.
     * @throws {RangeError} If the texts are too few.
     */
    train(config: Config, texts: AsyncIterable<string>): Promise<string>;
  };
  vocabSize(config: Config): number;
  readonly stored?: undefined;
  readonly besideWeights?: undefined;
}

/** A kind that lies beside the weights of the backbone, whose own kind says where. */
export interface BesideWeightsKind<Config> extends DeclaredTokenizer<Config> {
  readonly besideWeights: {
    /** Files that it reads, where they are there. */
    files(folder: string): string[];
  };
  readonly stored?: undefined;
  readonly trained?: undefined;
}

/** How the `config.json` of a model's folder records the tokenizer that the folder carries. */
export interface TokenizerRecord {
  readonly kind: string;
}

/** A kind of tokenizer. */
export type TokenizerKind<Config, Source = Config> =
  | StoredKind<Config, Source>
  | TrainedKind<Config>
  | BesideWeightsKind<Config>;

/** How a tokenizer is opened, and carried by the folder of a model. */
export interface StoredTokenizer<Source, Saved> {
  /**
   * Opens it.
   *
   * @throws {Deno.errors.NotFound} If a file is missing.
   * @throws {SyntaxError} If a file is not in its format.
   * @throws {TypeError} If the vocabulary lacks a token that it needs.
   */
  open(source: Source): Promise<Tokenizer>;
  /** The form of its record in the `config.json` of a folder, an object whose `kind` is a literal. */
  readonly record: z.ZodType<Saved>;
  /** Copies its files to a folder that is there; returns its record. */
  copy(source: Source, folder: string): Promise<Saved>;
  /** Where a folder has it that records it so. */
  within(folder: string, record: Saved): Source;
  /** The tokenizer at a path that a user names; undefined where there is none of this kind. */
  find?(path: string): Promise<Source | undefined>;
  /** Its `tokenizer.json`, beside which a chat template may lie. */
  path?(source: Source): string;
}
