/**
 * The kinds of tokenizer: a file each, and its lines here.
 */
import { z } from "zod";
import { composed, Registry } from "../../declaration/registry.ts";
import { InputTypeError } from "../../errors.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { bpeTokenizer, type TrainedTokenizerConfig } from "./bpe.ts";
import { chronicleTokenizer, type ChronicleTokenizerConfig } from "./chronicle.ts";
import { fileTokenizer, type FileTokenizerConfig, type FileTokenizerSource } from "./file.ts";
import { gpt2Tokenizer, type Gpt2TokenizerConfig } from "./gpt2.ts";
import { huggingFaceTokenizer, type HuggingFaceTokenizerConfig } from "./huggingface.ts";
import type { StoredTokenizer, TokenizerKind, TokenizerRecord } from "./tokenizer_kind.ts";

/** Text to token ids and back. */
export type TokenizerConfig =
  | TrainedTokenizerConfig
  | FileTokenizerConfig
  | Gpt2TokenizerConfig
  | HuggingFaceTokenizerConfig
  | ChronicleTokenizerConfig;

/** Where a tokenizer comes from. */
export type TokenizerSource = Gpt2TokenizerConfig | FileTokenizerSource | ChronicleTokenizerConfig;

/** The kinds of tokenizer that declarations may name. */
export const tokenizers = new Registry<
  TokenizerKind<TokenizerConfig, TokenizerSource>,
  TokenizerConfig
>({
  bpe: bpeTokenizer,
  file: fileTokenizer,
  gpt2: gpt2Tokenizer,
  huggingface: huggingFaceTokenizer,
  chronicle: chronicleTokenizer,
});

function storedKind(
  { kind }: { readonly kind: string },
): StoredTokenizer<TokenizerSource, TokenizerRecord> {
  const { stored } = tokenizers.get(kind);
  if (stored) return stored;
  throw new InputTypeError(
    `Cannot open a tokenizer of kind "${kind}" as only a run has it: allowed are ${
      storedNames().join(", ")
    }`,
  );
}

function storedNames(): string[] {
  return tokenizers.names.filter((name) => tokenizers.get(name).stored);
}

/**
 * Opens a tokenizer.
 *
 * @throws {Deno.errors.NotFound} If a file is missing.
 * @throws {SyntaxError} If a file is not in its format.
 * @throws {TypeError} If the vocabulary lacks a token that it needs.
 */
export async function openTokenizer(source: TokenizerSource): Promise<Tokenizer> {
  return await storedKind(source).open(source);
}

/** The `tokenizer.json` of a tokenizer, beside which a chat template may lie; undefined where it has none. */
export function tokenizerPathOf(source: TokenizerSource): string | undefined {
  return storedKind(source).path?.(source);
}

/**
 * The tokenizer at a path that a user names: a `tokenizer.json`, its folder, or one of the official vocabulary.
 *
 * @throws {TypeError} Where the path is a folder without one.
 */
export async function tokenizerAt(path: string): Promise<TokenizerSource> {
  // The last kind first: a folder with both has the official vocabulary, and a tokenizer.json beside it.
  for (const { stored } of tokenizers.all.toReversed()) {
    const source = await stored?.find?.(path);
    if (source) return source;
  }
  throw new InputTypeError(
    `Cannot find a tokenizer in folder "${path}": allowed are folders of tokenizer.json, of vocab.json and merges.txt, or of encoder.json, vocab.bpe and dict.txt`,
  );
}

/** The form of a {@linkcode TokenizerRecord}. */
export const tokenizerRecord = composed(() => {
  const records = tokenizers.all.flatMap(({ stored }) => stored?.record ?? []);
  return z.discriminatedUnion("kind", records as unknown as [z.ZodObject<{ kind: z.ZodString }>]);
});

/** Copies the files of a tokenizer to a folder that is there; returns the record for its `config.json`. */
export async function writeFolderTokenizer(
  folder: string,
  source: TokenizerSource,
): Promise<TokenizerRecord> {
  return await storedKind(source).copy(source, folder);
}

/** Where the tokenizer lies that a folder records. */
export function folderTokenizer(
  folder: string,
  record: TokenizerRecord,
): TokenizerSource {
  return storedKind(record).within(folder, record);
}
