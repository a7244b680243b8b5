/**
 * Special tokens of a `tokenizer.json`, which does not say itself which of its tokens play which part: the files that lie
 * beside it in a folder of Hugging Face's do.
 */
import { z } from "zod";
import { InputTypeError } from "../errors.ts";
import { ifThere, parseJson, readText, writeAtomically } from "../files.ts";
import type { SpecialIds } from "./tokenizer.ts";

/** Special tokens that files declare, each by its text or its id. */
export type DeclaredSpecials = Partial<Readonly<Record<keyof SpecialIds, string | number>>>;

/** A token by its text; null: the model has none. */
const token = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish();

/** A token by its id, or by several of which the first is meant. */
const id = z.union([z.int().nonnegative(), z.array(z.int().nonnegative())]).nullish();

const tokenFields = z.looseObject({
  "bos_token": token,
  "eos_token": token,
  "pad_token": token,
  "unk_token": token,
});

const idFields = z.looseObject({
  "bos_token_id": id,
  "eos_token_id": id,
  "pad_token_id": id,
  "unk_token_id": id,
});

/** Files that name tokens by their texts, the first that names one counting. */
const tokenFiles = ["tokenizer_config.json", "special_tokens_map.json"];

/** Files that name tokens by their ids, which count where no text is given. */
const idFiles = ["config.json", "generation_config.json"];

/** Names of all files beside a `tokenizer.json` that may name its special tokens. */
export const specialTokenFiles: readonly string[] = [...tokenFiles, ...idFiles];

/**
 * Reads the special tokens that the files of a folder declare.
 *
 * @returns undefined where no file of Hugging Face's is there.
 * @throws {TypeError} Where a token or an id is malformed, naming file and field.
 */
export async function readDeclaredSpecials(folder: string): Promise<DeclaredSpecials | undefined> {
  const declared: { -readonly [Part in keyof DeclaredSpecials]: DeclaredSpecials[Part] } = {};
  let isThere = false;
  for (const name of specialTokenFiles) {
    const path = `${folder}/${name}`;
    const text = await ifThere(readText(path));
    if (text === undefined) continue;
    const value = parseJson(text, `"${path}"`);
    if (name === "config.json" && !isOfModel(value)) continue;
    isThere = true;
    const isTexts = tokenFiles.includes(name);
    const { success, data, error } = (isTexts ? tokenFields : idFields).safeParse(value);
    if (!success) {
      const [{ path: [field = "the file"], message }] = error.issues;
      throw new InputTypeError(`Cannot read "${path}" as ${String(field)} is wrong: ${message}`);
    }
    for (const part of ["bos", "pad", "eos", "unk"] as const) {
      const found = firstOf(data[`${part}_token${isTexts ? "" : "_id"}`]);
      if (found !== undefined) declared[part] ??= found;
    }
  }
  return isThere ? declared : undefined;
}

/** Writes declared special tokens beside a copy of a `tokenizer.json`, in files that {@linkcode readDeclaredSpecials} reads. */
export async function writeDeclaredSpecials(
  folder: string,
  declared: DeclaredSpecials,
): Promise<void> {
  const isId = ([, token]: [string, string | number]) => typeof token === "number";
  const entries = Object.entries(declared);
  const write = async (name: string, suffix: string, found: typeof entries) => {
    const fields = Object.fromEntries(found.map(([part, id]) => [`${part}_token${suffix}`, id]));
    await writeAtomically(`${folder}/${name}`, `${JSON.stringify(fields, null, 2)}\n`);
  };
  await write(tokenFiles[1], "", entries.filter((entry) => !isId(entry)));
  await write(idFiles[1], "_id", entries.filter(isId));
}

/** Whether a `config.json` is that of a model of Hugging Face's format. */
function isOfModel(config: unknown): boolean {
  const { format, "model_type": type, architectures } = (config ?? {}) as Record<string, unknown>;
  return format === undefined && (type !== undefined || architectures !== undefined);
}

function firstOf(value: unknown): string | number | undefined {
  if (Array.isArray(value)) return value[0];
  if (typeof value === "object" && value !== null) return (value as { content: string }).content;
  return value as string | number | null ?? undefined;
}
