/**
 * The commit of the code and whether the code differs from it, read from the files of git: starting `git` would take a
 * permission with which a declaration could start anything.
 */
import { createHash } from "node:crypto";
import { dirname, join, relative, resolve } from "node:path";
import { inflateSync } from "node:zlib";
import { ifThere } from "../files.ts";
import { ByteFile } from "../formats/byte_file.ts";

export interface CodeVersion {
  /** Commit of the code; absent where it is not in a git repository, or in one of a format that cannot be read here. */
  readonly commit?: string;
  /** Whether tracked files differ from the commit, or there is source that is not tracked; absent where that cannot be told. */
  readonly dirty?: boolean;
}

/** A repository on disk. */
interface Repository {
  /** Folder of the work tree. */
  readonly top: string;
  /** Folder of HEAD and the index: `.git`, or that of a linked work tree. */
  readonly own: string;
  /** Folder of branches and objects, which all work trees share. */
  readonly common: string;
}

/** A tracked file. */
interface IndexEntry {
  readonly path: string;
  readonly mode: number;
  readonly id: string;
  readonly size: number;
  readonly mtimeMs: number;
  /** Set to be taken as unchanged, or left out of the work tree. */
  readonly isIgnored: boolean;
}

/**
 * Reads the version of the code in a folder.
 *
 * @param folder Folder of the code; other folders of its repository do not count.
 * @param leftOut Folders in it that do not count, relative to it.
 */
export async function readCodeVersion(
  folder: string,
  leftOut: readonly string[] = [],
): Promise<CodeVersion> {
  let commit: string | undefined;
  try {
    const repository = await findRepository(await Deno.realPath(folder));
    commit = repository && await resolveReference(repository, "HEAD");
    if (!repository || commit === undefined) return {};
    const inside = relative(repository.top, await Deno.realPath(folder));
    const counts = (path: string) =>
      isBelow(path, inside) && !leftOut.some((name) => isBelow(path, join(inside, name)));
    return { commit, dirty: await differs(repository, commit, inside, counts) };
  } catch (error) {
    // Files of other formats, or that may not be read: the version is not recorded, and the run goes on.
    if (!(error instanceof Error)) throw error;
    return commit === undefined ? {} : { commit };
  }
}

function isBelow(path: string, folder: string): boolean {
  return folder === "" || path === folder || path.startsWith(`${folder}/`);
}

/** The repository that a folder is in: the nearest `.git` above it. */
async function findRepository(folder: string): Promise<Repository | undefined> {
  for (let top = folder;; top = dirname(top)) {
    const own = await gitFolder(top);
    if (own !== undefined) {
      const common = await readLine(join(own, "commondir"));
      return { top, own, common: common === undefined ? own : resolve(own, common) };
    }
    if (dirname(top) === top) return undefined;
  }
}

/** `.git` where it is a folder, or the folder that it names where it is a file, as in linked work trees. */
async function gitFolder(top: string): Promise<string | undefined> {
  const path = join(top, ".git");
  const information = await ifThere(Deno.stat(path));
  if (information?.isDirectory) return await ifThere(Deno.stat(join(path, "HEAD"))) && path;
  if (!information) return undefined;
  const [, named] = /^gitdir: (.*)$/.exec(await readLine(path) ?? "") ?? [];
  return named === undefined ? undefined : resolve(top, named);
}

async function readLine(path: string): Promise<string | undefined> {
  return (await ifThere(Deno.readTextFile(path)))?.split(/\r?\n/)[0];
}

/** The commit that a reference names: its own file, that of the reference it stands for, or a line of `packed-refs`. */
async function resolveReference(
  repository: Repository,
  name: string,
): Promise<string | undefined> {
  const { own, common } = repository;
  const text = await readLine(join(own, name)) ?? await readLine(join(common, name));
  if (text?.startsWith("ref: ")) return await resolveReference(repository, text.slice(5).trim());
  const packed = text ?? (await ifThere(Deno.readTextFile(join(common, "packed-refs"))))
    ?.split(/\r?\n/).find((line) => line.endsWith(` ${name}`))?.split(" ")[0];
  return packed !== undefined && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(packed) ? packed : undefined;
}

async function differs(
  repository: Repository,
  commit: string,
  inside: string,
  counts: (path: string) => boolean,
): Promise<boolean> {
  const { top, own } = repository;
  const algorithm = commit.length === 40 ? "sha1" : "sha256";
  const indexPath = join(own, "index");
  const { mtime } = await Deno.stat(indexPath);
  const all = readIndex(await Deno.readFile(indexPath), commit.length / 2);
  const entries = all.filter(({ path }) => counts(path));
  for (const entry of entries) {
    if (await isChanged(top, entry, algorithm, mtime?.getTime() ?? 0)) return true;
  }
  if (await isStaged(repository, commit, entries, counts)) return true;
  return await hasUntracked(top, inside, new Set(all.map(({ path }) => path)), counts);
}

const decoder = new TextDecoder();

/** Entries of an index, of the versions 2 to 4. */
function readIndex(bytes: Uint8Array, idBytes: number): IndexEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(4);
  if (decoder.decode(bytes.subarray(0, 4)) !== "DIRC" || version < 2 || version > 4) {
    throw new Error("Cannot read the index as its version is unknown");
  }
  const entries: IndexEntry[] = [];
  let at = 12, path = "";
  for (let count = view.getUint32(8); count > 0; count--) {
    const start = at;
    const id = bytes.subarray(start + 40, start + 40 + idBytes).toHex();
    const flags = view.getUint16(start + 40 + idBytes);
    at = start + 42 + idBytes;
    let isIgnored = (flags & 0x8000) !== 0;
    if (flags & 0x4000) {
      isIgnored ||= (view.getUint16(at) & 0x4000) !== 0;
      at += 2;
    }
    let kept = 0;
    if (version === 4) [kept, at] = readOffset(bytes, at);
    const end = bytes.indexOf(0, at);
    path = path.slice(0, version === 4 ? path.length - kept : 0) +
      decoder.decode(bytes.subarray(at, end));
    at = version === 4 ? end + 1 : start + 8 * Math.floor((end - start) / 8 + 1);
    entries.push({
      path,
      mode: view.getUint32(start + 24),
      id: (flags & 0x3000) === 0 ? id : "", // one side of a conflict
      size: view.getUint32(start + 36),
      mtimeMs: 1000 * view.getUint32(start + 8) + Math.floor(view.getUint32(start + 12) / 1e6),
      isIgnored,
    });
  }
  for (; at + 8 <= bytes.length - idBytes; at += 8 + view.getUint32(at + 4)) {
    // A split index has further entries in another file, a sparse one has folders for files.
    if (["link", "sdir"].includes(decoder.decode(bytes.subarray(at, at + 4)))) {
      throw new Error("Cannot read the index as it is split or sparse");
    }
  }
  return entries;
}

/** A number in groups of seven bits, the highest first, each but the last one more than it says. */
function readOffset(bytes: Uint8Array, at: number): [value: number, end: number] {
  let value = bytes[at] & 0x7f;
  while (bytes[at++] & 0x80) value = (value + 1) * 128 + (bytes[at] & 0x7f);
  return [value, at];
}

const fileType = 0o170000, symbolicLink = 0o120000, submodule = 0o160000;

/** Whether a file of the work tree differs from the tracked one. */
async function isChanged(
  top: string,
  { path, mode, id, size, mtimeMs, isIgnored }: IndexEntry,
  algorithm: string,
  indexedMs: number,
): Promise<boolean> {
  if (isIgnored || (mode & fileType) === submodule) return false;
  const file = join(top, path);
  const found = await ifThere(Deno.lstat(file));
  const isLink = (mode & fileType) === symbolicLink;
  if (!found || found.isSymlink !== isLink || found.isDirectory) return true;
  const changedMs = found.mtime?.getTime();
  // A file written in the moment in which it was tracked may have changed after that.
  if (found.size % 2 ** 32 === size && changedMs === mtimeMs && mtimeMs < indexedMs - 1) {
    return false;
  }
  const content = isLink
    ? new TextEncoder().encode(await Deno.readLink(file))
    : await Deno.readFile(file);
  if (hashBlob(content, algorithm) === id) return false;
  // Line ends may have been converted when the file was checked out.
  return isLink || !content.includes(13) || hashBlob(withoutReturns(content), algorithm) !== id;
}

function hashBlob(content: Uint8Array, algorithm: string): string {
  return createHash(algorithm).update(`blob ${content.length}\0`).update(content).digest("hex");
}

function withoutReturns(content: Uint8Array): Uint8Array {
  return content.filter((byte, i) => byte !== 13 || content[i + 1] !== 10);
}

/** Whether the index differs from the commit: staged changes. */
async function isStaged(
  repository: Repository,
  commit: string,
  entries: readonly IndexEntry[],
  counts: (path: string) => boolean,
): Promise<boolean> {
  const text = decoder.decode(await readObject(repository, commit));
  const [, tree] = /^tree ([0-9a-f]+)$/m.exec(text) ?? [];
  const committed = new Map<string, string>();
  const tracked = new Map(entries.map(({ path, id, mode }) => [path, `${mode.toString(8)} ${id}`]));
  const folders = new Set<string>([""]);
  for (const { path } of entries) {
    for (let parent = dirname(path); parent !== "."; parent = dirname(parent)) folders.add(parent);
  }
  await readTree(repository, tree, "", committed, (path) => counts(path) || folders.has(path));
  const relevant = [...committed].filter(([path]) => counts(path));
  return relevant.length !== tracked.size ||
    relevant.some(([path, entry]) => tracked.get(path) !== entry);
}

/** Files of a tree with their modes and ids, those of its folders that are of interest included. */
async function readTree(
  repository: Repository,
  id: string,
  folder: string,
  files: Map<string, string>,
  isOfInterest: (path: string) => boolean,
): Promise<void> {
  const bytes = await readObject(repository, id);
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0, at);
    const [mode, ...name] = decoder.decode(bytes.subarray(at, end)).split(" ");
    const path = join(folder, name.join(" "));
    at = end + 1 + id.length / 2;
    const entry = bytes.subarray(end + 1, at).toHex();
    if (mode !== "40000") files.set(path, `${mode} ${entry}`);
    else if (isOfInterest(path)) await readTree(repository, entry, path, files, isOfInterest);
  }
}

/** The content of an object: a file of its own, or a part of a pack. */
async function readObject(repository: Repository, id: string): Promise<Uint8Array> {
  for (const objects of await objectFolders(repository)) {
    const loose = await ifThere(Deno.readFile(join(objects, id.slice(0, 2), id.slice(2))));
    if (loose) {
      const bytes = inflateSync(loose);
      return bytes.subarray(bytes.indexOf(0) + 1);
    }
    const packs = await ifThere(Array.fromAsync(Deno.readDir(join(objects, "pack")))) ?? [];
    for (const { name } of packs.filter(({ name }) => name.endsWith(".idx"))) {
      const index = await readPackIndex(join(objects, "pack", name));
      const offset = offsetInPack(index, id);
      if (offset === undefined) continue;
      const pack = join(objects, "pack", name.replace(/idx$/, "pack"));
      return await readPacked(repository, pack, offset, id.length / 2);
    }
  }
  throw new Error(`Cannot find object ${id}`);
}

/** The folder of objects, and those that it borrows from. */
async function objectFolders({ common }: Repository): Promise<string[]> {
  const folders = [join(common, "objects")];
  for (const folder of folders) {
    const text = await ifThere(Deno.readTextFile(join(folder, "info", "alternates"))) ?? "";
    const others = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    for (const other of others.map((line) => resolve(folder, line))) {
      if (!folders.includes(other)) folders.push(other);
    }
  }
  return folders;
}

/** Indexes of packs that have been read, which many objects of a tree are looked up in. */
const packIndexes = new Map<string, Uint8Array>();

async function readPackIndex(path: string): Promise<Uint8Array> {
  const known = packIndexes.get(path);
  if (known) return known;
  const bytes = await Deno.readFile(path);
  packIndexes.set(path, bytes);
  return bytes;
}

/** Where an object begins in a pack, by the pack's index of version 2; undefined where it is not in it. */
function offsetInPack(index: Uint8Array, id: string): number | undefined {
  const view = new DataView(index.buffer, index.byteOffset, index.byteLength);
  if (view.getUint32(0) !== 0xff744f63) throw new Error("Cannot read the index of a pack");
  const fan = (byte: number) => byte < 0 ? 0 : view.getUint32(8 + 4 * byte);
  const first = parseInt(id.slice(0, 2), 16), idBytes = id.length / 2;
  const count = fan(255), ids = 8 + 4 * 256;
  let low = fan(first - 1), high = fan(first);
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = index.subarray(ids + middle * idBytes, ids + (middle + 1) * idBytes).toHex();
    if (other === id) {
      const offsets = ids + count * (idBytes + 4);
      const offset = view.getUint32(offsets + 4 * middle);
      if (offset < 2 ** 31) return offset;
      return Number(view.getBigUint64(offsets + 4 * count + 8 * (offset - 2 ** 31)));
    }
    if (other < id) low = middle + 1;
    else high = middle;
  }
  return undefined;
}

/** An object of a pack: whole, or a base with differences from it. */
async function readPacked(
  repository: Repository,
  path: string,
  offset: number,
  idBytes: number,
): Promise<Uint8Array> {
  using file = await ByteFile.open(path);
  const read = (most: number) => file.read(offset, Math.min(most, file.sizeBytes - offset));
  const header = await read(64);
  const type = header[0] >> 4 & 7;
  let length = header[0] & 15, at = 1;
  for (; header[at - 1] & 0x80; at++) length += (header[at] & 0x7f) * 2 ** (7 * at - 3);
  // Its compressed length is not recorded; incompressible data becomes a little longer.
  const bytes = await read(64 + length + Math.ceil(length / 100));
  const inflate = (from: number) => inflateSync(bytes.subarray(from)).subarray(0, length);
  if (type >= 1 && type <= 4) return inflate(at);
  if (type === 6) {
    const [back, start] = readOffset(bytes, at);
    const base = await readPacked(repository, path, offset - back, idBytes);
    return applyDelta(base, inflate(start));
  }
  const base = await readObject(repository, bytes.subarray(at, at + idBytes).toHex());
  return applyDelta(base, inflate(at + idBytes));
}

/** Applies a delta to a base: copies parts of the base, and inserts new bytes. */
function applyDelta(base: Uint8Array, delta: Uint8Array): Uint8Array {
  let at = 0;
  const size = () => {
    let value = 0, shift = 0;
    do {
      value += (delta[at] & 0x7f) * 2 ** shift;
      shift += 7;
    } while (delta[at++] & 0x80);
    return value;
  };
  size(); // that of the base
  const result = new Uint8Array(size());
  let filled = 0;
  while (at < delta.length) {
    const command = delta[at++];
    if ((command & 0x80) === 0) {
      result.set(delta.subarray(at, at + command), filled);
      at += command;
      filled += command;
      continue;
    }
    const number = (bits: number, count: number) => {
      let value = 0;
      for (let i = 0; i < count; i++) if (bits >> i & 1) value += delta[at++] * 2 ** (8 * i);
      return value;
    };
    const start = number(command & 15, 4);
    const length = number(command >> 4 & 7, 3) || 0x10000;
    result.set(base.subarray(start, start + length), filled);
    filled += length;
  }
  return result;
}

/** Source files: code and the data that it imports. */
const source = /\.(ts|tsx|js|mjs|json|css|wgsl)$/;

/** Whether there is source that is not tracked, in the folder itself or in one of its folders that have tracked files. */
async function hasUntracked(
  top: string,
  inside: string,
  tracked: ReadonlySet<string>,
  counts: (path: string) => boolean,
): Promise<boolean> {
  const folders = new Set(
    [...tracked].filter((path) => isBelow(path, inside)).map((path) => {
      const [first, ...rest] = (inside === "" ? path : path.slice(inside.length + 1)).split("/");
      return rest.length > 0 ? join(inside, first) : undefined;
    }),
  );
  const ignored = await ignoredFolders(join(top, inside));
  const look = async (folder: string): Promise<boolean> => {
    for await (const { name, isDirectory, isFile } of Deno.readDir(join(top, folder))) {
      const path = join(folder, name);
      if (!counts(path) || name.startsWith(".") || name === "node_modules") continue;
      if (ignored.includes(relative(inside, path))) continue;
      if (isFile && source.test(name) && !tracked.has(path)) return true;
      if (isDirectory && (folder !== inside || folders.has(path)) && await look(path)) return true;
    }
    return false;
  };
  return await look(inside);
}

/** Folders that `.gitignore` names by their paths; its patterns do not matter to source. */
async function ignoredFolders(folder: string): Promise<string[]> {
  const text = await ifThere(Deno.readTextFile(join(folder, ".gitignore"))) ?? "";
  return text.split(/\r?\n/).flatMap((line) => /^\/([^*?[]+)\/$/.exec(line)?.[1] ?? []);
}
