/**
 * Fetches models of the Hub into its cache: the files that a model needs, each verified by the hash under which the repository
 * lists it.
 */
import { HubApiError, listFiles, modelInfo } from "@huggingface/hub";
import { dirname, join, relative } from "node:path";
import { InputError, InputRangeError, InputTypeError, isInputError } from "../errors.ts";
import {
  ifThere,
  readJson,
  removeIfThere,
  temporaryOf,
  writeAtomically,
  writing,
} from "../files.ts";
import { downloadFile, type DownloadOptions, fetchBounded } from "../text/download.ts";
import { readHuggingFaceShape } from "./huggingface.ts";
import {
  commitForm,
  hubName,
  type HubReference,
  type HubSnapshot,
  mainRevision,
  repositoryFolder,
  shardsOf,
  sideFiles,
  weightsFile,
  weightsIndex,
} from "./hub_cache.ts";

/** Where a model is fetched from and to, and how long and how much is waited for. */
export interface HubOptions extends Omit<DownloadOptions, "progress"> {
  /** Address of the Hub, or of what imitates it. */
  readonly url: string;
  /** Folder of the cache. */
  readonly cache: string;
  /** Token of an account that may read the model; it is sent to `url` alone, not to where that leads. */
  readonly token?: string | undefined;
  /** Called with the bytes of a file so far, and with those of the whole. */
  readonly progress?: (file: string, bytes: number, totalBytes: number) => void;
}

/** A file as a repository lists it. */
interface ListedFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** SHA-256 of its bytes; absent for small files, which git's own hash names. */
  readonly sha256?: string;
  readonly gitHash: string;
}

/** Most files of a repository that are listed. */
const mostFiles = 10_000;

/** Most bytes of an answer that lists files. */
const mostListedBytes = 2 ** 25;

/** Most bytes of a file that is no weights. */
const mostSideBytes = 2 ** 28;

/**
 * Fetches a model as its revision is now. What is in the cache already is not fetched again, and what was cut off is continued.
 *
 * @throws {RangeError} Where it may not be read, is not there, has no weights in safetensors, or has other bytes than its
 * repository lists.
 * @throws {TypeError} Where its architecture is unknown, before its weights are fetched.
 * @throws {Error} Where the Hub does not answer, stalls or is busy for long.
 */
export async function fetchModel(
  reference: HubReference,
  options: HubOptions,
): Promise<HubSnapshot> {
  const { cache } = options;
  const { commit, files } = await list(reference, options);
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
  const weights = weightsOf(files, reference);
  for (const name of sideFiles) if (name === "config.json" || files.has(name)) await take(name);
  await readHuggingFaceShape(folder); // before gigabytes that nothing could read
  await take(weights);
  if (weights === weightsIndex) {
    for (const name of shardsOf(await readJson(join(folder, weights)), folder)) await take(name);
  }
  // Last: a revision that is not whole is not found.
  const { revision = mainRevision } = reference;
  if (!commitForm.test(revision)) await writeReference(join(repository, "refs", revision), commit);
  return snapshot;
}

async function writeReference(path: string, commit: string): Promise<void> {
  await writing(path, () => Deno.mkdir(dirname(path), { recursive: true }));
  await writeAtomically(path, commit);
}

/** The file with the weights, or the list of those that have them. */
function weightsOf(files: ReadonlyMap<string, ListedFile>, reference: HubReference): string {
  const found = [weightsFile, weightsIndex].find((name) => files.has(name));
  if (found !== undefined) return found;
  const others = [...files.keys()].filter((name) =>
    /\.(bin|pt|pth|h5|msgpack|gguf|onnx|safetensors)$/.test(name)
  );
  throw new InputRangeError(
    `Cannot fetch "${hubName(reference)}" as its repository has no "${weightsFile}": found ${
      others.length > 0 ? others.map((name) => `"${name}"`).join(", ") : "no weights"
    }, allowed are safetensors files; another revision may have them`,
  );
}

/** The commit of a revision and the files of its uppermost folder. */
async function list(
  reference: HubReference,
  options: HubOptions,
): Promise<{ commit: string; files: Map<string, ListedFile> }> {
  const { url: hubUrl, token } = options;
  if (token !== undefined && !token.startsWith("hf_")) {
    throw new InputRangeError(
      'Cannot use the token of HF_TOKEN as it must begin with "hf_": tokens of the Hub do',
    );
  }
  const request = {
    hubUrl,
    ...(token === undefined ? {} : { accessToken: token }),
    fetch: (input: string | URL | Request, init?: RequestInit) =>
      fetchBounded(String(input instanceof Request ? input.url : input), {
        ...options,
        headers: init?.headers ?? {},
        maxBytes: mostListedBytes,
      }),
  };
  const { repo, revision = mainRevision } = reference;
  try {
    const info = await modelInfo({ name: repo, revision, additionalFields: ["sha"], ...request });
    const { sha: commit } = info as { readonly sha?: unknown };
    if (typeof commit !== "string" || !commitForm.test(commit)) {
      throw new InputTypeError(
        `Cannot fetch "${
          hubName(reference)
        }" as the commit that "${hubUrl}" gives is malformed: current value is ${
          JSON.stringify(commit)
        }`,
      );
    }
    const files = new Map<string, ListedFile>();
    for await (const entry of listFiles({ repo, revision: commit, ...request })) {
      const { type, path, size, oid, lfs } = entry;
      if (type !== "file") continue;
      if (files.size === mostFiles) {
        throw new InputRangeError(
          `Cannot fetch "${hubName(reference)}" as its repository has more than ${mostFiles} files`,
        );
      }
      const isListed = typeof path === "string" && Number.isSafeInteger(size) && size >= 0 &&
        commitForm.test(String(oid)) && (!lfs || /^[0-9a-f]{64}$/.test(String(lfs.oid)));
      if (!isListed) {
        throw new InputTypeError(
          `Cannot fetch "${
            hubName(reference)
          }" as "${hubUrl}" lists a file without its size or hash: current value is ${
            JSON.stringify(entry)
          }`,
        );
      }
      const sha256 = lfs ? { sha256: lfs.oid } : {};
      files.set(path, { path, sizeBytes: size, gitHash: oid!, ...sha256 });
    }
    return { commit, files };
  } catch (error) {
    if (isInputError(error)) throw error;
    const reason = error instanceof HubApiError
      ? refusal(error.statusCode, reference, options) ??
        `the Hub refuses: its status is ${error.statusCode}`
      : `the answer of "${hubUrl}" is not that of the Hub: ${(error as Error).message}`;
    throw new InputRangeError(`Cannot fetch "${hubName(reference)}" as ${reason}`, {
      cause: error,
    });
  }
}

/** What a status means for a model; undefined where it says nothing. */
function refusal(
  status: number,
  { repo, revision = mainRevision }: HubReference,
  { url, token }: Pick<HubOptions, "url" | "token">,
): string | undefined {
  switch (status) {
    case 401:
      return token === undefined
        ? `"${url}" knows no public model of this name (status 401): set HF_TOKEN to a token that may read it where it is ` +
          "private or gated, or mend its name"
        : `the token of HF_TOKEN may not read it (status 401): it may have ended, or the model may have another name`;
    case 403:
      return `it is gated (status 403): accept its conditions at ${url}/${repo}, and set HF_TOKEN to a token of that account`;
    case 404:
      return `"${url}" has no model "${repo}" with revision "${revision}" (status 404)`;
    default:
      return undefined;
  }
}

/** Fetches a file to the bytes of the cache, and gives it its name in a snapshot. */
async function fetchFile(
  { path, sizeBytes, sha256, gitHash }: ListedFile,
  { reference, repository, snapshot: { folder, commit }, options }: {
    readonly reference: HubReference;
    readonly repository: string;
    readonly snapshot: HubSnapshot;
    readonly options: HubOptions;
  },
): Promise<void> {
  const { url, token, progress, ...limits } = options;
  if (!path.endsWith(".safetensors") && sizeBytes > mostSideBytes) {
    throw new InputRangeError(
      `Cannot fetch "${path}" of "${
        hubName(reference)
      }" as it is too large: current number of bytes is ${sizeBytes}, allowed ` +
        `are up to ${mostSideBytes}`,
    );
  }
  const blob = join(repository, "blobs", sha256 ?? gitHash), name = join(folder, path);
  if ((await ifThere(Deno.stat(blob)))?.size !== sizeBytes) {
    await downloadFile({
      url: `${url}/${reference.repo}/resolve/${commit}/${encodeURIComponent(path)}`,
      target: blob,
      ...(sha256 === undefined ? { gitHash } : { sha256 }),
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
      refusal: (status) => refusal(status, reference, options),
    }, {
      ...limits,
      maxBytes: Math.min(sizeBytes, limits.maxBytes ?? Infinity),
      ...(progress && { progress: (bytes) => progress(path, bytes, sizeBytes) }),
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
  await writing(name, () => Deno.mkdir(dirname(name), { recursive: true }));
  const link = temporaryOf(name);
  try {
    await removeIfThere(link);
    await Deno.symlink(relative(dirname(name), blob), link);
  } catch {
    await writing(name, () => Deno.copyFile(blob, link));
  }
  await writing(name, () => Deno.rename(link, name));
}
