/**
 * A published format of a benchmark: how its files become questions.
 */
import { z } from "zod";
import { InputRangeError } from "../../errors.ts";
import { type Entry, said } from "../../text/json_entries.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { BenchmarkItem } from "./benchmark.ts";

export interface BenchmarkFile {
  readonly path: string;
  readonly entries: readonly Entry[];
}

/** A question that is written when it is asked. */
export interface PlannedItem extends Pick<BenchmarkItem, "task" | "length"> {
  readonly write: () => BenchmarkItem;
}

/** How files are read. */
export interface FormatOptions {
  /** Forms of prompts by task, with `{context}` and `{input}`, in place of a format's own. */
  readonly prompts: Readonly<Record<string, string>>;
  /** Tokens of a written answer at most, in place of a format's own. */
  readonly maxAnswerTokens?: number | undefined;
  /** Of formats that hide needles: tokens of text, the texts, places, and the seed of the names. */
  readonly lengths: readonly number[];
  readonly haystack: readonly string[];
  readonly depths: number;
  readonly seed: number;
  readonly tokenizer: Tokenizer;
}

export interface BenchmarkFormat {
  /** Where its files are published, in words that go on "How to get them: NAME: ". */
  readonly source: string;
  /** Whether needles are hidden in texts of `haystack`, of `lengths`; else texts are those of the files. */
  readonly hidesNeedles?: true;
  /** The questions of files, in their order. */
  read(files: readonly BenchmarkFile[], options: FormatOptions): PlannedItem[];
}

/** A number or text, as text. */
export const numberOrText = z.union([said, z.number()]).transform(String);

/** The form of a task's prompts, filled in: the context with the text before it, and the question behind it. */
export function fillPrompt(
  form: string,
  { context, input }: Pick<BenchmarkItem, "context"> & { readonly input: string },
  where: string,
): Pick<BenchmarkItem, "context" | "question"> {
  const place = "{context}", at = form.indexOf(place);
  if (at < 0) {
    throw new InputRangeError(
      `Cannot ask ${where} as the form of its prompt must have ${place}: current value is ${
        JSON.stringify(form)
      }`,
    );
  }
  // At once: an input may name a place, too.
  const fill = (text: string) => text.replace(/\{(?:input|question)\}/g, () => input);
  return {
    context: fill(form.slice(0, at)) + context,
    question: fill(form.slice(at + place.length)),
  };
}

/** An item as planned that is there already. */
export function planned(item: BenchmarkItem): PlannedItem {
  const { task, length } = item;
  return { task, ...(length !== undefined && { length }), write: () => item };
}

/** Of scores that more text can only raise: whether an answer has all that counts. */
export function untilRight(score: (prediction: string) => number) {
  return { score, isDone: (prediction: string) => score(prediction) === 1 };
}

/** Name of a file without its folder and extensions. */
export function fileStem(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).replace(/\.jsonl?(\.gz)?$/, "");
}

/** Name of the folder of a file; empty where the path has none. */
export function folderName(path: string): string {
  return path.split("/").at(-2) ?? "";
}
