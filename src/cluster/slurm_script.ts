/**
 * The batch script of a SLURM job: an array of tasks, each of which works on the same queue of runs as `deno task run` does.
 *
 * The shell of a task stays beside the run, as SLURM signals it alone shortly before the time limit: it passes that on, and puts
 * the task back into SLURM's queue once a checkpoint is saved. Where SLURM cancels or requeues a task, it signals the run itself.
 */
import { InputError } from "../errors.ts";
import { quoted } from "../shell.ts";
import { type ClusterConfig, timeSeconds } from "./config.ts";

/** A job's commands, and where they run. */
export interface SlurmJob {
  readonly settings: Omit<ClusterConfig, "tasks">;
  readonly tasks: number;
  /** Folder in which the run's paths are to be read; absolute, as are the paths below. */
  readonly folder: string;
  /** Deno's executable. */
  readonly deno: string;
  /** Folder of Deno's cache. */
  readonly denoDir: string;
  /** `LD_LIBRARY_PATH` of the runs; absent: the node's. */
  readonly libraryPath?: string;
  /** Packages that must be in the cache, as `NAME/VERSION`. */
  readonly packages: readonly string[];
  /** Arguments of Deno: `run`, its permissions, the program and the program's arguments. */
  readonly args: readonly string[];
  /** Folder of the job's logs. */
  readonly logs: string;
  /** A file by which a node sees that it has the same folder of results. */
  readonly stamp: string;
}

/** Longest time that SLURM leaves a task between the signal and its time limit, in seconds. */
const mostWarningSeconds = 300;

/** How often a task is started again because of its time limit: one that never gets further would go on for good. */
const mostRestarts = 100;

/**
 * Writes the batch script of a job.
 *
 * @throws {InputError} Where a path has a line break, which SLURM's options cannot hold.
 */
export function slurmScript(job: SlurmJob): string {
  const { settings, tasks, folder, deno, denoDir, libraryPath, packages, args, logs, stamp } = job;
  const { partition, account, time, gpus, cpus, memory } = settings;
  const options = [
    "--job-name=longmem",
    `--array=0-${tasks - 1}`,
    "--ntasks=1",
    ...option("partition", partition),
    ...option("account", account),
    ...option("time", time),
    ...option("cpus-per-task", cpus),
    ...option("mem", memory),
    ...option("gres", gpus ? `gpu:${gpus}` : undefined),
    ...option("signal", time && `B:USR1@${warningSeconds(time)}`),
    "--requeue",
    "--open-mode=append",
    `--output=${quoteOption(`${logs.replaceAll("%", "%%")}/%A_%a.log`)}`,
  ];
  return `#!/bin/bash
${options.map((text) => `#SBATCH ${text}`).join("\n")}

folder=${quoted(folder)}
deno=${quoted(deno)}
stamp=${quoted(stamp)}
export DENO_DIR=${quoted(denoDir)}
${libraryPath === undefined ? "" : `export LD_LIBRARY_PATH=${quoted(libraryPath)}\n`}
# SLURM sends USR1 to this shell alone, before the time limit.
limited= run=
trap 'limited=1; echo "The time limit is near: saving a checkpoint"; [ -z "$run" ] || kill -TERM "$run"' USR1

# What this node needs.
lack() {
  echo "Cannot run on \${SLURMD_NODENAME:-$(hostname)} as $1" >&2
  exit 1
}
[ -e "$stamp" ] || lack "$stamp is missing: nodes need the folder of results under the same path"
cd "$folder" || lack "$folder is missing: nodes need the repository under the same path"
"$deno" --version >/dev/null || lack "$deno does not run: nodes need Deno under the same path"
for package in ${packages.map(quoted).join(" ")}; do
  compgen -G "$DENO_DIR/npm/*/$package" >/dev/null ||
    lack "Deno's cache $DENO_DIR has no $package: nodes need the cache under the same path"
done

echo "$(date -Is) task \${SLURM_ARRAY_TASK_ID:-} of job \${SLURM_ARRAY_JOB_ID:-} on \${SLURMD_NODENAME:-}"
# Where SLURM ends the task, or requeues it itself, it sends TERM to this shell and to the run.
trap limited= TERM
"$deno" ${args.map(quoted).join(" ")} &
run=$!
[ -z "$limited" ] || kill -TERM "$run"
until wait "$run"; code=$?; ! kill -0 "$run" 2>/dev/null; do :; done
# A signal that came as the run ended has taken its exit code's place.
if [ "$code" = ${128 + 10} ] || [ "$code" = ${128 + 15} ]; then
  wait "$run"
  code=$?
fi
# 130: it has saved a checkpoint. TERM ends one that has not begun.
if [ -n "$limited" ] && { [ "$code" = 130 ] || [ "$code" = ${128 + 15} ]; }; then
  if [ "\${SLURM_RESTART_COUNT:-0}" -ge ${mostRestarts} ]; then
    echo "Stopped, as the time limit has struck ${mostRestarts} times: submitting again goes on"
  else
    echo "Waiting for another turn, to go on from the checkpoint"
    scontrol requeue "\${SLURM_JOB_ID}" || echo "It could not be requeued: submitting again goes on"
  fi
fi
exit "$code"
`;
}

/** Seconds before the time limit at which a run is asked to save a checkpoint: a quarter of a short limit. */
function warningSeconds(time: string): number {
  return Math.min(mostWarningSeconds, Math.floor(timeSeconds(time)! / 4));
}

function option(name: string, value: string | number | undefined): string[] {
  return value === undefined ? [] : [`--${name}=${value}`];
}

/** The value of an option in a script, which SLURM reads until a space unless it is quoted. */
function quoteOption(text: string): string {
  if (/[\n\r"\\]/.test(text)) {
    throw new InputError(
      `Cannot submit as a path has a character that SLURM's options cannot hold: current value is ${
        JSON.stringify(text)
      }, allowed are paths without quotes, backslashes and line breaks`,
    );
  }
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `"${text}"`;
}
