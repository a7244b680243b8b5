/**
 * Entries of JSON files, one a line or in a list, with their places for errors.
 */
import { z } from "zod";
import { InputSyntaxError } from "../errors.ts";
import { decodeText, parseJson } from "../files.ts";

export interface Entry {
  readonly value: unknown;
  /** Where it stands, for errors: `line 3 of "hotpotqa.jsonl"`. */
  readonly where: string;
}

/** Text that is not white space alone. */
export const said = z.string().regex(/\S/, "must be text that is not empty");

/**
 * Parses JSON lines one after the other, those without text passed over.
 *
 * @returns Entries with the numbers of their lines, from 1.
 * @throws {SyntaxError} If a line is not JSON, naming it.
 */
export function* jsonLines(
  text: string,
  path: string,
): Generator<Entry & { readonly line: number }, void> {
  for (const [i, content] of text.split(/\r?\n/).entries()) {
    if (content.trim() === "") continue;
    const line = i + 1, where = `line ${line} of "${path}"`;
    yield { value: parseJson(content, where), where, line };
  }
}

/**
 * Parses a JSON file of one form.
 *
 * @throws {TypeError} If its bytes are not UTF-8.
 * @throws {SyntaxError} If it is not JSON, or of another form, naming file and field.
 */
export function parseJsonFile<T>(
  bytes: Uint8Array,
  path: string,
  form: z.ZodType<T>,
): T {
  const where = `"${path}"`;
  return parseEntry({ value: parseJson(decodeText(bytes, path), where), where }, form);
}

/**
 * Checks the form of an entry.
 *
 * @throws {SyntaxError} If it has another, naming entry and field.
 */
export function parseEntry<T>({ value, where }: Entry, form: z.ZodType<T>): T {
  const parsed = form.safeParse(value);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw new InputSyntaxError(
    `Cannot read ${where} as ${path.join(".") || "it"} is wrong: ${message}`,
  );
}
