/**
 * The fields of a tokenizer.
 */
import { dirname, join } from "node:path";
import { z } from "zod";
import { positiveInteger, text } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { vocabulary } from "./chronicle/vocabulary.ts";
import { specialTokenFiles } from "./special_tokens.ts";

/** A tokenizer that is trained here. */
export interface TrainedTokenizerConfig {
  /** A byte-level BPE trained on the train split. */
  readonly kind: "bpe";
  /** Vocabulary V, the four special tokens and 256 bytes included. */
  readonly vocabSize: number;
  /** Trains on the first bytes of the train split only; absent: all of it. */
  readonly maxTrainingBytes?: number;
}

/** Text to token ids and back. */
export type TokenizerConfig =
  | TrainedTokenizerConfig
  | {
    /** A `tokenizer.json`. */
    readonly kind: "file";
    /** The file, relative to the folder in which the command runs. */
    readonly path: string;
  }
  | {
    /** GPT-2's BPE behind the fairseq dictionary, 51,200 tokens (specification section 2). */
    readonly kind: "gpt2";
    /** Folder of `encoder.json`, `vocab.bpe` and `dict.txt`. */
    readonly folder: string;
  }
  | {
    /** The tokenizer that lies beside the weights of the backbone. */
    readonly kind: "huggingface";
  }
  | {
    /** The words of the chronicle, whose corpus has no other tokenizer. */
    readonly kind: "chronicle";
  };

/** A fairseq vocabulary has 4 special tokens; byte-level BPE adds one token for each byte. */
const vocabSize = z.int().min(260).describe("integers from 260 (4 special tokens and 256 bytes)");

/** The form of a tokenizer, which has no defaults. */
export const tokenizerSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("bpe"),
    vocabSize,
    maxTrainingBytes: positiveInteger.exactOptional(),
  }),
  z.strictObject({ kind: z.literal("file"), path: text }),
  z.strictObject({ kind: z.literal("gpt2"), folder: text }),
  z.strictObject({ kind: z.literal("huggingface") }),
  z.strictObject({ kind: z.literal("chronicle") }),
]);
type _SchemaAcceptsTheType = Assert<Accepts<typeof tokenizerSchema, TokenizerConfig>>;

/** Vocabulary of the fairseq dictionary of GPT-2's tokens (specification section 1). */
const gpt2VocabSize = 51_200;

/** The size of the vocabulary, unless only a file knows it. */
export function vocabSizeOf(tokenizer: TokenizerConfig): number | undefined {
  switch (tokenizer.kind) {
    case "bpe":
      return tokenizer.vocabSize;
    case "gpt2":
      return gpt2VocabSize;
    case "chronicle":
      return vocabulary.length;
    case "file":
    case "huggingface":
      return undefined;
    default:
      return tokenizer satisfies never;
  }
}

/** Files and folders that a tokenizer reads, by the field that names them; those that only say its special tokens may be missing. */
export function tokenizerFiles(
  tokenizer: TokenizerConfig,
  path: string,
): { readonly field: string; readonly path: string; readonly optional?: true }[] {
  switch (tokenizer.kind) {
    case "file": {
      const field = `${path}.path`;
      return [
        { field, path: tokenizer.path },
        ...specialTokenFiles.map((name) => ({
          field,
          path: join(dirname(tokenizer.path), name),
          optional: true as const,
        })),
      ];
    }
    case "gpt2":
      return [{ field: `${path}.folder`, path: tokenizer.folder }];
    case "bpe":
    case "huggingface":
    case "chronicle":
      return [];
    default:
      return tokenizer satisfies never;
  }
}
