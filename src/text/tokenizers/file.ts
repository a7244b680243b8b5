import { z } from "zod";
import { text } from "../../declaration/fields.ts";
import { parseForm } from "../../declaration/form_problems.ts";
import type { Accepts, Assert } from "../../declaration/part.ts";
import { problemsIn } from "../../declaration/problem.ts";
import {
  ifThere,
  isThere,
  readJson,
  readRegularFile,
  readText,
  requireThere,
  writeAtomically,
} from "../../files.ts";
import { InputTypeError } from "../../errors.ts";
import { dirname, join, stat } from "../../system.ts";
import { byteCharacters } from "../byte_level_bpe.ts";
import { parseGpt2Files } from "../gpt2_files.ts";
import {
  readDeclaredSpecials,
  specialTokenFiles,
  writeDeclaredSpecials,
} from "../special_tokens.ts";
import type { SpecialIds } from "../tokenizer.ts";
import { formatTokenizerJson, parseTokenizerJson } from "../tokenizer_json.ts";
import type { StoredKind } from "./tokenizer_kind.ts";

/** A tokenizer of Hugging Face's. */
export interface FileTokenizerConfig {
  /** A `tokenizer.json`, or a `vocab.json` with `merges.txt` beside it, as older models of GPT-2's kind have them. */
  readonly kind: "file";
  /** The file, relative to the folder in which the command runs. */
  readonly path: string;
}

/** Where such a tokenizer lies. */
export interface FileTokenizerSource extends FileTokenizerConfig {
  /**
   * Its special tokens, where it does not call them `<s>`, `<pad>`, `</s>` and `<unk>`, and no file of Hugging Face's beside it
   * names them.
   */
  readonly specialTokens?: Partial<Readonly<Record<keyof SpecialIds, string>>>;
}

const schema = z.strictObject({ kind: z.literal("file"), path: text });
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, FileTokenizerConfig>>;

const fileName = "tokenizer.json", idsName = "vocab.json", mergesName = "merges.txt";

/** Files that a folder may have in place of a `tokenizer.json`. */
export const tokenizerParts = [idsName, mergesName];

const name = z.string().exactOptional();
const specialTokens = z.strictObject({ bos: name, pad: name, eos: name, unk: name })
  .exactOptional();
const source = schema.extend({ specialTokens });

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
  files: ({ path }, place) => {
    const field = `${place}.path`;
    const special = filesOfSpecials(path).map((path) => ({ field, path, optional: true as const }));
    return [...partsOf(path).map((path) => ({ field, path })), ...special];
  },
  stored: {
    async open(given) {
      const { problems } = parseForm(source, given);
      if (problems.length > 0) throw new InputTypeError(problemsIn("open a tokenizer", problems));
      const { path, specialTokens } = given;
      const text = await readTokenizerJson(path);
      const declared = specialTokens ? undefined : await readDeclaredSpecials(dirname(path));
      return parseTokenizerJson(text, {
        name: path,
        ...(specialTokens && { specialTokens }),
        ...(declared && { declared }),
      });
    },
    record: source.omit({ path: true }),
    async copy({ kind, path, specialTokens }, folder) {
      const content = isIds(path) ? await readTokenizerJson(path) : [await readRegularFile(path)];
      await writeAtomically(join(folder, fileName), content);
      if (specialTokens) return { kind, specialTokens };
      const declared = await readDeclaredSpecials(dirname(path));
      if (declared) await writeDeclaredSpecials(folder, declared);
      return { kind };
    },
    within: (folder, record) => ({ ...record, path: join(folder, fileName) }),
    async find(path) {
      return (await stat(path)).isDirectory
        ? await findTokenizerFile(path)
        : { kind: "file", path };
    },
    path: ({ path }) => path,
  },
};

/** Text of a file of a tokenizer; an error where it is missing says so. */
export async function readTokenizerFile(path: string): Promise<string> {
  return await requireThere(readText(path), `Cannot open tokenizer as file "${path}" is missing`);
}

/** The tokenizer of a folder of Hugging Face's; undefined where it has none. */
export async function findTokenizerFile(folder: string): Promise<FileTokenizerConfig | undefined> {
  for (const names of [[fileName], tokenizerParts]) {
    const paths = names.map((name) => join(folder, name));
    if ((await Promise.all(paths.map(isThere))).every(Boolean)) {
      return { kind: "file", path: paths[0] };
    }
  }
}

/** Files of a tokenizer of Hugging Face's that a folder may have. */
export function possibleFiles(folder: string): string[] {
  const names = [fileName, ...tokenizerParts];
  return [...names.map((name) => join(folder, name)), ...filesOfSpecials(join(folder, fileName))];
}

/** Whether a file holds ids alone. */
function isIds(path: string): boolean {
  return /(^|[\\/])vocab\.json$/.test(path);
}

/** Files that a tokenizer consists of. */
function partsOf(path: string): string[] {
  return isIds(path) ? [path, join(dirname(path), mergesName)] : [path];
}

/** Files beside it that may name its special tokens. */
function filesOfSpecials(path: string): string[] {
  return specialTokenFiles.map((name) => join(dirname(path), name));
}

/** Text of a `tokenizer.json`; of a `vocab.json` and the merges beside it, what would be their `tokenizer.json`. */
async function readTokenizerJson(path: string): Promise<string> {
  const text = await readTokenizerFile(path), [, mergesPath] = partsOf(path);
  if (mergesPath === undefined) return text;
  const definition = parseGpt2Files(
    { ids: text, merges: await readTokenizerFile(mergesPath) },
    { ids: path, merges: mergesPath },
  );
  const missing = byteCharacters.find((character) => !definition.vocab.has(character));
  if (missing !== undefined) {
    throw new InputTypeError(
      `Cannot read "${path}" as it must have a token for each byte, as GPT-2's: ${
        JSON.stringify(missing)
      } is missing`,
    );
  }
  const configPath = join(dirname(path), "tokenizer_config.json");
  const config = await ifThere(readJson(configPath)) as Record<string, unknown> | undefined;
  if (config?.add_prefix_space === true) {
    throw new InputTypeError(
      `Cannot read "${configPath}" as add_prefix_space must be false beside "${idsName}": current value is true`,
    );
  }
  return formatTokenizerJson(definition, []);
}
