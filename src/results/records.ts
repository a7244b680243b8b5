/**
 * Contents of the files of a run's folder, and their parsers.
 */
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import type { Environment } from "./environment.ts";
import { compressedEnding } from "./compressed_records.ts";
import { ifThere, maxTextBytes, readRegularFile, readTextBytes } from "../files.ts";
import { isTooDeep, type RecordKind, recordProblem } from "./record_schemas.ts";
import { InputRangeError, InputSyntaxError, InputTypeError } from "../errors.ts";

/**
 * State of a run. `stopped` is never recorded, but read: a run that says it is `running` while no process has its
 * lock was killed, or could not write its state, as on a full disk.
 */
export type RunState = "planned" | "running" | "stopped" | "completed" | "failed" | "interrupted";

/** One number that a run measured, with its uncertainty. */
export interface Metric {
  /** Evaluation that measured it. */
  readonly evaluation: string;
  /** Model that was measured. */
  readonly model: string;
  /** Its name, spelled from the three fields below: `accuracy 4096 over backbone`. */
  readonly name: string;
  /** The measured quantity: `accuracy`. For metrics recorded before this field existed, their name. */
  readonly measure: string;
  /** At which point, where there are several: `{ prefixTokens: 4096 }`. */
  readonly at?: Readonly<Record<string, string | number>>;
  /** The model that it is a difference from; absent: it is the model's own. */
  readonly over?: string;
  /** The number. */
  readonly value: number;
  /** Standard error over items; absent where a single item gives none. */
  readonly stderr?: number;
  /** 95 % confidence interval; absent likewise. */
  readonly ci95?: readonly [number, number];
  /** Items that were scored. */
  readonly n: number;
  /** Items there are; absent where all were scored. */
  readonly total?: number;
  /** Unit of the value; empty for a plain number. */
  readonly unit: string;
  /** Direction of improvement. */
  readonly higherIsBetter: boolean;
  /** Changes whenever the same model would get another number; numbers of two versions are never compared. */
  readonly metricVersion: number;
  /** Changes likewise with how the model answers; absent of models whose answers have never changed. */
  readonly modelVersion?: number;
}

/** Variation between the runs of a sweep: the values of the swept fields by their paths. */
export type Variation = Readonly<Record<string, unknown>>;

/** The contents of `summary.json`. */
export interface RunSummary {
  /** State of the run. */
  readonly state: RunState;
  /** Name of the experiment. */
  readonly experiment: string;
  /** Identity of the run within it. */
  readonly run: string;
  /** The question the experiment asks. */
  readonly question?: string;
  /** Whether sizes are the paper's. */
  readonly scale: "paper" | "scaled-down";
  /** Items per evaluation at most, where the command line limited them. */
  readonly limit?: number;
  /** Variation from the other runs of its sweep; absent if it was never part of one. */
  readonly variation?: Variation;
  /** Message of the error that ended a failed run. */
  readonly error?: string;
  /** Measurements so far. */
  readonly metrics: readonly Metric[];
}

/** One training step, or one measurement of the validation loss, as `metrics.jsonl` holds it. */
export interface MetricsRecord {
  /** The trained part: `backbone`, `longmem`, ...; steps count from 1 in each. */
  readonly phase: string;
  /** Updates done. */
  readonly step: number;
  /** Whether the loss is that of the batch trained on, or of the valid split. */
  readonly split: "train" | "valid";
  /** Tokens trained on so far in this phase. */
  readonly tokens: number;
  /** Mean negative log-likelihood of a token, in nats. */
  readonly loss: number;
  /** Learning rate of the update. */
  readonly learningRate?: number;
  /** Global norm of the gradient, before clipping. */
  readonly gradientNorm?: number;
  /** Tokens held by the memory, all banks together. */
  readonly memoryTokens?: number;
  /** Gates and sizes of updates, of the steps that record them. */
  readonly diagnostics?: RecordedDiagnostics;
  /** Measured times: the only part that differs between two runs of the same declaration. */
  readonly timing?: {
    /** Tokens trained on per second, lately. */
    readonly tokensPerSecond: number;
    /** Milliseconds since the phase began, or was resumed. */
    readonly elapsedMs: number;
  };
}

/** Diagnostics of a training at a step. */
export interface RecordedDiagnostics {
  /** Gate of each head that reads the memory, from 0 to 1: the share of the memory in its output. Absent without memory. */
  readonly gates?: readonly number[];
  /**
   * Share of the attention of these heads that goes to retrieved tokens: the mean of the gates, times the share of rows that have
   * something in memory. Absent without memory.
   */
  readonly memoryShare?: number;
  /** Norm of the update divided by the norm of the weights before it. */
  readonly updateToWeight: number;
  /** The same of each layer by its name; `other`: of parameters outside the layers. */
  readonly updateToWeightOfLayers: Readonly<Record<string, number>>;
}

/** Results for one item of an evaluation; `item` names it, the other fields depend on the evaluation. */
export interface SampleRecord {
  /** Name of the item: a document, a question. */
  readonly item: string;
  /** Its scores. */
  readonly [score: string]: string | number | boolean | readonly number[];
}

/** Numbers are finite: JSON writes NaN and infinities as null, which is not a score. */
const sampleSchema: z.ZodType<SampleRecord> = z.object({ item: z.string() })
  .catchall(z.union([z.string(), z.number(), z.boolean(), z.array(z.number()).readonly()]));

/** Why a record is not one of a scored item, with the field and its value; undefined where it is one. */
function sampleProblem(record: unknown): string | undefined {
  const parsed = sampleSchema.safeParse(record);
  if (parsed.success) return undefined;
  const { item } = record as { item?: unknown };
  const name = typeof item === "string" ? `of item "${item}" ` : "";
  const [field, value] = Object.entries({ item, ...record as object })
    .find(([field, value]) => !sampleSchema.safeParse({ item: "", [field]: value }).success)!;
  const list = Array.isArray(value) ? value : [value];
  const i = list.findIndex((entry) =>
    !["string", "boolean"].includes(typeof entry) && !Number.isFinite(entry)
  );
  const place = Array.isArray(value) ? `${field}[${i}]` : field;
  const entry = list[i];
  const current = entry === undefined
    ? "it is missing"
    : `current value is ${typeof entry === "object" ? JSON.stringify(entry) : entry}`;
  return `${name}${place} must be text, true, false, or finite numbers: ${current}`;
}

/**
 * Checks records of scored items before they are written.
 *
 * @param subject Their subject, for the error: `evaluation model`.
 * @throws {RangeError} If a number is not finite, which JSON cannot represent, or a field has another type.
 */
export function checkSamples(subject: string, samples: readonly SampleRecord[]): void {
  for (const sample of samples) {
    const problem = sampleProblem(sample);
    if (problem) throw new InputRangeError(`Cannot record samples of ${subject} as ${problem}`);
  }
}

/** The contents of `environment.json`. */
export interface RunEnvironment extends Environment {
  readonly declarationFile: string;
  /** Fields that the command line overrode, `path=value` each; absent where that was nothing. */
  readonly assignments?: readonly string[];
  /** Device and adapter that the run opened. */
  readonly device?: string;
  /** Seconds from the beginning of this part of the run to its end; absent where it was killed. */
  readonly wallSeconds?: number;
  /** Most main memory that the process has held until then, other runs at once included. */
  readonly peakMemoryBytes?: number;
  /** SHA-256 of the run's inputs: data, tokenizer, weights. */
  readonly hashes: Readonly<Record<string, string>>;
  /** SHA-256 of the files that the run read besides the documents, by the fields that name them. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Trainings that were taken from other runs, by phase: the run, and the SHA-256 of the weights. */
  readonly taken?: Readonly<Record<string, TakenPhase>>;
  /** Where the run began, if it was interrupted and resumed, oldest first. */
  readonly earlier: readonly Omit<RunEnvironment, "hashes" | "inputs" | "taken" | "earlier">[];
}

/** A training that was taken from another run. */
export interface TakenPhase {
  /** The run, `<experiment>/<run>`. */
  readonly run: string;
  /** SHA-256 of the weights. */
  readonly weights: string;
}

/** Formats the variation of a run from the others of its sweep: `memory.chunkTokens=4 seed=1`. */
export function formatVariation(variation: Variation): string {
  return Object.entries(variation)
    .map(([path, value]) => `${path}=${formatSwept(value)}`).join(" ");
}

/** A swept value, to read. */
export function formatSwept(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? "";
}

/**
 * Reads a `summary.json`; undefined where there is none.
 *
 * @throws {SyntaxError} Where the file is not a summary.
 */
export async function readSummary(path: string): Promise<RunSummary | undefined> {
  const summary = await readRecord(path, "summary") as RunSummary | undefined;
  return summary && {
    ...summary,
    metrics: summary.metrics.map((metric) => ({
      ...metric,
      measure: metric.measure ?? metric.name,
    })),
  };
}

/**
 * Reads an `environment.json`; undefined where there is none.
 *
 * @throws {SyntaxError} Where the file is not the environment of a run.
 */
export async function readEnvironment(path: string): Promise<RunEnvironment | undefined> {
  return await readRecord(path, "environment") as RunEnvironment | undefined;
}

/**
 * Reads an `experiment.json`; undefined where there is none.
 *
 * @throws {SyntaxError} Where the file is not a declaration.
 */
export async function readDeclaration(path: string): Promise<Record<string, unknown> | undefined> {
  return await readRecord(path, "declaration") as Record<string, unknown> | undefined;
}

/**
 * The lines of a run's `metrics.jsonl`, in order; none where there was no training. A half-written last line, left by a
 * kill, is not among them; a run that is completed has none.
 *
 * @throws {SyntaxError} Where another line is not the record of a step.
 */
export async function readMetricsRecords(
  run: string,
  { isCompleted = false }: { readonly isCompleted?: boolean } = {},
): Promise<MetricsRecord[]> {
  const { path, lines } = await readLines(join(run, "metrics.jsonl"), {
    mayBeCutOff: !isCompleted,
  });
  lines.forEach((line, i) => checkForm(path, "trainingLine", line, i + 1));
  return lines as MetricsRecord[];
}

/**
 * The scored items of an evaluation, each with its `model`; none where nothing was scored. A half-written last line, left by
 * a kill, is not among them; a run that is completed has none.
 *
 * @throws {SyntaxError} Where another line is not the record of a scored item.
 */
export async function readSampleRecords(
  run: string,
  evaluation: string,
  { isCompleted = false, check }: {
    readonly isCompleted?: boolean;
    /** Returns a problem of the records together; undefined if there is none. */
    readonly check?: (records: readonly SampleRecord[]) => string | undefined;
  } = {},
): Promise<(SampleRecord & { model: string })[]> {
  const { path, lines } = await readLines(samplesPath(run, evaluation), {
    mayBeCutOff: !isCompleted,
  });
  lines.forEach((line, i) => {
    const problem = sampleProblem(line);
    if (problem) throw unreadable(path, `it is not a scored item: ${problem}`, { line: i + 1 });
  });
  const records = lines as (SampleRecord & { model: string })[];
  const problem = check?.(records);
  if (problem !== undefined) throw new InputSyntaxError(`Cannot read "${path}" as ${problem}`);
  return records;
}

/** Where the scored items of an evaluation lie, unless they are compressed. */
export function samplesPath(run: string, evaluation: string): string {
  return join(run, "samples", `${evaluation}.jsonl`);
}

/** A JSON file of a run of the form of its kind; undefined where it is missing. */
async function readRecord(path: string, kind: RecordKind): Promise<unknown> {
  const text = await readText(path);
  if (text === undefined) return undefined;
  const record = parseFile(path, text);
  checkForm(path, kind, record);
  return record;
}

function checkForm(path: string, kind: RecordKind, record: unknown, line?: number): void {
  const problem = recordProblem(kind, record);
  if (problem !== undefined) throw unreadable(path, problem, { line });
}

/** The error about a damaged file of a run, or a line of it, with the remedy. */
function unreadable(
  path: string,
  reason: string,
  { line, ...options }: { line?: number | undefined; cause?: unknown },
): InputSyntaxError {
  const place = line === undefined ? `"${path}"` : `line ${line} of "${path}"`;
  return new InputSyntaxError(`Cannot read ${place} as ${reason}; ${remedy(path)}`, options);
}

/** The text of a regular file of a run; undefined where it is missing. */
async function readText(path: string): Promise<string | undefined> {
  const bytes = await ifThere(readRegularFile(path));
  if (bytes === undefined) return undefined;
  if (bytes.length > maxTextBytes) {
    throw new InputSyntaxError(
      `Cannot read "${path}" as it is too large: current size is ${bytes.length} bytes, allowed are ${maxTextBytes}`,
    );
  }
  return new TextDecoder().decode(bytes);
}

/**
 * The lines of a `.jsonl` file, or of the compressed one in its place; none where both are missing. A last line that was cut off is
 * left out where that may be, as by a kill.
 *
 * @returns The lines, and the path of the file that has them.
 */
async function readLines(
  plain: string,
  { mayBeCutOff }: { readonly mayBeCutOff: boolean },
): Promise<{ path: string; lines: unknown[] }> {
  const { path, text } = await readPlainOrCompressed(plain);
  const lines = text.split("\n");
  const last = lines.pop() ?? "";
  const records = lines.map((line, i) => parseFile(path, line, i + 1));
  if (last === "") return { path, lines: records };
  try {
    // Only the line break may be missing: an object without its closing brace does not parse.
    return { path, lines: [...records, parseFile(path, last, lines.length + 1)] };
  } catch (error) {
    if (mayBeCutOff) return { path, lines: records };
    throw error;
  }
}

async function readPlainOrCompressed(plain: string): Promise<{ path: string; text: string }> {
  const compressed = plain + compressedEnding;
  // The plain file once more, as a process may just have made it of the compressed one.
  for (const path of [plain, compressed, plain]) {
    const text = path === compressed ? await readCompressed(path) : await readText(path);
    if (text !== undefined) return { path, text };
  }
  return { path: plain, text: "" };
}

async function readCompressed(path: string): Promise<string | undefined> {
  try {
    const bytes = await ifThere(readTextBytes(path));
    return bytes && new TextDecoder().decode(bytes);
  } catch (cause) {
    if (!(cause instanceof InputTypeError)) throw cause;
    throw new InputSyntaxError(`${cause.message}; ${remedy(path)}`, { cause });
  }
}

function parseFile(path: string, text: string, line?: number): unknown {
  if (isTooDeep(text)) throw unreadable(path, "it nests too deep", { line });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const begins = JSON.stringify(text.trim().replace(/\s+/g, " ").slice(0, 40));
    throw unreadable(path, `it is not JSON: it begins with ${begins}`, { line, cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw unreadable(path, "it is not a JSON object", { line });
}

/** Returns the remedy for a damaged file of a run. */
function remedy(path: string): string {
  const folder = dirname(path);
  switch (basename(path)) {
    case "summary.json":
      return "without the file, running the experiment again evaluates the trained models again";
    default:
      return `without the folder "${
        basename(folder) === "samples" ? dirname(folder) : folder
      }", running the experiment repeats the run`;
  }
}
