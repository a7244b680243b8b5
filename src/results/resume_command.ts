/**
 * Unfinished runs, and the commands that resume them.
 */
import { dirname } from "node:path";
import { quoted } from "../shell.ts";
import type { RunState } from "./records.ts";
import type { CataloguedRun } from "./metric_catalog.ts";

export interface UnfinishedRun {
  readonly run: string;
  /** How many runs like it there are, where that is more than it. */
  readonly count?: number;
  readonly state: RunState;
  /** First line of the error that ended it. */
  readonly error?: string;
  /** Command that resumes it. */
  readonly command: string;
}

/** The command that runs a run's declaration. */
export function runCommandOf(record: CataloguedRun): string {
  const { path, environment, summary, startsProcesses } = record;
  const results = dirname(dirname(path));
  const { declarationFile = record.declarationFile ?? "FILE", assignments = [] } = environment ??
    {};
  const { limit } = summary;
  return [
    `deno task ${startsProcesses ? "measure" : "run"} ${quoted(declarationFile)}`,
    ...assignments.map((assignment) => `--set ${quoted(assignment)}`),
    ...(limit === undefined ? [] : [`--limit ${limit}`]),
    ...(results === "results" ? [] : [`--results ${quoted(results)}`]),
  ].join(" ");
}

/** Runs that are not completed; those that have not begun, and that one command begins, together. */
export function unfinishedRuns(runs: readonly CataloguedRun[]): UnfinishedRun[] {
  const groups = Map.groupBy(
    runs.flatMap(unfinishedRun),
    ({ run, state, command }) => state === "planned" ? command : run,
  );
  return [...groups.values()].map((alike) =>
    alike.length === 1 ? alike[0] : { ...alike[0], count: alike.length }
  );
}

function unfinishedRun(record: CataloguedRun): UnfinishedRun[] {
  const { run, state, error } = record.summary;
  if (state === "completed") return [];
  return [{
    run,
    state,
    ...(error !== undefined && { error: error.split("\n")[0] }),
    command: runCommandOf(record),
  }];
}

/** The state of a run and the command to continue, in one sentence. */
export function unfinishedText({ run, count, state, error, command }: UnfinishedRun): string {
  switch (state) {
    case "failed":
      return `${run} failed: ${
        error ?? "no reason recorded"
      }; once that is mended, \`${command} --retry-failed\` goes on`;
    case "interrupted":
      return `${run} was interrupted; \`${command}\` resumes it`;
    case "running":
      return `${run} is running; once it is stopped, \`${command}\` resumes it`;
    case "stopped":
      return `${run} was stopped; \`${command}\` resumes it`;
    case "planned":
      return count === undefined
        ? `${run} has not begun; \`${command}\` runs it`
        : `${count} runs have not begun; \`${command}\` runs them`;
    case "completed":
      return `${run} is completed`;
    default:
      return state satisfies never;
  }
}
