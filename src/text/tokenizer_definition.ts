/**
 * Parses and checks a `tokenizer.json`: a file that some tokenizer would misread is refused here, by name.
 */
import { Tokenizer as LibraryModel } from "@huggingface/tokenizers";
import { z } from "zod";
import { InputError, InputSyntaxError, isInputError } from "../errors.ts";
import { parseJson } from "../files.ts";
import { boundEncoding } from "./library_encoding.ts";
import { replaceParts } from "./library_parts.ts";
import { whySlow } from "./regex_safety.ts";
import { maxVocabSize } from "./tokenizer.ts";

const addedToken = z.looseObject({
  id: z.int().nonnegative(),
  content: z.string().min(1),
  special: z.boolean().default(false),
});

const fields = z.looseObject({
  added_tokens: z.array(addedToken).default([]),
  normalizer: z.unknown().default(null),
  pre_tokenizer: z.unknown().default(null),
  decoder: z.unknown().default(null),
  // Its vocabulary is read below: a record of zod has no key "__proto__".
  model: z.looseObject({ type: z.string().optional(), vocab: z.unknown() }),
});

/** A token that is found in text before the model splits it, or a special one. */
export type AddedToken = z.output<typeof addedToken>;

/** The contents of a `tokenizer.json`. */
export interface TokenizerDefinition {
  /** Name of the file, for errors. */
  readonly name: string;
  readonly addedTokens: readonly AddedToken[];
  /** The file as it is, but without the merges of a BPE as texts: they are pairs. */
  readonly fields: z.output<typeof fields>;
  /** Ids by token, added ones included. */
  readonly ids: ReadonlyMap<string, number>;
  /** Ids by token, those of the model alone. */
  readonly modelIds: ReadonlyMap<string, number>;
  /** Tokens by id; ids may have gaps. */
  readonly tokens: readonly (string | undefined)[];
  /** Pairs of tokens that a BPE joins, in order; empty for other models. */
  readonly merges: readonly (readonly [left: string, right: string])[];
}

/** Levels of parts within parts that a file may have. */
const maxLevels = 100;

/**
 * Reads a `tokenizer.json`.
 *
 * @param name Name of the file, for errors.
 * @throws {SyntaxError} If it is none, two tokens have one id or one token two, an id is too large, a merge is malformed, merges are left
 * out at random, or an expression is wrong or may take far too long.
 */
export function parseTokenizerDefinition(text: string, name: string): TokenizerDefinition {
  const refuse = (reason: string): never => {
    throw new InputSyntaxError(`Cannot read tokenizer "${name}" as ${reason}`);
  };
  const parsed = fields.safeParse(parseJson(text, `tokenizer "${name}"`));
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    return refuse(`${path.join(".") || "the file"} is wrong: ${message}`);
  }
  const { model, "added_tokens": addedTokens } = parsed.data;
  for (const part of ["normalizer", "pre_tokenizer", "decoder"] as const) {
    checkPart(parsed.data[part], part, refuse);
  }
  const entries = readVocabulary(model.vocab, refuse);
  const added = addedTokens.map(({ content, id }) => [content, id] as const);
  for (const [token, id] of added) checkId(token, id, { field: "added_tokens", refuse });
  const size = Math.max(largestId(entries), largestId(added)) + 1;
  const tokens: (string | undefined)[] = Array.from({ length: size }, () => undefined);
  const take = (token: string, id: number) => {
    if ((tokens[id] ?? token) !== token) {
      refuse(
        `two tokens have the id ${id}: ${JSON.stringify(tokens[id])}, ${JSON.stringify(token)}`,
      );
    }
    tokens[id] = token;
  };
  for (const [token, id] of [...entries, ...added]) take(token, id);
  const { "unk_id": unkId, dropout } = model;
  if (dropout != null && dropout !== 0) {
    refuse(`model.dropout must be null or 0, as encodings would be random: ${quote(dropout)}`);
  }
  if (unkId != null && !(Number.isInteger(unkId) && tokens[unkId as number] !== undefined)) {
    refuse(`model.unk_id must be the id of a token: ${quote(unkId)}`);
  }
  const modelIds = new Map(entries);
  for (const [token, id] of added) {
    const other = modelIds.get(token);
    if (other !== undefined && other !== id) {
      refuse(
        `${JSON.stringify(token)} has the id ${id} in added_tokens and ${other} in model.vocab`,
      );
    }
  }
  const ids = new Map([...entries, ...added]);
  const merges = model.type === "BPE" || "merges" in model
    ? readMerges(model, modelIds, refuse)
    : [];
  const changed = merges.length > 0 ? { ...parsed.data, model: { ...model, merges } } : parsed.data;
  // Spreading copies no vocabulary.
  return { name, addedTokens, fields: changed, ids, modelIds, tokens, merges };
}

/**
 * Makes the library's tokenizer of a definition, with encoders whose time and memory are bounded.
 *
 * @param config Configuration that the library reads from the file beside a `tokenizer.json`.
 * @throws {SyntaxError} If the library has no such part, naming the file.
 */
export function openLibraryModel(
  { name, fields, modelIds }: Pick<TokenizerDefinition, "name" | "fields" | "modelIds">,
  addedTokens: readonly AddedToken[],
  config: object,
): LibraryModel {
  return namingFile(name, "read", () => {
    const parts = { ...fields, "added_tokens": addedTokens, "post_processor": null };
    const library = new LibraryModel(parts, config);
    // The library would let its models find them within text, too.
    for (const { content } of addedTokens) {
      if (!modelIds.has(content)) library.model!.tokens_to_ids.delete(content);
    }
    boundEncoding(library.model!);
    replaceParts(library, fields);
    return library;
  });
}

/** Runs something of the library; its errors are about the file. */
export function namingFile<T>(name: string, purpose: "read" | "use", run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (isInputError(cause)) throw cause;
    const message = (cause as Error).message;
    throw purpose === "read"
      ? new InputSyntaxError(`Cannot read tokenizer "${name}" as a part is wrong: ${message}`, {
        cause,
      })
      : new InputError(`Cannot use tokenizer "${name}" as a part of it fails: ${message}`, {
        cause,
      });
  }
}

type Refuse = (reason: string) => never;
type Entries = readonly (readonly [token: string, id: number])[];

/** Tokens with their ids: an object, or a list of tokens with scores, whose ids are their places. */
function readVocabulary(vocab: unknown, refuse: Refuse): Entries {
  if (Array.isArray(vocab)) {
    if (vocab.length > maxVocabSize) {
      refuse(
        `model.vocab must have ${maxVocabSize} tokens at most: current number is ${vocab.length}`,
      );
    }
    return vocab.map((entry, id) => {
      const isPair = Array.isArray(entry) && entry.length === 2 && typeof entry[0] === "string" &&
        Number.isFinite(entry[1]);
      if (!isPair) refuse(`model.vocab.${id} must be a token and its score: ${quote(entry)}`);
      return [entry[0], id];
    });
  }
  if (typeof vocab !== "object" || vocab === null) {
    return refuse(`model.vocab must be ids by token, or tokens with scores: ${quote(vocab)}`);
  }
  const entries = Object.entries(vocab);
  for (const [token, id] of entries) checkId(token, id, { field: "model.vocab", refuse });
  return entries;
}

function checkId(
  token: string,
  id: unknown,
  { field, refuse }: { readonly field: string; readonly refuse: Refuse },
): void {
  if (Number.isInteger(id) && id as number >= 0 && id as number < maxVocabSize) return;
  refuse(
    `${field} is wrong: the id of ${
      JSON.stringify(token.slice(0, 100))
    } must be an integer in 0 .. ${maxVocabSize - 1}: ${quote(id)}`,
  );
}

function largestId(entries: Entries): number {
  return entries.reduce((largest, [, id]) => Math.max(largest, id), -1);
}

function readMerges(
  model: Readonly<Record<string, unknown>>,
  ids: ReadonlyMap<string, number>,
  refuse: Refuse,
): [string, string][] {
  const { merges } = model;
  const prefix = model.continuing_subword_prefix;
  const prefixLength = typeof prefix === "string" ? prefix.length : 0;
  if (!Array.isArray(merges)) return refuse(`model.merges must be a list: ${quote(merges)}`);
  return merges.map((merge, rank): [string, string] => {
    const parts: unknown[] = typeof merge === "string" ? merge.split(" ") : merge;
    const isPair = Array.isArray(parts) && parts.length === 2 &&
      parts.every((part) => typeof part === "string" && part !== "");
    if (!isPair) return refuse(`model.merges.${rank} must be two tokens: ${quote(merge)}`);
    const [left, right] = parts as [string, string];
    for (const token of [left, right, left + right.slice(prefixLength)]) {
      if (ids.has(token)) continue;
      refuse(`model.merges.${rank} needs a token that model.vocab lacks: ${quote(token)}`);
    }
    return [left, right];
  });
}

/** Checks the levels and the expressions of a part. */
function checkPart(part: unknown, name: string, refuse: Refuse): void {
  const open: { readonly value: unknown; readonly level: number }[] = [{ value: part, level: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, level } = next;
    if (typeof value !== "object" || value === null) continue;
    if (level > maxLevels) refuse(`${name} must have ${maxLevels} levels of parts at most`);
    const { Regex: source } = value as { readonly Regex?: unknown };
    if (typeof source === "string") checkExpression(source, name, refuse);
    for (const inner of Object.values(value)) open.push({ value: inner, level: level + 1 });
  }
}

/** Checks an expression in the form that the library runs, into which it translates those of the file. */
function checkExpression(source: string, name: string, refuse: Refuse): void {
  try {
    const { "pre_tokenizer": split } = new LibraryModel({
      "added_tokens": [],
      normalizer: null,
      "pre_tokenizer": { type: "Split", pattern: { Regex: source }, behavior: "Isolated" },
      "post_processor": null,
      decoder: null,
      model: { type: "WordPiece", vocab: {} },
    }, {});
    const { pattern } = split as unknown as { readonly pattern: RegExp };
    const reason = whySlow(pattern);
    if (reason === undefined) return;
    refuse(`an expression of ${name} may take far too long, since ${reason}: ${quote(source)}`);
  } catch (error) {
    if (isInputError(error)) throw error;
    refuse(`an expression of ${name} is wrong: ${(error as Error).message}`);
  }
}

function quote(value: unknown): string {
  const json = JSON.stringify(value) ?? "missing";
  return `current value is ${json.length > 200 ? `${json.slice(0, 200)}...` : json}`;
}
