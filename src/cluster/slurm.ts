/**
 * SLURM's own commands: submitting a script, and the state of jobs.
 */
import { InputError } from "../errors.ts";

/** A task in SLURM's queue, or one that has ended within the last minutes. */
export interface QueuedTask {
  /** Number of the job, of an array that of the array. */
  readonly job: string;
  /** The task, or those that wait together: `3`, `[1-4]`; empty for a job that is not an array. */
  readonly task: string;
  /** SLURM's word: `PENDING`, `RUNNING`, `COMPLETED`, `TIMEOUT`, ... */
  readonly state: string;
  /** Where it runs or ran; empty where it waits. */
  readonly node: string;
  /** How long it has run, and how long it may: `1:02`, `30:00`. */
  readonly elapsed: string;
  readonly limit: string;
  /** Why it waits: `Resources`, `BeginTime`, ... */
  readonly reason: string;
}

/** Runs a program of the cluster's and returns its output; tests put their own here. */
export type RunProgram = (
  name: string,
  args: readonly string[],
) => Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;

/**
 * Submits a batch script.
 *
 * @param path The script.
 * @returns Number of the job.
 * @throws {InputError} Where SLURM is missing or refuses it, with its reason.
 */
export async function submitScript(
  path: string,
  run: RunProgram = runProgram,
): Promise<string> {
  const { code, stdout, stderr } = await run("sbatch", ["--parsable", path]);
  const [, job] = /^(\d+)(?:;\S+)?$/m.exec(stdout) ?? [];
  if (code !== 0 || job === undefined) {
    throw new InputError(`Cannot submit "${path}" as sbatch refuses it: ${said(stdout, stderr)}`);
  }
  return job;
}

/**
 * The user's tasks: those that wait and run, and those that ended so lately that SLURM still lists them.
 *
 * @throws {InputError} Where SLURM is missing or does not answer.
 */
export async function listTasks(run: RunProgram = runProgram): Promise<QueuedTask[]> {
  const format = ["%F", "%K", "%T", "%N", "%M", "%l", "%r"].join("|");
  const { code, stdout, stderr } = await run("squeue", [
    "--me",
    "--states=all",
    "--noheader",
    `--format=${format}`,
  ]);
  if (code !== 0) {
    throw new InputError(`Cannot list jobs as squeue fails: ${said(stdout, stderr)}`);
  }
  return stdout.split("\n").filter((line) => line !== "").map((line) => {
    const [job, task, state, node, elapsed, limit, reason] = line.split("|");
    return { job, task: task === "N/A" ? "" : task, state, node, elapsed, limit, reason };
  });
}

/** A program's output, in one line. */
function said(stdout: string, stderr: string): string {
  return [stderr, stdout].join(" ").trim().replace(/\s+/g, " ") || "it prints nothing";
}

/**
 * The environment without the variables that make programs load other libraries: Deno does not let a process with permission for
 * only some programs pass them on.
 */
function sparedEnvironment(): { clearEnv?: boolean; env?: Record<string, string> } {
  if (Deno.permissions.querySync({ name: "env" }).state !== "granted") return {};
  const variables = Object.entries(Deno.env.toObject());
  return {
    clearEnv: true,
    env: Object.fromEntries(variables.filter(([name]) => !/^(LD|DYLD)_/.test(name))),
  };
}

async function runProgram(name: string, args: readonly string[]) {
  try {
    const { code, stdout, stderr } = await new Deno.Command(name, {
      args: [...args],
      ...sparedEnvironment(),
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound
      ? "SLURM's commands are not on PATH"
      : (cause as Error).message;
    throw new InputError(`Cannot run ${name} as ${reason}`, { cause });
  }
}
