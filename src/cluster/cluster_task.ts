/**
 * The task of a cluster's job that this process belongs to, as SLURM tells its jobs in environment variables.
 */
import { environmentVariable } from "../system.ts";
import { defined } from "../defined.ts";

export interface ClusterTask {
  /** Number of the job; of an array of tasks, that of the array. */
  readonly job: string;
  /** Number of the task in its array, from 0; absent for a job that is not an array. */
  readonly task?: number;
  /** The node, by the cluster's name for it. */
  readonly node?: string;
  /** How often the task has been started again after it was requeued; absent where it was not. */
  readonly restarts?: number;
}

/**
 * The task that this process belongs to; undefined outside of SLURM, and where the environment may not be read.
 *
 * @param variable Reads an environment variable; tests put their own here.
 */
export function currentTask(
  variable: (name: string) => string | undefined = environmentVariable,
): ClusterTask | undefined {
  const job = variable("SLURM_ARRAY_JOB_ID") ?? variable("SLURM_JOB_ID");
  if (job === undefined) return undefined;
  return defined({
    job,
    task: count(variable("SLURM_ARRAY_TASK_ID")),
    node: variable("SLURMD_NODENAME"),
    restarts: count(variable("SLURM_RESTART_COUNT")) || undefined,
  });
}

/**
 * Cores that the task was allotted; undefined outside of SLURM. A cluster need not confine its tasks to them, so an engine that
 * started a thread for each core of the node would take those of others.
 */
export function allottedCores(
  variable: (name: string) => string | undefined = environmentVariable,
): number | undefined {
  const cores = count(variable("SLURM_CPUS_PER_TASK") ?? variable("SLURM_CPUS_ON_NODE"));
  return cores === undefined || cores === 0 ? undefined : cores;
}

/** A task in words: `job 12 task 3`. */
export function describeTask({ job, task }: ClusterTask): string {
  return task === undefined ? `job ${job}` : `job ${job} task ${task}`;
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
