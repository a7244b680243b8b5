import { openChronicleTokenizer } from "./chronicle/tokenizer.ts";
import { FairseqTokenizer } from "./fairseq_tokenizer.ts";
import type { SpecialIds, Tokenizer } from "./tokenizer.ts";
import { parseTokenizerJson } from "./tokenizer_json.ts";
import { readDeclaredSpecials } from "./special_tokens.ts";
import { readText, requireThere } from "../files.ts";
import { dirname } from "../system.ts";

/** Where a tokenizer comes from. */
export type TokenizerSource =
  /** A folder of the official vocabulary: `encoder.json`, `vocab.bpe` and `dict.txt`. */
  | { readonly kind: "gpt2"; readonly folder: string }
  /**
   * A `tokenizer.json`; `specialTokens` where it does not call them `<s>`, `<pad>`, `</s>` and `<unk>`, and no file of Hugging
   * Face's beside it names them.
   */
  | {
    readonly kind: "file";
    readonly path: string;
    readonly specialTokens?: Partial<Readonly<Record<keyof SpecialIds, string>>>;
  }
  /** The words of the chronicle, built in. */
  | { readonly kind: "chronicle" };

/**
 * Opens a tokenizer.
 *
 * @throws {Deno.errors.NotFound} If a file is missing.
 * @throws {SyntaxError} If a file is not in its format.
 * @throws {TypeError} If the vocabulary lacks a token that it needs.
 */
export async function openTokenizer(source: TokenizerSource): Promise<Tokenizer> {
  switch (source.kind) {
    case "gpt2": {
      const [encoder, merges, dictionary] = await Promise.all(
        ["encoder.json", "vocab.bpe", "dict.txt"].map((name) => read(`${source.folder}/${name}`)),
      );
      return new FairseqTokenizer({ encoder, merges, dictionary, folder: source.folder });
    }
    case "file": {
      const { path, specialTokens } = source;
      const text = await read(path);
      const declared = specialTokens ? undefined : await readDeclaredSpecials(dirname(path));
      return parseTokenizerJson(text, {
        name: path,
        ...(specialTokens && { specialTokens }),
        ...(declared && { declared }),
      });
    }
    case "chronicle":
      return openChronicleTokenizer();
    default:
      return source satisfies never;
  }
}

async function read(file: string): Promise<string> {
  return await requireThere(readText(file), `Cannot open tokenizer as file "${file}" is missing`);
}
