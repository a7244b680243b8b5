/**
 * An experiment's cluster settings: names, forms and ranges of the fields. They do not change any measurement.
 */
import { z } from "zod";
import { nonNegativeInteger, positiveInteger } from "../declaration/fields.ts";
import type { Accepts, Assert, Part } from "../declaration/part.ts";

/** Resources of each task of a job; the cluster's own defaults apply to absent fields. */
export interface ClusterConfig {
  /** Partition, or several of which the first that is free is taken: `gpu`, `gpu,long`. */
  readonly partition?: string;
  /** Account that is charged. */
  readonly account?: string;
  /** Longest time before a task is stopped and queued again, as SLURM writes it: `30` (minutes), `12:00:00`, `2-00:00:00`. */
  readonly time?: string;
  /** GPUs of each task. */
  readonly gpus?: number;
  /** Cores of each task, and threads of the CPU engine unless `threads` says otherwise. */
  readonly cpus?: number;
  /** Main memory of each task: `16G`, `8000M`; without a unit megabytes. */
  readonly memory?: string;
  /** Tasks that work on the runs at once (default: one for each unfinished run, at most {@linkcode mostDefaultTasks}). */
  readonly tasks?: number;
}

/** The settings as declared. */
export type ClusterDeclaration = ClusterConfig;

/** Tasks of a job that does not say how many. */
export const mostDefaultTasks = 8;

/** A name, or several with commas: nothing that a shell or SLURM's own syntax would read as more. */
const names = z.string().regex(/^[A-Za-z0-9_.@+-]+(,[A-Za-z0-9_.@+-]+)*$/)
  .describe('names of letters, digits, ".", "_" and "-", several with commas');

const clusterSchema = z.strictObject({
  partition: names.exactOptional(),
  account: names.exactOptional(),
  time: z.string().refine((text) => timeSeconds(text) !== undefined)
    .describe("times such as 30 (minutes), 12:00:00 and 2-00:00:00 (days)").exactOptional(),
  gpus: nonNegativeInteger.exactOptional(),
  cpus: positiveInteger.exactOptional(),
  memory: z.string().regex(/^[1-9]\d*[KMGT]?$/).describe("sizes such as 16G and 8000M")
    .exactOptional(),
  tasks: positiveInteger.exactOptional(),
});

/** The settings of a cluster, as a part of declarations. */
export const clusterPart = {
  schema: clusterSchema,
  fill: (declaration: ClusterDeclaration): ClusterConfig => declaration,
} satisfies Part<ClusterDeclaration, ClusterConfig>;

/** Does not compile where the schema refuses values that the documented type allows. */
type _SchemaAcceptsTheType = Assert<Accepts<typeof clusterSchema, ClusterDeclaration>>;

/**
 * A time in one of SLURM's forms, in seconds: `minutes`, `minutes:seconds`, `hours:minutes:seconds`, `days-hours`,
 * `days-hours:minutes`, `days-hours:minutes:seconds`.
 *
 * @returns undefined where it is in none of them, or 0.
 */
export function timeSeconds(text: string): number | undefined {
  const match = /^(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?$/.exec(text);
  if (!match) return undefined;
  const [days, first, second, third] = match.slice(1).map((part) => part && Number(part)) as (
    | number
    | undefined
  )[];
  const seconds = days !== undefined
    ? (24 * days + first!) * 3600 + (second ?? 0) * 60 + (third ?? 0)
    : third !== undefined
    ? first! * 3600 + second! * 60 + third
    : first! * 60 + (second ?? 0);
  return seconds > 0 ? seconds : undefined;
}
