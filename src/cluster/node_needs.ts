/**
 * Requirements of a cluster's nodes for running experiments: the repository, Deno, its cache with the packages, and the folder of results,
 * each under the same path as on the machine that submits.
 */
import { statfs } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { enginePackages } from "../engine_packages.ts";
import { environmentVariable } from "../system.ts";
import configuration from "../../deno.json" with { type: "json" };

/** The folder of this repository. */
export const repository: string = resolve(import.meta.dirname ?? ".", "../..");

/** Folder of Deno's cache. */
export function denoCache(
  variable: (name: string) => string | undefined = environmentVariable,
): string {
  const caches = variable("XDG_CACHE_HOME") ?? join(variable("HOME") ?? ".", ".cache");
  return resolve(variable("DENO_DIR") ?? join(caches, "deno"));
}

/** Arguments of Deno for a command of this project, with the permissions of its task, wherever they are used. */
export function commandArguments(name: "run" | "measure"): string[] {
  const [, permissions] = /^deno run (.*) src\/main\.ts \S+$/.exec(
    configuration.tasks[name].command,
  )!;
  return [
    ...["run", "--no-prompt", "--cached-only", "--config", join(repository, "deno.json")],
    ...permissions.split(" ").map((flag) =>
      flag === "--lock=deno.lock" ? `--lock=${join(repository, "deno.lock")}` : flag
    ),
    ...[join(repository, "src/main.ts"), name],
  ];
}

/**
 * Packages that runs load, as `NAME/VERSION`: those of the configuration, and the engines of their devices.
 *
 * @param gpus Whether nodes have GPUs, so that the device `auto` may become `webgpu`.
 */
export function neededPackages(
  devices: readonly ("auto" | keyof typeof enginePackages)[],
  gpus: boolean,
): string[] {
  const engines = devices.flatMap((device) =>
    device !== "auto"
      ? [enginePackages[device]]
      : gpus
      ? [enginePackages.cpu, enginePackages.webgpu]
      : [enginePackages.cpu]
  );
  const packages = [...Object.values(configuration.imports), ...engines].flatMap((specifier) => {
    const [, name, version] = /^npm:((?:@[^/]+\/)?[^@/]+)@([^/]+)/.exec(specifier) ?? [];
    return name === undefined ? [] : [`${name}/${version}`];
  });
  return [...new Set(packages)].sort();
}

/** Packages that are not in a cache of Deno's. */
export async function missingPackages(
  cache: string,
  packages: readonly string[],
): Promise<string[]> {
  const folder = join(cache, "npm");
  const registries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
  const isThere = async (path: string) => {
    for (const { name } of registries) {
      if (await Deno.stat(join(folder, name, path)).catch(() => undefined)) return true;
    }
    return false;
  };
  const found = await Promise.all(packages.map(isThere));
  return packages.filter((_, i) => !found[i]);
}

/** File systems that no other machine sees unless it is exported to them, by the numbers that Linux gives their kinds. */
const localKinds = {
  ext4: 0xef53,
  xfs: 0x58465342,
  btrfs: 0x9123683e,
  tmpfs: 0x01021994,
  overlay: 0x794c7630,
  zfs: 0x2fc12fc1,
};

/** Whether the file system of a path is of this machine alone; not where that is unknown, or may not be asked for. */
export async function isOfThisMachine(path: string): Promise<boolean> {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "statfs" as "hostname" });
  if (state !== "granted") return false;
  let folder = resolve(path);
  // A folder that is yet to be made will be on the file system of the one above.
  while (!await Deno.stat(folder).catch(() => undefined) && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  const { type } = await statfs(folder);
  return Object.values(localKinds).includes(Number(type));
}
