/** A server on this machine that answers as the Hub does, and another one that holds the large files. */
import { createHash } from "node:crypto";

/** A file of a repository; one of several revisions may have others. */
export interface HubFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether it is stored apart, named by its SHA-256. */
  readonly lfs?: boolean;
}

/** What a test changes about the answers. */
export interface HubBehaviour {
  /** Answers a request itself, by its path and how often that was asked for, from 0; undefined: as usual. */
  answer?: (request: Request, path: string, count: number) => Response | undefined;
  /** The bytes that are sent of a file, in place of its own. */
  sent?: (path: string, bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
}

/** The servers with one repository. */
export interface HubServer extends AsyncDisposable {
  readonly url: string;
  /** Files by commit. */
  readonly commits: Map<string, Map<string, HubFile>>;
  /** Commits by branch. */
  readonly branches: Map<string, string>;
  readonly behaviour: HubBehaviour;
  /** What was asked for: path, range and authorization. */
  readonly requests: { path: string; range: string | null; authorization: string | null }[];
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const gitHash = (bytes: Uint8Array) =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

/**
 * Starts both servers.
 *
 * @param kind What the repository is.
 */
export function startHub(repo: string, kind: "model" | "dataset" = "model"): HubServer {
  const commits: HubServer["commits"] = new Map(), branches: HubServer["branches"] = new Map();
  const behaviour: HubBehaviour = {}, requests: HubServer["requests"] = [];
  const counts = new Map<string, number>();
  const record = (request: Request): Response | undefined => {
    const { pathname } = new URL(request.url), { headers } = request;
    const [range, authorization] = [headers.get("range"), headers.get("authorization")];
    const path = decodeURIComponent(pathname);
    requests.push({ path, range, authorization });
    const count = counts.get(path) ?? 0;
    counts.set(path, count + 1);
    return behaviour.answer?.(request, path, count);
  };
  const send = (path: string, bytes: Uint8Array<ArrayBuffer>, range: string | null) => {
    const [, from = "0", to = ""] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
    const start = Number(from);
    if (start > 0 && start >= bytes.length) return new Response(null, { status: 416 });
    const sent = behaviour.sent?.(path, bytes) ?? bytes;
    if (start === 0 && to === "") return new Response(sent);
    const end = to === "" ? sent.length : Math.min(Number(to) + 1, sent.length);
    return new Response(sent.subarray(start, end), {
      status: 206,
      headers: { "content-range": `bytes ${start}-${end - 1}/${sent.length}` },
    });
  };
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const store = Deno.serve(options, (request) => {
    const answered = record(request);
    if (answered) return answered;
    const [, , commit, path] = /^(.)store\/(\w+)\/(.+)$/.exec(requests.at(-1)!.path) ?? [];
    const file = commits.get(commit)?.get(path);
    return file ? send(path, file.bytes, request.headers.get("range")) : notFound();
  });
  const notFound = () => Response.json({ error: "Repository not found" }, { status: 404 });
  const hub = Deno.serve(options, (request) => {
    const answered = record(request);
    if (answered) return answered;
    const { path } = requests.at(-1)!;
    const info = new RegExp(`^/api/${kind}s/(.+)/revision/(.+)$`).exec(path);
    if (info) {
      const [, name, revision] = info;
      const sha = commits.has(revision) ? revision : branches.get(revision);
      return name === repo && sha
        ? Response.json({ _id: "1", id: repo, sha, lastModified: "2026-01-01T00:00:00Z" })
        : notFound();
    }
    const tree = new RegExp(`^/api/${kind}s/(.+)/tree/([0-9a-f]+)$`).exec(path);
    if (tree) {
      const isRecursive = new URL(request.url).searchParams.get("recursive") === "true";
      const files = [...commits.get(tree[2]) ?? []]
        .filter(([path]) => isRecursive || !path.includes("/"));
      // In pages of two.
      const page = Number(new URL(request.url).searchParams.get("cursor") ?? 0);
      const listed = files.slice(page, page + 2).map(([path, { bytes, lfs }]) => ({
        type: "file",
        path,
        size: bytes.length,
        oid: gitHash(bytes),
        ...(lfs ? { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } } : {}),
      }));
      const next = `<${new URL(request.url).origin}${path}?recursive=${isRecursive}&cursor=${
        page + 2
      }>; rel="next"`;
      const headers = page + 2 < files.length ? { link: next } : {};
      return Response.json([...listed, { type: "directory", path: "onnx", size: 0, oid: "0" }], {
        headers,
      });
    }
    const folder = kind === "dataset" ? "datasets/" : "";
    const resolved = new RegExp(`^/${folder}(.+)/resolve/([0-9a-f]+)/(.+)$`).exec(path);
    const [, name, commit, file] = resolved ?? [];
    const found = name === repo ? commits.get(commit)?.get(file) : undefined;
    if (!found) return notFound();
    if (!found.lfs) return send(file, found.bytes, request.headers.get("range"));
    const location = `http://127.0.0.1:${store.addr.port}/store/${commit}/${file}`;
    return new Response(null, { status: 302, headers: { location } });
  });
  return {
    url: `http://127.0.0.1:${hub.addr.port}`,
    commits,
    branches,
    behaviour,
    requests,
    async [Symbol.asyncDispose]() {
      await Promise.all([hub.shutdown(), store.shutdown()]);
    },
  };
}
