/** The tokenizer that a folder of the project carries, so that its model can read text without any other file. */
import * as z from "zod";
import { readDeclaredSpecials, writeDeclaredSpecials } from "../text/special_tokens.ts";
import type { TokenizerSource } from "../text/tokenizer_source.ts";
import { isThere, readRegularFile, writeAtomically } from "../files.ts";
import { dirname, join, stat } from "../system.ts";

/** Files of each kind, under their names in the folder. */
const files = {
  file: ["tokenizer.json"],
  gpt2: ["encoder.json", "vocab.bpe", "dict.txt"],
  chronicle: [],
} as const satisfies Record<TokenizerSource["kind"], readonly string[]>;

const name = z.string().exactOptional();

/** How `config.json` records the tokenizer whose files lie beside it. */
export const tokenizerRecord = z.strictObject({
  kind: z.enum(["file", "gpt2", "chronicle"]),
  specialTokens: z.strictObject({ bos: name, pad: name, eos: name, unk: name }).exactOptional(),
});

/** {@linkcode tokenizerRecord}'s type. */
export type TokenizerRecord = z.infer<typeof tokenizerRecord>;

/** Where the files of a path given by the user lie: a `tokenizer.json`, its folder, or one of the official vocabulary. */
export async function tokenizerAt(path: string): Promise<TokenizerSource> {
  if (!(await stat(path)).isDirectory) return { kind: "file", path };
  const file = join(path, files.file[0]), [encoder] = files.gpt2;
  const isOfficial = await isThere(join(path, encoder)) ||
    !await isThere(file);
  return isOfficial ? { kind: "gpt2", folder: path } : { kind: "file", path: file };
}

/** Copies the files of a tokenizer to a folder that is there; returns the record for its `config.json`. */
export async function writeFolderTokenizer(
  folder: string,
  source: TokenizerSource,
): Promise<TokenizerRecord> {
  for (const file of files[source.kind]) {
    const from = source.kind === "gpt2" ? join(source.folder, file) : (source as FileSource).path;
    await writeAtomically(join(folder, file), [await readRegularFile(from)]);
  }
  const { path, specialTokens } = source as FileSource;
  const declared = source.kind === "file" && !specialTokens
    ? await readDeclaredSpecials(dirname(path))
    : undefined;
  if (declared) await writeDeclaredSpecials(folder, declared);
  return { kind: source.kind, ...(specialTokens ? { specialTokens } : {}) };
}

/** Where the tokenizer lies that a folder records. */
export function folderTokenizer(folder: string, record: TokenizerRecord): TokenizerSource {
  switch (record.kind) {
    case "gpt2":
      return { kind: "gpt2", folder };
    case "chronicle":
      return { kind: "chronicle" };
    case "file": {
      const { kind, specialTokens } = record;
      const path = join(folder, files.file[0]);
      return { kind, path, ...(specialTokens ? { specialTokens } : {}) };
    }
    default:
      return record.kind satisfies never;
  }
}

type FileSource = Extract<TokenizerSource, { kind: "file" }>;
