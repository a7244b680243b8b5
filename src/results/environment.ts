/**
 * Where a run ran: the code, the versions below it and the machine.
 */
import { cpus, release, totalmem } from "node:os";
import process from "node:process";
import { defined } from "../defined.ts";
import { type ClusterTask, currentTask } from "../cluster/cluster_task.ts";
import { hostName } from "../permitted.ts";
import { type CodeVersion, readCodeVersion } from "./code_version.ts";
import { enginePackages } from "../engine_packages.ts";
import configuration from "../../deno.json" with { type: "json" };

/** The contents of `environment.json`, except the fields that the run itself adds. */
export interface Environment extends CodeVersion {
  /** When the command began that ran this part of the run, ISO 8601. */
  readonly startedAt: string;
  readonly deno: string;
  /** Version of its JavaScript engine. */
  readonly v8: string;
  /** Versions of the packages imported, by name. */
  readonly packages: Readonly<Record<string, string>>;
  /** Operating system, its kernel and the processor's architecture. */
  readonly system: string;
  /** Model of the processor. */
  readonly cpu: string;
  /** Its logical cores. */
  readonly cores: number;
  /** Main memory. */
  readonly memoryBytes: number;
  /** Name of the machine; absent where Deno was not allowed to ask for it, and of older records. */
  readonly host?: string;
  /** The job of a cluster; absent where it was none. */
  readonly cluster?: ClusterTask;
}

/** Describes the code and the machine as they are now. */
export async function currentEnvironment(): Promise<Environment> {
  return defined({
    startedAt: new Date().toISOString(),
    ...await codeVersion(),
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    packages: await packageVersions(),
    system: `${Deno.build.os} ${release()} ${Deno.build.arch}`,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: navigator.hardwareConcurrency,
    memoryBytes: totalmem(),
    host: hostName(),
    cluster: currentTask(),
  });
}

/** Most main memory that this process has held so far. */
export function peakMemoryBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** The repository's folder; undefined where the code is not run from a disk. */
const repository = import.meta.dirname && `${import.meta.dirname}/../..`;

/** Commit and dirty flag; results are written by the code, and do not make it dirty. */
async function codeVersion(): Promise<CodeVersion> {
  if (repository === undefined) return {};
  // Asking for a permission that the program does not have would stop the run at a prompt.
  const { state } = await Deno.permissions.query({ name: "read" });
  return state === "granted" ? await readCodeVersion(repository, ["results"]) : {};
}

/** Versions of the packages, as `deno.lock` resolved them, or as the code asks for them where there is no lock. */
async function packageVersions(): Promise<Record<string, string>> {
  const locked = await lockedVersions();
  const versions: Record<string, string> = {};
  for (
    const specifier of [...Object.values(configuration.imports), ...Object.values(enginePackages)]
  ) {
    const [, name, range = ""] = /^npm:((?:@[^/]+\/)?[^@/]+)(?:@([^/]+))?/.exec(specifier) ?? [];
    if (name === undefined) continue;
    const version = locked[`npm:${name}@${range || "*"}`] ?? range;
    // The lock names the peers of a version after an underscore.
    versions[name] = version.split("_")[0];
  }
  return versions;
}

async function lockedVersions(): Promise<Record<string, string>> {
  try {
    const lock = JSON.parse(await Deno.readTextFile(`${repository}/deno.lock`));
    return lock.specifiers ?? {};
  } catch {
    return {};
  }
}
