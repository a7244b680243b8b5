import { z } from "zod";
import { text } from "../../declaration/fields.ts";
import type { Accepts, Assert } from "../../declaration/part.ts";
import { isThere, readRegularFile, readText, requireThere, writeAtomically } from "../../files.ts";
import { dirname, join, stat } from "../../system.ts";
import {
  readDeclaredSpecials,
  specialTokenFiles,
  writeDeclaredSpecials,
} from "../special_tokens.ts";
import type { SpecialIds } from "../tokenizer.ts";
import { parseTokenizerJson } from "../tokenizer_json.ts";
import type { StoredKind } from "./tokenizer_kind.ts";

/** A `tokenizer.json`. */
export interface FileTokenizerConfig {
  /** A `tokenizer.json`. */
  readonly kind: "file";
  /** The file, relative to the folder in which the command runs. */
  readonly path: string;
}

/** Where a `tokenizer.json` lies. */
export interface FileTokenizerSource extends FileTokenizerConfig {
  /**
   * Its special tokens, where it does not call them `<s>`, `<pad>`, `</s>` and `<unk>`, and no file of Hugging Face's beside it
   * names them.
   */
  readonly specialTokens?: Partial<Readonly<Record<keyof SpecialIds, string>>>;
}

const schema = z.strictObject({ kind: z.literal("file"), path: text });
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, FileTokenizerConfig>>;

const fileName = "tokenizer.json";
const name = z.string().exactOptional();

export const fileTokenizer: StoredKind<
  FileTokenizerConfig,
  FileTokenizerSource,
  Omit<FileTokenizerSource, "path">
> = {
  schema,
  fill: (config) => config,
  reads: "texts",
  isPadded: true,
  /** Files that only say its special tokens may be missing. */
  files: ({ path }, place) =>
    tokenizerJsonFiles(path).map((file) => ({
      field: `${place}.path`,
      path: file,
      ...(file !== path && { optional: true as const }),
    })),
  stored: {
    async open({ path, specialTokens }) {
      const text = await readTokenizerFile(path);
      const declared = specialTokens ? undefined : await readDeclaredSpecials(dirname(path));
      return parseTokenizerJson(text, {
        name: path,
        ...(specialTokens && { specialTokens }),
        ...(declared && { declared }),
      });
    },
    record: z.strictObject({
      kind: z.literal("file"),
      specialTokens: z.strictObject({ bos: name, pad: name, eos: name, unk: name }).exactOptional(),
    }),
    async copy({ kind, path, specialTokens }, folder) {
      await writeAtomically(join(folder, fileName), [await readRegularFile(path)]);
      if (specialTokens) return { kind, specialTokens };
      const declared = await readDeclaredSpecials(dirname(path));
      if (declared) await writeDeclaredSpecials(folder, declared);
      return { kind };
    },
    within: (folder, record) => ({ ...record, path: join(folder, fileName) }),
    async find(path) {
      if (!(await stat(path)).isDirectory) return { kind: "file", path };
      const file = join(path, fileName);
      return await isThere(file) ? { kind: "file", path: file } : undefined;
    },
    path: ({ path }) => path,
  },
};

/** Text of a file of a tokenizer; an error where it is missing says so. */
export async function readTokenizerFile(path: string): Promise<string> {
  return await requireThere(readText(path), `Cannot open tokenizer as file "${path}" is missing`);
}

/** A `tokenizer.json`, and the files beside it that may name its special tokens. */
export function tokenizerJsonFiles(path: string): string[] {
  return [path, ...specialTokenFiles.map((name) => join(dirname(path), name))];
}
