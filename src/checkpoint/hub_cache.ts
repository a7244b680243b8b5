/**
 * Models of the Hub on this machine, in the layout that all of its tools share: a folder for each repository with the bytes of
 * its files (`blobs`), the names by which each commit calls them (`snapshots`), and the commits of branches (`refs`). Nothing
 * here uses the network.
 */
import { environmentVariable, join } from "../system.ts";
import { InputRangeError, MissingDataError } from "../errors.ts";
import { ifThere, isThere, readJson, readText } from "../files.ts";

/** A model of the Hub. */
export interface HubReference {
  /** Owner and name, `openai-community/gpt2`; a name alone for the oldest. */
  readonly repo: string;
  /** A branch, a tag or a commit; absent: the main branch. */
  readonly revision?: string | undefined;
}

/** A model as the cache has it. */
export interface HubSnapshot {
  /** Folder of its files. */
  readonly folder: string;
  /** The commit whose files they are. */
  readonly commit: string;
}

/** Prefix that distinguishes a model of the Hub from a path. */
export const hubPrefix = "hf:";

/** Branch that is meant where none is named. */
export const mainRevision = "main";

/** Form of a repository's name: nothing of it leads out of a folder. */
export const repoForm = /^[A-Za-z0-9](?:[\w.-]*\/[A-Za-z0-9])?[\w.-]*$/;

/** Form of the name of a branch, a tag or a commit. */
export const revisionForm = /^(?!.*\.\.)[A-Za-z0-9][\w./-]*$/;

export const commitForm = /^[0-9a-f]{40}$/;

/** The architecture and the sizes of a model. */
export const configFile = "config.json";

/** Files beside the weights that a model needs; those that a repository lacks are left out. */
export const sideFiles = [
  configFile,
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
] as const;

/** Files with the weights: where several are there, the official code takes the first. */
export const weightsFiles = ["model.safetensors", "pytorch_model.bin"] as const;

/** Whether a name is that of a list of files with the weights. */
export function isWeightsIndex(name: string): boolean {
  return name.endsWith(".index.json");
}

/**
 * Finds the file with the weights, or the list of those that have them.
 *
 * @param has Whether a file of this name is there.
 * @returns undefined where there is none.
 */
export async function findWeights(
  has: (name: string) => boolean | Promise<boolean>,
): Promise<string | undefined> {
  for (const name of weightsFiles.flatMap((file) => [file, `${file}.index.json`])) {
    if (await has(name)) return name;
  }
}

/** The files of a folder that hold a model's weights. */
export interface WeightsFiles {
  /** The one file, or the list of several; where nothing is there, the first that the official code looks for. */
  readonly weights: string;
  /** Contents of the list; absent: there is one file. */
  readonly index?: unknown;
  readonly names: readonly string[];
}

/** @throws {RangeError} As {@linkcode shardsOf}. */
export async function weightsIn(folder: string): Promise<WeightsFiles> {
  const weights = await findWeights((name) => isThere(join(folder, name))) ?? weightsFiles[0];
  if (!isWeightsIndex(weights)) return { weights, names: [weights] };
  const index = await readJson(join(folder, weights));
  return { weights, index, names: shardsOf(index, { folder, weights }) };
}

/** Whether the environment forbids to fetch anything from the Hub, as `HF_HUB_OFFLINE=1`. */
export function isHubOffline(): boolean {
  return /^(1|true|yes|on)$/i.test(environmentVariable("HF_HUB_OFFLINE") ?? "");
}

/**
 * Reads a model of the Hub as the command line names it: `hf:org/name`, `hf:org/name@revision`.
 *
 * @returns undefined without the prefix `hf:`.
 * @throws {RangeError} Where the rest is not a name.
 */
export function parseHubReference(text: string): HubReference | undefined {
  if (!text.startsWith(hubPrefix)) return undefined;
  const [repo, revision, ...others] = text.slice(hubPrefix.length).split("@");
  const isSound = repoForm.test(repo) && others.length === 0 &&
    (revision === undefined || revisionForm.test(revision));
  if (!isSound) {
    throw new InputRangeError(
      `Cannot find a model of the Hub as its name is malformed: current value is "${text}", allowed are ` +
        `${hubPrefix}OWNER/NAME and ${hubPrefix}OWNER/NAME@REVISION`,
    );
  }
  return { repo, ...(revision === undefined ? {} : { revision }) };
}

/** A model of the Hub as the command line names it. */
export function hubName({ repo, revision = mainRevision }: HubReference): string {
  return `${hubPrefix}${repo}${revision === mainRevision ? "" : `@${revision}`}`;
}

/** The command that fetches a model. */
export function fetchCommand(reference: HubReference): string {
  return `deno task data ${hubName(reference)}`;
}

/** Folder of the cache: that of `HF_HUB_CACHE`, or `hub` below that of `HF_HOME`, by default `~/.cache/huggingface`. */
export function hubCacheFolder(): string {
  const home = environmentVariable("HF_HOME") ??
    join(environmentVariable("XDG_CACHE_HOME") ?? join(homeFolder(), ".cache"), "huggingface");
  return environmentVariable("HF_HUB_CACHE") ?? environmentVariable("HUGGINGFACE_HUB_CACHE") ??
    join(home, "hub");
}

/** The home folder; the current one where the environment may not be read, as Deno would prompt for the permission. */
function homeFolder(): string {
  return environmentVariable("HOME") ?? environmentVariable("USERPROFILE") ?? ".";
}

/** Folder of a repository in the cache. */
export function repositoryFolder({ repo }: HubReference, cache: string): string {
  return join(cache, ["models", ...repo.split("/")].join("--"));
}

/**
 * Finds a model in the cache.
 *
 * @returns undefined where its revision was never fetched.
 */
export async function findSnapshot(
  reference: HubReference,
  cache: string = hubCacheFolder(),
): Promise<HubSnapshot | undefined> {
  const { revision = mainRevision } = reference;
  const folder = repositoryFolder(reference, cache);
  const commit = commitForm.test(revision)
    ? revision
    : (await ifThere(readText(join(folder, "refs", revision))))?.trim();
  if (commit === undefined || !commitForm.test(commit)) return undefined;
  const snapshot = join(folder, "snapshots", commit);
  return await isThere(snapshot) ? { folder: snapshot, commit } : undefined;
}

/** Names of the files that a snapshot lacks to be a model: `config.json` and its weights, all parts of them. */
export async function missingFiles({ folder }: HubSnapshot): Promise<string[]> {
  const missing: string[] = [], { names } = await weightsIn(folder);
  for (const name of [configFile, ...names]) {
    if (!await isThere(join(folder, name))) missing.push(name);
  }
  return missing;
}

/**
 * The files that a list of weights names, in order.
 *
 * @throws {RangeError} Where it names none, or one outside of its folder.
 */
export function shardsOf(
  index: unknown,
  { folder, weights }: { readonly folder: string; readonly weights: string },
): string[] {
  const { "weight_map": map } = (index ?? {}) as { readonly weight_map?: unknown };
  const names = [...new Set(Object.values(typeof map === "object" ? map ?? {} : {}))].sort();
  const wrong = names.find((name) => typeof name !== "string" || !/^(?!\.\.)[^/\\]+$/.test(name));
  if (names.length === 0 || wrong !== undefined) {
    throw new InputRangeError(
      `Cannot read "${folder}" as weight_map of "${weights}" must name files of its folder: ` +
        `current value is ${JSON.stringify(wrong ?? map ?? null)}`,
    );
  }
  return names as string[];
}

/**
 * The whole model in the cache.
 *
 * @throws {MissingDataError} Where it is not there, or not all of it, with the command that fetches it.
 */
export async function requireSnapshot(reference: HubReference): Promise<HubSnapshot> {
  const cache = hubCacheFolder();
  const snapshot = await findSnapshot(reference, cache);
  const missing = snapshot && await missingFiles(snapshot);
  if (snapshot && missing?.length === 0) return snapshot;
  throw new MissingDataError(
    `Cannot read "${hubName(reference)}" as ${
      missing ? missing.map((name) => `"${name}"`).join(", ") : "it"
    } is not in the Hub's cache "${cache}"; to fetch it, run\n  ${fetchCommand(reference)}`,
  );
}

/**
 * Resolves a path that may be a model of the Hub, `hf:OWNER/NAME`, to its folder in the cache; other paths are returned unchanged.
 *
 * @throws {MissingDataError} As {@linkcode requireSnapshot}.
 */
export async function localPath(path: string): Promise<string> {
  const reference = parseHubReference(path);
  return reference ? (await requireSnapshot(reference)).folder : path;
}

/** As {@linkcode localPath}, but a model that was not fetched whole keeps its name. */
export async function fetchedPath(path: string): Promise<string> {
  const reference = parseHubReference(path);
  const snapshot = reference && await findSnapshot(reference);
  const isWhole = snapshot && (await missingFiles(snapshot)).length === 0;
  return isWhole ? snapshot.folder : path;
}
