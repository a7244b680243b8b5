/**
 * Files that declare experiments: their default exports, and errors that name the file and the line.
 */
import { basename, dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { readRecordedRun, type RecordedRun } from "../results/rerun_diff.ts";
import type { Experiment } from "./declaration.ts";
import { DeclarationError } from "../declaration/problem.ts";
import { messageOf } from "../errors.ts";
import { ifThere, readJson, readText } from "../files.ts";

/** An experiment and the file that declares it. */
export interface LoadedExperiment {
  /** The file, relative to the folder in which the command runs. */
  readonly file: string;
  /** The declaration, not checked. */
  readonly experiment: Experiment;
  /** Whether the file was found in a folder, and not named itself. */
  readonly inFolder: boolean;
  /** The record that the declaration is part of. */
  readonly recorded?: RecordedRun;
}

/** The declaration in the folder of a run. */
const recordedFile = "experiment.json";

/**
 * Loads experiments from the default exports of files: one experiment, or a list of them. Of a folder, all
 * `.ts` files below it are loaded, except those without a default export, which are not run. The folder of a run,
 * or the `experiment.json` in it, declares that run; other JSON declares as such, too.
 *
 * @throws {DeclarationError} Where a path is missing or declares nothing.
 */
export async function loadExperiments(paths: readonly string[]): Promise<LoadedExperiment[]> {
  const loaded: LoadedExperiment[] = [];
  for (const path of paths) {
    const files = await declarationFiles(path);
    const before = loaded.length;
    for (const file of files) {
      const isRecorded = basename(file) === recordedFile;
      const declared = file.endsWith(".json")
        ? await readDeclared(file)
        : await defaultExport(file);
      if (declared === undefined) {
        if (file !== path) continue;
        throw new DeclarationError(
          `Cannot load "${file}" as it has no default export: allowed are an experiment or a list ` +
            "of them, as in `export default defineExperiment({ ... })`",
        );
      }
      const what = file.endsWith(".json") ? "it" : "its default export";
      for (const experiment of [declared].flat()) {
        if (typeof experiment !== "object" || experiment === null) {
          throw new DeclarationError(
            `Cannot load "${file}" as ${what} is not an experiment: current value is ` +
              `${typeof experiment}, allowed are an experiment or a list of them`,
          );
        }
        loaded.push({
          file: relative(Deno.cwd(), resolve(file)),
          experiment: experiment as Experiment,
          inFolder: file !== path && file !== join(path, recordedFile),
          ...(isRecorded && { recorded: await readRecordedRun(dirname(file)) }),
        });
      }
    }
    if (loaded.length === before) {
      throw new DeclarationError(
        files.length === 1 && files[0] === path
          ? `Cannot load "${path}" as its list is empty: allowed are an experiment or a list of them`
          : `Cannot load "${path}" as no .ts file in it declares an experiment, and no run lies in it`,
      );
    }
  }
  return loaded;
}

/** The file itself, the declaration of a run's folder, or the `.ts` files and runs of another, in order of their names. */
async function declarationFiles(path: string): Promise<string[]> {
  const information = await ifThere(Deno.stat(path));
  if (!information) {
    throw new DeclarationError(`Cannot load "${path}" as there is no such file or folder`);
  }
  if (!information.isDirectory) return [path];
  const files: string[] = [];
  const entries = await Array.fromAsync(Deno.readDir(path));
  if (entries.some(({ name }) => name === recordedFile)) return [join(path, recordedFile)];
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  for (const entry of entries) {
    const inner = join(path, entry.name);
    if (entry.isDirectory) files.push(...await declarationFiles(inner));
    else if (entry.name.endsWith(".ts") && await exportsDefault(inner)) files.push(inner);
  }
  return files;
}

/** Whether a module says that it has a default export: of a folder, only such modules are run. */
export async function exportsDefault(file: string): Promise<boolean> {
  const text = await readText(file);
  return /^\s*export\s+default\b|\bexport\s*\{[^}]*\bdefault\b/m.test(text);
}

async function readDeclared(file: string): Promise<unknown> {
  try {
    return await readJson(file);
  } catch (cause) {
    throw cause instanceof SyntaxError ? new DeclarationError(cause.message) : cause;
  }
}

async function defaultExport(file: string): Promise<unknown> {
  const url = pathToFileURL(resolve(file)).href;
  try {
    return (await import(url)).default;
  } catch (cause) {
    if (cause instanceof DeclarationError) {
      throw new DeclarationError(`${file}: ${cause.message}`, cause.problems);
    }
    const line = cause instanceof Error ? lineOf(cause, url) : undefined;
    throw new DeclarationError(
      line === undefined
        ? `Cannot load "${file}": ${messageOf(cause)}`
        : `Cannot load "${file}" as its line ${line} throws ${(cause as Error).name}: ${
          (cause as Error).message
        }`,
    );
  }
}

/** The line of a file that threw an error, or called the function that threw it; undefined where the file did not run. */
function lineOf({ message, stack }: Error, url: string): string | undefined {
  // Errors of parsing already name the place.
  if (message.includes(url)) return undefined;
  const frame = stack?.split("\n").find((line) => /^\s+at /.test(line) && line.includes(`${url}:`));
  return frame?.match(/:(\d+):\d+\)?$/)?.[1];
}
