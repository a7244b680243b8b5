/**
 * Runs as they lie in results folders, for those who only read them.
 */
import { join } from "node:path";
import { isLocked } from "../lock.ts";
import {
  type MetricsRecord,
  readMetricsRecords,
  readRunFile,
  readSampleRecords,
  readSummary,
  type RunEnvironment,
  type RunSummary,
  type SampleRecord,
} from "./records.ts";

/** What a run's folder holds. */
export interface RunRecord {
  /** The folder. */
  readonly path: string;
  /** State and metrics. */
  readonly summary: RunSummary;
  /** The resolved declaration; undefined where its file is missing. */
  readonly declaration?: Readonly<Record<string, unknown>>;
  /** Where it ran; undefined where its file is missing. */
  readonly environment?: RunEnvironment;
  /** What declares a run that has no folder yet. */
  readonly declarationFile?: string;
  /** Scored items by evaluation, each with the `model` that was scored. */
  readonly samples: ReadonlyMap<string, readonly SampleRecord[]>;
  /** Lines of the trainings. */
  readonly training: readonly MetricsRecord[];
}

/** A run that cannot be read. */
export interface DamagedRun {
  /** The folder. */
  readonly path: string;
  /** Which file is damaged, and what to do about it: a sentence. */
  readonly reason: string;
}

/** Runs that were read, and those that could not be. */
export interface FoundRuns {
  /** The runs. */
  readonly records: readonly RunRecord[];
  /** Those to be left out. */
  readonly damaged: readonly DamagedRun[];
}

/**
 * Reads every run below some folders, in order of their paths, each once. One that is damaged does not hide the others.
 *
 * @throws {Deno.errors.NotFound} Where a folder is missing.
 */
export async function findRunRecords(folders: readonly string[]): Promise<FoundRuns> {
  const paths = new Set<string>();
  for (const folder of folders) for (const path of await runPaths(folder)) paths.add(path);
  return await readRunRecords([...paths]);
}

/** Reads some runs, in their order. */
export async function readRunRecords(paths: readonly string[]): Promise<FoundRuns> {
  const records: RunRecord[] = [];
  const damaged: DamagedRun[] = [];
  for (const path of paths) {
    try {
      records.push(await readRunRecord(path));
    } catch (error) {
      const isDamage = error instanceof SyntaxError || error instanceof Deno.errors.NotFound ||
        error instanceof Deno.errors.PermissionDenied;
      if (!isDamage) throw error;
      damaged.push({ path, reason: error.message });
    }
  }
  return { records, damaged };
}

/** Folders with a `summary.json`, the folder itself or below it. */
export async function runPaths(folder: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  if (entries.some(({ name }) => name === "summary.json")) return [join(folder)];
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  const paths: string[] = [];
  for (const entry of entries) {
    if (entry.isDirectory) paths.push(...await runPaths(join(folder, entry.name)));
  }
  return paths;
}

/**
 * Reads the summary of a run for those who do not execute it; undefined where there is none.
 *
 * @throws {SyntaxError} Where the file is not a summary.
 */
export async function readRunSummary(path: string): Promise<RunSummary | undefined> {
  const summary = await readSummary(join(path, "summary.json"));
  const stopped = summary?.state === "running" && await isLocked(join(path, "lock")) === false;
  return stopped ? { ...summary, state: "stopped" } : summary;
}

/**
 * Reads one run.
 *
 * @throws {Deno.errors.NotFound} Where the folder has no `summary.json`.
 * @throws {SyntaxError} Where a file cannot be read.
 */
export async function readRunRecord(path: string): Promise<RunRecord> {
  const summary = await readRunSummary(path);
  if (!summary) throw new Deno.errors.NotFound(`Cannot read run "${path}" as it has no summary`);
  const isCompleted = summary.state === "completed";
  const declaration = await readRunFile(join(path, "experiment.json"));
  const environment = await readRunFile(join(path, "environment.json"));
  const samples = new Map<string, readonly SampleRecord[]>();
  for (const evaluation of new Set(summary.metrics.map(({ evaluation }) => evaluation))) {
    samples.set(evaluation, await readSampleRecords(path, evaluation, { isCompleted }));
  }
  return {
    path,
    summary,
    ...(declaration !== undefined && { declaration: declaration as Record<string, unknown> }),
    ...(environment !== undefined && { environment: environment as RunEnvironment }),
    samples,
    training: await readMetricsRecords(path, { isCompleted }),
  };
}

/** The seed of a run; 1 where its declaration is missing. */
export function seedOf({ declaration }: RunRecord): number {
  return Number(declaration?.seed ?? 1);
}

/** What a declaration holds beside what is measured. */
const labels = new Set([
  "name",
  "question",
  "scale",
  "seed",
  "device",
  "threads",
  "reproduces",
  "sweep",
]);

/** Equal for runs that differ in nothing but their seed: their numbers are replicas of each other. */
export function replicationKey({ declaration, summary, path }: RunRecord): string {
  if (!declaration) return path;
  const fields = Object.entries(declaration).filter(([name]) => !labels.has(name));
  const { seed: _seed, ...corpus } = (declaration.corpus ?? {}) as Record<string, unknown>;
  return JSON.stringify(
    { ...Object.fromEntries(fields), corpus, limit: summary.limit },
    (key, value) =>
      key === "checkpointEverySteps"
        ? undefined
        : typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))
        : value,
  );
}
