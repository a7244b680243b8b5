/**
 * Fetches models of the Hub into its cache: the files that a model needs, each verified by the hash under which the repository
 * lists it.
 */
import { dirname, join, relative } from "node:path";
import { InputError, InputRangeError } from "../errors.ts";
import {
  ifThere,
  makeFolderOf,
  readJson,
  removeIfThere,
  temporaryOf,
  writeAtomically,
  writing,
} from "../files.ts";
import { readHuggingFaceShape } from "./huggingface.ts";
import { tokenizerParts } from "../text/tokenizers/file.ts";
import {
  commitForm,
  configFile,
  findWeights,
  hubName,
  type HubReference,
  type HubSnapshot,
  isWeightsIndex,
  mainRevision,
  repositoryFolder,
  shardsOf,
  sideFiles,
  weightsFiles,
} from "./hub_cache.ts";
import {
  downloadListed,
  type HubAccess,
  type ListedFile,
  listRepository,
} from "./hub_repository.ts";

/** Where a model is fetched from and to, and how long and how much is waited for. */
export interface HubOptions extends HubAccess {
  /** Folder of the cache. */
  readonly cache: string;
  /** Called with the bytes of a file so far, and with those of the whole. */
  readonly progress?: (file: string, bytes: number, totalBytes: number) => void;
}

/** Most bytes of a file without weights. */
const mostSideBytes = 2 ** 28;

/**
 * Fetches the current state of a model's revision. Files in the cache are not fetched again; interrupted downloads are resumed.
 *
 * @throws {RangeError} Where it may not be read, is not there, has no weights, or has other bytes than its
 * repository lists.
 * @throws {TypeError} Where its architecture is unknown, before its weights are fetched.
 * @throws {Error} Where the Hub does not answer, stalls or is busy for long.
 */
export async function fetchModel(
  reference: HubReference,
  options: HubOptions,
): Promise<HubSnapshot> {
  const { cache } = options;
  const { commit, files } = await listRepository({ reference }, options);
  const repository = repositoryFolder(reference, cache);
  const folder = join(repository, "snapshots", commit);
  const snapshot = { folder, commit };
  const take = async (name: string) => {
    const file = files.get(name);
    if (!file) {
      throw new InputRangeError(
        `Cannot fetch "${hubName(reference)}" as "${name}" is missing in its repository`,
      );
    }
    await fetchFile(file, { reference, repository, snapshot, options });
  };
  const weights = await weightsOf(files, reference);
  const parts = files.has("tokenizer.json") ? [] : tokenizerParts;
  for (const name of [...sideFiles, ...parts]) {
    if (name === configFile || files.has(name)) await take(name);
  }
  await readHuggingFaceShape(folder); // before gigabytes that nothing could read
  await take(weights);
  if (isWeightsIndex(weights)) {
    const parts = shardsOf(await readJson(join(folder, weights)), { folder, weights });
    for (const name of parts) await take(name);
  }
  // Last: a revision that is not whole is not found.
  const { revision = mainRevision } = reference;
  if (!commitForm.test(revision)) await writeReference(join(repository, "refs", revision), commit);
  return snapshot;
}

async function writeReference(path: string, commit: string): Promise<void> {
  await makeFolderOf(path);
  await writeAtomically(path, commit);
}

/** The file with the weights, or the list of those that have them. */
async function weightsOf(
  files: ReadonlyMap<string, ListedFile>,
  reference: HubReference,
): Promise<string> {
  const found = await findWeights((name) => files.has(name));
  if (found !== undefined) return found;
  const others = [...files.keys()].filter((name) =>
    /\.(bin|pt|pth|h5|msgpack|gguf|onnx|safetensors)$/.test(name)
  );
  throw new InputRangeError(
    `Cannot fetch "${hubName(reference)}" as its repository has no ${
      weightsFiles.map((name) => `"${name}"`).join(" and no ")
    }: found ${
      others.length > 0 ? others.map((name) => `"${name}"`).join(", ") : "no weights"
    }; another revision may have them`,
  );
}

/** Fetches a file to the bytes of the cache, and gives it its name in a snapshot. */
async function fetchFile(
  file: ListedFile,
  { reference, repository, snapshot: { folder, commit }, options }: {
    readonly reference: HubReference;
    readonly repository: string;
    readonly snapshot: HubSnapshot;
    readonly options: HubOptions;
  },
): Promise<void> {
  const { path, sizeBytes, sha256, gitHash } = file,
    { progress, cache: _cache, ...access } = options;
  if (!/\.(safetensors|bin)$/.test(path) && sizeBytes > mostSideBytes) {
    throw new InputRangeError(
      `Cannot fetch "${path}" of "${
        hubName(reference)
      }" as it is too large: current number of bytes is ${sizeBytes}, allowed ` +
        `are up to ${mostSideBytes}`,
    );
  }
  const blob = join(repository, "blobs", sha256 ?? gitHash), name = join(folder, path);
  if ((await ifThere(Deno.stat(blob)))?.size !== sizeBytes) {
    await downloadListed(file, {
      repository: { reference },
      commit,
      target: blob,
      access,
      progress: progress && ((bytes) => progress(path, bytes, sizeBytes)),
    });
  }
  const { size } = await Deno.stat(blob);
  if (size !== sizeBytes) {
    throw new InputError(`Cannot use "${blob}" as it must have ${sizeBytes} bytes: it has ${size}`);
  }
  await nameBytes(blob, name);
}

/** Gives bytes a name, by a link; where links are not allowed, by a copy. */
async function nameBytes(blob: string, name: string): Promise<void> {
  await makeFolderOf(name);
  const link = temporaryOf(name);
  try {
    await removeIfThere(link);
    await Deno.symlink(relative(dirname(name), blob), link);
  } catch {
    await writing(name, () => Deno.copyFile(blob, link));
  }
  await writing(name, () => Deno.rename(link, name));
}
