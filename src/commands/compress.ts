import { join } from "node:path";
import { type Command, type Output, UsageError } from "../command_line.ts";
import { failureText } from "../errors.ts";
import { ifThere, writing } from "../files.ts";
import { describeHolder, FileLock } from "../lock.ts";
import { compressRecords } from "../results/compressed_records.ts";
import { noteLinks } from "./run_states.ts";
import { findRuns, isDamage, readRunSummary } from "../results/read_runs.ts";

/** `compress PATH...`: the lines of completed runs as `.jsonl.gz`, in the place of `.jsonl`. */
export function compressCommand(output: Output): Command {
  return {
    operandsArePaths: true,
    flags: [],
    execute: async ({ operands }) => {
      if (operands.length === 0) {
        throw new UsageError("Cannot compress records as no results folder is named");
      }
      let code = 0;
      for (const path of await runsBelow(operands, output)) {
        try {
          output.print(`${path}: ${await compress(path)}`);
        } catch (error) {
          if (!isDamage(error)) throw error;
          output.note(`${path}: ${failureText(error)}`);
          code = 1;
        }
      }
      return code;
    },
  };
}

/** Folders of the runs in folders, each once. */
async function runsBelow(folders: readonly string[], { note }: Output): Promise<Set<string>> {
  const all = new Set<string>();
  for (const folder of folders) {
    const found = await ifThere(findRuns(folder));
    if (found?.unlistable.length) throw new UsageError(found.unlistable[0].reason);
    if (!found?.paths.length) {
      throw new UsageError(`Cannot compress "${folder}" as no run is in there`);
    }
    found.paths.forEach((path) => all.add(path));
    noteLinks(found, note);
  }
  return all;
}

/** Compresses a run under its lock; returns the outcome in words. */
async function compress(run: string): Promise<string> {
  const path = join(run, "lock");
  const locked = await writing(path, () => FileLock.take(path));
  if ("holder" in locked) return `left to ${describeHolder(locked.holder)}, which executes it`;
  using _lock = locked.lock;
  const state = (await readRunSummary(run))?.state;
  if (state !== "completed") return `left as it is ${state}: only completed runs are compressed`;
  const { plainBytes, compressedBytes } = await compressRecords(run);
  return plainBytes === 0
    ? "nothing to compress"
    : `${plainBytes} bytes compressed to ${compressedBytes}`;
}
