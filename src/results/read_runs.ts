/**
 * Runs as they lie in results folders, for those who only read them.
 */
import { defined } from "../defined.ts";
import { atRecordedPaths } from "../declaration/identity.ts";
import { join } from "node:path";
import { isForeseen } from "../errors.ts";
import { ifThere, isFolder } from "../files.ts";
import { isLocked } from "../lock.ts";
import {
  type MetricsRecord,
  readDeclaration,
  readEnvironment,
  readMetricsRecords,
  readSampleRecords,
  readSummary,
  type RunEnvironment,
  type RunSummary,
  type SampleRecord,
} from "./records.ts";

/** Contents of a run's folder, without the records of items. */
export interface RunFacts {
  readonly path: string;
  /** State and metrics. */
  readonly summary: RunSummary;
  /** The resolved declaration; undefined where its file is missing. */
  readonly declaration?: Readonly<Record<string, unknown>>;
  /** Where it ran; undefined where its file is missing. */
  readonly environment?: RunEnvironment;
  /** File that declares a run that has no folder yet. */
  readonly declarationFile?: string;
  /** Lines of the trainings. */
  readonly training: readonly MetricsRecord[];
  /** Names of the pages in its folder that `inspect` wrote, where there are any. */
  readonly inspections?: readonly string[];
}

/** Contents of a run's folder. */
export interface RunRecord extends RunFacts {
  /** Scored items by evaluation, each with the `model` that was scored. */
  readonly samples: ReadonlyMap<string, readonly SampleRecord[]>;
}

/** A run that cannot be read. */
export interface DamagedRun {
  readonly path: string;
  /** Which file is damaged, and how to repair it: a sentence. */
  readonly reason: string;
}

/** Runs that were read, and those that could not be. */
export interface FoundRuns<Run> {
  readonly records: readonly Run[];
  /** Those to be left out. */
  readonly damaged: readonly DamagedRun[];
}

/**
 * Checks the records of an evaluation's items, and returns the problem; undefined if there is none.
 *
 * @param kind Kind of the evaluation, where the run's declaration has it.
 */
export type CheckItems = (
  samples: readonly SampleRecord[],
  kind: string | undefined,
) => string | undefined;

/**
 * Reads the run in a folder, as {@linkcode readRunRecord} does, or what is needed of it: the rest of many runs need not be held.
 */
export type ReadRun<Run> = (path: string) => Promise<Run>;

/**
 * Reads every run below some folders, in order of their paths, each once. Runs and folders that cannot be read do not hide the
 * others.
 *
 * @throws {Deno.errors.NotFound} Where a folder is missing.
 */
export async function findRunRecords<Run>(
  folders: readonly string[],
  read: ReadRun<Run>,
): Promise<FoundRuns<Run> & Pick<RunPaths, "links">> {
  const found = emptyPaths();
  for (const folder of folders) await findRuns(folder, found);
  const { records, damaged } = await readRunRecords([...new Set(found.paths)], read);
  return { records, damaged: [...damaged, ...found.unlistable], links: found.links };
}

/** Reads some runs, in their order. */
export async function readRunRecords<Run>(
  paths: readonly string[],
  read: ReadRun<Run>,
): Promise<FoundRuns<Run>> {
  const found = await readOfEach(paths, async (path) => {
    try {
      return { records: [await read(path)], damaged: [] };
    } catch (error) {
      if (!(error instanceof Error) || !isDamage(error)) throw error;
      return { records: [], damaged: [{ path, reason: error.message }] };
    }
  });
  return {
    records: found.flatMap(({ records }) => records),
    damaged: found.flatMap(({ damaged }) => damaged),
  };
}

/** Most runs that are read at once: more take memory, and no less time. */
const mostAtOnce = 4;

/** Reads something of each of many runs, in their order, a few at once. */
export async function readOfEach<Run, Read>(
  runs: readonly Run[],
  read: (run: Run) => Promise<Read>,
): Promise<Read[]> {
  const all: Read[] = [];
  for (let i = 0; i < runs.length; i += mostAtOnce) {
    all.push(...await Promise.all(runs.slice(i, i + mostAtOnce).map(read)));
  }
  return all;
}

/** Whether an error reports that files of a run are unreadable or invalid. */
export function isDamage(error: unknown): boolean {
  return isForeseen(error) || error instanceof Deno.errors.NotFound;
}

/** Places where runs are, and where they may be. */
export interface RunPaths {
  /** Folders of runs, in order. */
  readonly paths: string[];
  /** Folders that may not be listed. */
  readonly unlistable: DamagedRun[];
  /** Links to folders, which are not followed: they may lead in a circle, or to a run that is found already. */
  readonly links: string[];
}

const emptyPaths = (): RunPaths => ({ paths: [], unlistable: [], links: [] });

/**
 * Finds folders with a `summary.json`: the folder itself, or those below it.
 *
 * @param found Receives them.
 * @throws {Deno.errors.NotFound} Where the folder is missing.
 */
export async function findRuns(folder: string, found: RunPaths = emptyPaths()): Promise<RunPaths> {
  let entries: Deno.DirEntry[];
  try {
    entries = await Array.fromAsync(Deno.readDir(folder));
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    const reason = `Cannot list "${folder}" as permission is denied`;
    found.unlistable.push({ path: folder, reason });
    return found;
  }
  if (entries.some(({ name }) => name === "summary.json")) {
    found.paths.push(join(folder));
    return found;
  }
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  for (const { name, isDirectory, isSymlink } of entries) {
    const path = join(folder, name);
    // A run that starts over may have removed the folder meanwhile.
    if (isDirectory) await ifThere(findRuns(path, found));
    else if (isSymlink && await isFolder(path)) found.links.push(path);
  }
  return found;
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
export async function readRunRecord(path: string, checkItems?: CheckItems): Promise<RunRecord> {
  const summary = await readRunSummary(path);
  if (!summary) throw new Deno.errors.NotFound(`Cannot read run "${path}" as it has no summary`);
  const isCompleted = summary.state === "completed";
  const declaration = await readDeclaration(join(path, "experiment.json"));
  const samples = new Map<string, readonly SampleRecord[]>();
  for (const evaluation of new Set(summary.metrics.map(({ evaluation }) => evaluation))) {
    const kind = kindOf(declaration, evaluation);
    const check = (records: readonly SampleRecord[]) => checkItems?.(records, kind);
    samples.set(evaluation, await readSampleRecords(path, evaluation, { isCompleted, check }));
  }
  const entries = await Array.fromAsync(Deno.readDir(path));
  const inspections = entries.map(({ name }) => name)
    .filter((name) => name.endsWith(inspectionEnding)).sort();
  return defined({
    path,
    summary,
    declaration,
    environment: await readEnvironment(join(path, "environment.json")),
    samples,
    training: await readMetricsRecords(path, { isCompleted }),
    inspections: inspections.length > 0 ? inspections : undefined,
  });
}

/** How the names of pages end that `inspect` writes. */
export const inspectionEnding = ".memory.html";

/** Kind of an evaluation, where a declaration has it. */
function kindOf(
  declaration: Readonly<Record<string, unknown>> | undefined,
  evaluation: string,
): string | undefined {
  const { evaluations = [] } = (declaration ?? {}) as {
    evaluations?: readonly { readonly name?: string; readonly kind?: string }[];
  };
  return evaluations.find(({ name }) => name === evaluation)?.kind;
}

/** The seed of a run; 1 where its declaration is missing. */
export function seedOf({ declaration }: RunFacts): number {
  return Number(declaration?.seed ?? 1);
}

/** Fields of a declaration in which replicas may differ. */
const labels = new Set([
  "name",
  "question",
  "scale",
  "seed",
  "device",
  "threads",
  "moved",
  "cluster",
  "reproduces",
  "sweep",
]);

/** Equal for runs that differ in nothing but their seed: their numbers are replicas of each other. */
export function replicationKey({ declaration, summary, path }: RunFacts): string {
  if (!declaration) return path;
  const fields = Object.entries(declaration).filter(([name]) => !labels.has(name));
  const { seed: _seed, ...corpus } = (declaration.corpus ?? {}) as Record<string, unknown>;
  const kept = { ...Object.fromEntries(fields), corpus, limit: summary.limit };
  return JSON.stringify(
    atRecordedPaths(kept, (declaration.moved ?? {}) as Record<string, string>),
    (key, value) =>
      key === "checkpointEverySteps"
        ? undefined
        : typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))
        : value,
  );
}
