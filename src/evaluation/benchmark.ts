/**
 * Benchmarks of long contexts from files in their published formats, scored as their official scripts do: LongBench and its second
 * version, NoLiMa, HELMET's recall tasks, LongMemEval, and files of RULER's generator. A format is a file in `benchmarks/formats/`.
 */
import { z } from "zod";
import { oneOf, positiveInteger, positiveIntegers, seed, text } from "../declaration/fields.ts";
import type { Accepts, Assert } from "../declaration/part.ts";
import { type Problem, repetitions, wrong } from "../declaration/problem.ts";
import { filesAt } from "../data/local_files.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";
import { decodeText, ifThere, parseJson, readTextBytes } from "../files.ts";
import { sha256Of } from "../sha256.ts";
import { openCorpus } from "../text/corpus.ts";
import { type Entry, jsonLines, parseJsonFile } from "../text/json_entries.ts";
import {
  type AnswerEnd,
  answerEnds,
  type BenchmarkItem,
  benchmarkItems,
  benchmarkKind,
  type BenchmarkRecord,
} from "./benchmarks/benchmark.ts";
import type { BenchmarkFile } from "./benchmarks/format.ts";
import { type FormatName, formats } from "./benchmarks/formats.ts";
import {
  answerRoomProblems,
  type DeclaredEvaluation,
  evaluationForm,
  type EvaluationKind,
  fillModelEvaluation,
  limitOf,
  type ModelEvaluation,
  onceReadMemory,
} from "./evaluation_kind.ts";
import { spreadEvenly } from "./shared/few_shot.ts";

/** A long-context benchmark in files. */
export interface BenchmarkEvaluation extends ModelEvaluation {
  /** Distinguishes it from other kinds of evaluation. */
  readonly kind: "benchmark";
  /** The format of its files. */
  readonly format: FormatName;
  /** A file of JSON or JSON lines (also `.gz`), or a folder of such; relative to the folder in which the command runs. */
  readonly path: string;
  /** A JSON file of prompts by task, each with `{context}` and `{input}` (default: the format's own). */
  readonly prompts?: string;
  /** Where needles are hidden (NoLiMa): text files, or a folder of such. */
  readonly haystack?: string;
  /** Tokens of text about a needle; each has its own metrics. */
  readonly lengths?: readonly number[];
  /** Depths at which a needle is hidden in turn, from the beginning to the end of the text (default 5). */
  readonly depths?: number;
  /** Seed of the names that needles take (default 1). */
  readonly seed?: number;
  /** Tokens of a written answer at most (default: the format's own). */
  readonly maxAnswerTokens?: number;
  /** Whether an answer also ends with its first line (default official: only where the script ends it). */
  readonly stop: AnswerEnd;
  /** Asks so many questions of each task and length at most, evenly spaced. */
  readonly maxItems?: number;
}

/** The same as declared. */
export type BenchmarkDeclaration = DeclaredEvaluation<
  BenchmarkEvaluation,
  "kind" | "format" | "path"
>;

const names = Object.keys(formats) as [FormatName, ...FormatName[]];

const form = evaluationForm("benchmark", () => ({
  format: oneOf(...names),
  path: text,
  prompts: text.exactOptional(),
  haystack: text.exactOptional(),
  lengths: positiveIntegers.exactOptional(),
  depths: positiveInteger.exactOptional(),
  seed: seed.exactOptional(),
  maxAnswerTokens: positiveInteger.exactOptional(),
  stop: oneOf(...answerEnds).exactOptional(),
  maxItems: positiveInteger.exactOptional(),
}));
type _FormAcceptsTheType = Assert<Accepts<ReturnType<typeof form>, BenchmarkDeclaration>>;

/** Fields of formats that hide needles. */
const needleFields = ["haystack", "lengths", "depths", "seed"] as const;

export const benchmark: EvaluationKind<
  BenchmarkDeclaration,
  BenchmarkEvaluation,
  BenchmarkRecord
> = {
  schema: form,
  fill: (declared, from) => ({
    name: declared.format,
    stop: "official" as const,
    ...fillModelEvaluation(declared, from, onceReadMemory),
  }),
  check(evaluation, path) {
    const { format, lengths = [] } = evaluation;
    const { hidesNeedles } = formats[format];
    return [
      ...repetitions(lengths, `${path}.lengths`, "numbers"),
      ...answerRoomProblems(evaluation, path),
      ...(hidesNeedles
        ? (["haystack", "lengths"] as const).filter((field) => evaluation[field] === undefined)
          .map((field): Problem => ({
            path: `${path}.${field}`,
            message: `is missing: format "${format}" hides needles in it`,
          }))
        : needleFields.filter((field) => evaluation[field] !== undefined).map((field) =>
          wrong(
            `${path}.${field}`,
            `must not be declared as the texts of format "${format}" are those of its files`,
            evaluation[field],
            "none",
          )
        )),
    ];
  },
  limit: limitOf("maxItems"),
  describe: ({ format, path, maxItems, lengths }) =>
    `${
      maxItems === undefined ? "all questions" : `at most ${maxItems} questions of each task`
    } of ${path} (${format})` +
    (lengths ? `, of ${lengths.join(", ")} tokens` : ""),
  files: ({ path, prompts, haystack, format }) => {
    const source = { name: format, how: formats[format].source };
    return [
      { field: "path", path, source },
      ...(prompts === undefined ? [] : [{ field: "prompts", path: prompts }]),
      ...(haystack === undefined ? [] : [{ field: "haystack", path: haystack, source }]),
    ];
  },
  async prepare(evaluation, { texts: { tokenizer }, recordHash }) {
    const { format, path, maxItems, prompts, haystack, maxAnswerTokens } = evaluation;
    const { lengths = [], depths = 5, seed = 1 } = evaluation;
    const files = await readFiles(path);
    await recordHash(evaluation.name, sha256Of(files.map(({ sha256 }) => sha256).join("\n")));
    const books = haystack === undefined ? [] : await openCorpus(haystack);
    const all = formats[format].read(files, {
      prompts: prompts === undefined ? {} : await readPrompts(prompts),
      maxAnswerTokens,
      lengths,
      haystack: books.map(({ text }) => text),
      depths,
      seed,
      tokenizer,
    });
    const groups = Map.groupBy(all, ({ task, length }) => JSON.stringify([task, length]));
    const items = [...groups.values()].flatMap((group) => spreadEvenly(group, maxItems))
      .map(({ write }) => write());
    checkNames(items, path);
    return benchmarkItems(evaluation, items, { tokenizer, total: all.length });
  },
  ...benchmarkKind,
};

function checkNames(items: readonly BenchmarkItem[], path: string): void {
  const seen = new Set<string>();
  for (const { name } of items) {
    if (seen.has(name)) {
      throw new InputRangeError(`Cannot read "${path}" as two questions have the id "${name}"`);
    }
    seen.add(name);
  }
}

const extension = /\.jsonl?(\.gz)?$/;

/**
 * Reads the entries of a file, or of all files of a folder and its subfolders, by name: JSON lines, a JSON list, or an object with the list
 * `data`.
 */
async function readFiles(path: string): Promise<(BenchmarkFile & { sha256: string })[]> {
  const paths = await filesOf(path);
  if (paths.length === 0) {
    throw new InputRangeError(
      `Cannot read "${path}" as it has no file of JSON: names must end in .json or .jsonl, also .gz`,
    );
  }
  const files = [];
  for (const path of paths) {
    const bytes = await readTextBytes(path);
    files.push({
      path,
      entries: entriesOf(decodeText(bytes, path), path),
      sha256: sha256Of(bytes),
    });
  }
  return files;
}

async function filesOf(path: string): Promise<string[]> {
  if (!(await ifThere(Deno.stat(path)))?.isDirectory) return [path];
  return (await filesAt(path)).filter((file) => extension.test(file));
}

function entriesOf(text: string, path: string): Entry[] {
  if (/^\s*\[/.test(text) || !/\.jsonl(\.gz)?$/.test(path)) {
    const whole = parseJson(text, `"${path}"`);
    const list = Array.isArray(whole) ? whole : (whole as { data?: unknown } | null)?.data;
    if (!Array.isArray(list)) {
      throw new InputTypeError(
        `Cannot read "${path}" as it must be a list, or have the list "data"`,
      );
    }
    return list.map((value, i) => ({ value, where: `entry ${i + 1} of "${path}"` }));
  }
  return [...jsonLines(text, path)];
}

async function readPrompts(path: string): Promise<Record<string, string>> {
  return parseJsonFile(await readTextBytes(path), path, z.record(z.string(), z.string()));
}
