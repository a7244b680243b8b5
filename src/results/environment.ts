/**
 * Where a run ran: the code, the versions below it and the machine.
 */
import { cpus, release, totalmem } from "node:os";
import process from "node:process";
import configuration from "../../deno.json" with { type: "json" };

/** The contents of `environment.json`, but for what the run itself finds out. */
export interface Environment {
  /** When the command began that ran this part of the run, ISO 8601. */
  readonly startedAt: string;
  /** Commit of the code; absent where git cannot tell. */
  readonly commit?: string;
  /** Whether the code differs from the commit. */
  readonly dirty?: boolean;
  /** Version of Deno. */
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
}

/** Describes the code and the machine as they are now. */
export async function currentEnvironment(): Promise<Environment> {
  return {
    startedAt: new Date().toISOString(),
    ...await codeVersion(),
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    packages: await packageVersions(),
    system: `${Deno.build.os} ${release()} ${Deno.build.arch}`,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: navigator.hardwareConcurrency,
    memoryBytes: totalmem(),
  };
}

/** Most main memory that this process has held so far. */
export function peakMemoryBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** The repository's folder; undefined where the code is not run from a disk. */
const repository = import.meta.dirname && `${import.meta.dirname}/../..`;

/** Commit and dirty flag; results are what the code wrote, and do not make it dirty. */
async function codeVersion(): Promise<Pick<Environment, "commit" | "dirty">> {
  const commit = await git("rev-parse", "HEAD");
  const changes = await git("status", "--porcelain", "--", ".", ":!results");
  if (commit === undefined || changes === undefined) return {};
  return { commit, dirty: changes !== "" };
}

async function git(...args: string[]): Promise<string | undefined> {
  // Asking for a permission that the task does not give would stop the run at a prompt.
  const { state } = await Deno.permissions.query({ name: "run", command: "git" });
  if (state !== "granted" || repository === undefined) return undefined;
  try {
    const command = new Deno.Command("git", { args, cwd: repository, stderr: "null" });
    const { success, stdout } = await command.output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined; // git is not installed
  }
}

/** Versions as `deno.lock` resolved them, or as `deno.json` asks for them where there is no lock. */
async function packageVersions(): Promise<Record<string, string>> {
  const locked = await lockedVersions();
  const versions: Record<string, string> = {};
  for (const specifier of Object.values(configuration.imports)) {
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
