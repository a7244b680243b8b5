/**
 * Repositories of the Hub: their files as they are listed, each verified by the hash under which it is, and read by ranges.
 */
import { datasetInfo, HubApiError, listFiles, modelInfo } from "@huggingface/hub";
import { InputRangeError, InputTypeError, isInputError } from "../errors.ts";
import { type ByteSource, checkRange, UnreachableError } from "../formats/byte_file.ts";
import { downloadFile, type DownloadOptions, fetchBounded } from "../text/download.ts";
import { commitForm, hubName, type HubReference, mainRevision } from "./hub_cache.ts";

/** Where repositories are, and how long and how much is waited for. */
export interface HubAccess extends Omit<DownloadOptions, "progress"> {
  /** Address of the Hub, or of a compatible server. */
  readonly url: string;
  /** Token of an account that may read the repository; it is sent to `url` alone, not to where that leads. */
  readonly token?: string | undefined;
}

export interface HubRepository {
  readonly reference: HubReference;
  /** Its kind (default `model`). */
  readonly kind?: "model" | "dataset";
}

/** A file as a repository lists it. */
export interface ListedFile {
  /** Path in the repository. */
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

/**
 * Lists the files of a repository as its revision is now.
 *
 * @param options `recursive`: also those in folders.
 * @throws {RangeError} Where it is not there or may not be read.
 * @throws {TypeError} Where the answer is not that of the Hub.
 */
export async function listRepository(
  repository: HubRepository,
  options: HubAccess & { readonly recursive?: boolean },
): Promise<{ commit: string; files: Map<string, ListedFile> }> {
  const { reference, kind = "model" } = repository;
  const { url: hubUrl, token, recursive = false } = options;
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
    const info = kind === "model"
      ? await modelInfo({ name: repo, revision, additionalFields: ["sha"], ...request })
      : await datasetInfo({ name: repo, revision, additionalFields: ["sha"], ...request });
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
    const listed = listFiles({
      repo: { type: kind, name: repo },
      revision: commit,
      recursive,
      ...request,
    });
    for await (const entry of listed) {
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
      ? refusal(error.statusCode, repository, options) ??
        `the Hub refuses: its status is ${error.statusCode}`
      : `the answer of "${hubUrl}" is not that of the Hub: ${(error as Error).message}`;
    throw new InputRangeError(`Cannot fetch "${hubName(reference)}" as ${reason}`, {
      cause: error,
    });
  }
}

/** Explains an HTTP status of a repository; undefined where there is nothing to explain. */
function refusal(
  status: number,
  { reference: { repo, revision = mainRevision }, kind = "model" }: HubRepository,
  { url, token }: Pick<HubAccess, "url" | "token">,
): string | undefined {
  const noun = kind === "model" ? "model" : "data set";
  switch (status) {
    case 401:
      return token === undefined
        ? `"${url}" knows no public ${noun} of this name (status 401): set HF_TOKEN to a token that may read it where it is ` +
          "private or gated, or mend its name"
        : `the token of HF_TOKEN may not read it (status 401): it may have ended, or the ${noun} may have another name`;
    case 403:
      return `it is gated (status 403): accept its conditions at ${
        pageOf({ repo, kind, url })
      }, and set HF_TOKEN to a token of that account`;
    case 404:
      return `"${url}" has no ${noun} "${repo}" with revision "${revision}" (status 404)`;
    default:
      return undefined;
  }
}

/** Address of a repository's page. */
function pageOf(
  { repo, kind, url }: { readonly repo: string; readonly kind: string; readonly url: string },
): string {
  return kind === "model" ? `${url}/${repo}` : `${url}/datasets/${repo}`;
}

/** Address of a file of a commit. */
function fileUrl(
  { reference: { repo }, kind = "model" }: HubRepository,
  { commit, path, url }: { readonly commit: string; readonly path: string; readonly url: string },
): string {
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  return `${pageOf({ repo, kind, url })}/resolve/${commit}/${encoded}`;
}

/**
 * Fetches a listed file, whole or not at all.
 *
 * @throws {Error} As {@linkcode downloadFile}, with an explanation of the Hub's status.
 */
export async function downloadListed(
  { path, sizeBytes, sha256, gitHash }: ListedFile,
  { repository, commit, target, access, progress }: {
    readonly repository: HubRepository;
    readonly commit: string;
    readonly target: string;
    readonly access: HubAccess;
    readonly progress?: ((bytes: number) => void) | undefined;
  },
): Promise<void> {
  const { url, token, ...limits } = access;
  await downloadFile({
    url: fileUrl(repository, { commit, path, url }),
    target,
    ...(sha256 === undefined ? { gitHash } : { sha256 }),
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    refusal: (status) => refusal(status, repository, access),
  }, {
    ...limits,
    maxBytes: Math.min(sizeBytes, limits.maxBytes ?? Infinity),
    ...(progress && { progress }),
  });
}

/** Most bytes that are read at once of a file that is not fetched. */
const mostRangeBytes = 2 ** 26;

/**
 * A listed file that is read by ranges, so that its format can be checked before gigabytes are fetched.
 *
 * @throws {UnreachableError} From `read`, where the server does not send the range that it is asked for.
 */
export function remoteSource(
  { path, sizeBytes }: ListedFile,
  { repository, commit, access }: {
    readonly repository: HubRepository;
    readonly commit: string;
    readonly access: HubAccess;
  },
): ByteSource {
  const url = fileUrl(repository, { commit, path, url: access.url });
  const { token } = access;
  return {
    path: url,
    sizeBytes,
    async read(offset, lengthBytes) {
      checkRange({ path: url, sizeBytes }, offset, lengthBytes);
      if (lengthBytes === 0) return new Uint8Array(0);
      if (lengthBytes > mostRangeBytes) {
        throw new InputRangeError(
          `Cannot read "${url}" as ${lengthBytes} bytes of it are needed: allowed are ${mostRangeBytes} before it is fetched`,
        );
      }
      const last = offset + lengthBytes - 1;
      let response: Response;
      try {
        response = await fetchBounded(url, {
          ...access,
          status: 206,
          maxBytes: lengthBytes,
          headers: {
            "accept-encoding": "identity",
            range: `bytes=${offset}-${last}`,
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          },
        });
      } catch (cause) {
        throw new UnreachableError((cause as Error).message, { cause });
      }
      const { status } = response, sent = response.headers.get("content-range") ?? "none";
      if (status !== 206) {
        const reason = refusal(status, repository, access) ??
          `a part of it was asked for: its status is ${status}`;
        throw new UnreachableError(`Cannot read "${url}" as ${reason}`);
      }
      const bytes = await response.bytes();
      if (!sent.startsWith(`bytes ${offset}-${last}/`) || bytes.length !== lengthBytes) {
        throw new UnreachableError(
          `Cannot read "${url}" as bytes ${offset} to ${last} were asked for: the server sent ${bytes.length}, of "${sent}"`,
        );
      }
      return bytes;
    },
    [Symbol.dispose]() {},
  };
}
