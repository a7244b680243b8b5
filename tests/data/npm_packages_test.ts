import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { join } from "node:path";
import {
  documentPath,
  fetchPackages,
  type PackageOptions,
  type PinnedPackage,
  readPackageList,
} from "../../src/data/npm_packages.ts";
import { npmCode } from "../../src/data/sets/npm_code.ts";
import { readText } from "../../src/files.ts";
import { tarOf } from "../formats/tar_archive.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";

const names = ["one", "@scope/two"];

const archives = new Map(names.map((name) => {
  const manifest = JSON.stringify({ name, version: "1.2.3" });
  const tar = tarOf([
    { path: "package/package.json", text: manifest },
    { path: "package/lib/a.js", text: `hello("${name}");` },
  ]);
  return [name, Uint8Array.from(gzipSync(tar))];
}));

const hash = (kind: string, bytes: Uint8Array | string, encoding: "hex" | "base64") =>
  createHash(kind).update(bytes).digest(encoding);
const documentOf = (name: string) => `hello("${name}");\n`;

const packages = names.map((name): PinnedPackage => ({
  name,
  version: "1.2.3",
  licence: "MIT",
  integrity: `sha512-${hash("sha512", archives.get(name)!, "base64")}`,
  sources: ["lib"],
  split: name === "one" ? "train-memory" : "test",
  sha256: hash("sha256", documentOf(name), "hex"),
}));

interface Registry {
  /** Paths of the archives that were asked for. */
  readonly fetched: string[];
  /** Names of packages that it does not have. */
  readonly gone: Set<string>;
  /** A folder for the data set. */
  readonly folder: string;
  readonly fetch: (packages: readonly PinnedPackage[], options?: PackageOptions) => Promise<void>;
}

/** A server that imitates the registry for npm. */
async function withRegistry(use: (registry: Registry) => Promise<void>): Promise<void> {
  const fetched: string[] = [], gone = new Set<string>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname, origin } = new URL(request.url), path = decodeURIComponent(pathname).slice(1);
    const archived = /^(.*)\/-\/archive\.tgz$/.exec(path)?.[1];
    const name = archived ?? path, archive = archives.get(name);
    if (!archive || gone.has(name)) return Response.json({ error: "not found" }, { status: 404 });
    if (archived !== undefined) {
      fetched.push(name);
      return new Response(archive);
    }
    const dist = { tarball: `${origin}/${name}/-/archive.tgz` };
    const version = { name, version: "1.2.3", dist };
    return Response.json({ name, "dist-tags": {}, versions: { "1.2.3": version } });
  });
  try {
    await withFolder(async (root) => {
      const environment = {
        "npm_config_registry": `http://127.0.0.1:${server.addr.port}/`,
        "npm_config_cache": join(root, "cache"),
        "npm_config_fetch_retries": "0",
        "npm_config_userconfig": join(root, "npmrc"),
      };
      const folder = join(root, "npm_code");
      await use({
        fetched,
        gone,
        folder,
        fetch: (packages, options) => fetchPackages(packages, folder, { environment, ...options }),
      });
    });
  } finally {
    await server.shutdown();
  }
}

test("fetchPackages() writes a document a package, and goes on where it stopped", async () => {
  await withRegistry(async ({ fetch, folder, fetched, gone }) => {
    gone.add("@scope/two");
    const seen: string[] = [];
    const progress = ({ name }: PinnedPackage, done: number, total: number) =>
      seen.push(`${name} ${done} ${total}`);
    await assert.rejects(fetch(packages, { progress }), {
      name: "InputError",
      message: /Cannot fetch package "@scope\/two" 1\.2\.3 as npm says: .*404/,
    });
    assert.equal(await readText(join(folder, "train-memory/one.txt")), documentOf("one"));
    gone.clear();
    await fetch(packages, { progress });
    assert.equal(await readText(join(folder, "test/scope__two.txt")), documentOf("@scope/two"));
    await fetch(packages, { progress });
    assert.deepEqual(fetched, names);
    assert.deepEqual(seen, ["one 0 2", "@scope/two 1 2", "@scope/two 0 1"]);
  });
});

test("fetchPackages() keeps nothing that is not what the list says", async () => {
  await withRegistry(async ({ fetch, folder }) => {
    const [one] = packages;
    const cases = [
      {
        pinned: { ...one, integrity: packages[1].integrity },
        message: /is not its archive: expected sha512-.*, found sha512-/,
      },
      {
        pinned: { ...one, sha256: packages[1].sha256 },
        message: /this version of the project selects other files: expected SHA-256/,
      },
      { pinned: one, maxBytes: 20, message: /too large: allowed are up to 20 bytes, current/ },
    ];
    for (const { pinned, message, ...options } of cases) {
      await assert.rejects(fetch([pinned], options), { name: "RangeError", message });
      await assert.rejects(Deno.stat(join(folder, documentPath(one))), Deno.errors.NotFound);
    }
  });
});

test("fetchPackages() takes archives of a folder without asking a registry", async () => {
  await withRegistry(async ({ fetch, folder, fetched }) => {
    await withFolder(async (from) => {
      await Deno.writeFile(join(from, "scope-two-1.2.3.tgz"), archives.get("@scope/two")!);
      await fetch(packages, { from });
      assert.equal(await readText(join(folder, "test/scope__two.txt")), documentOf("@scope/two"));
      await assert.rejects(fetch(packages, { from }), {
        name: "InputError",
        message: /has none of the archives that are missing: the first of 1 is "one-1\.2\.3\.tgz"/,
      });
      await Deno.stat(join(from, "scope-two-1.2.3.tgz"));
    });
    assert.deepEqual(fetched, []);
  });
});

test("fetchPackages() unpacks no more than it may", async () => {
  await withFolder(async (from) => {
    const archive = gzipSync(new Uint8Array(1_000_000));
    const integrity = `sha512-${hash("sha512", archive, "base64")}`;
    await Deno.writeFile(join(from, "one-1.2.3.tgz"), archive);
    await assert.rejects(
      fetchPackages([{ ...packages[0], integrity }], from, { from, maxBytes: 10_000 }),
      { name: "RangeError", message: /Cannot unpack package "one" 1\.2\.3 into 80000 bytes/ },
    );
  });
});

test("the list of packages has permissive licences and disjoint splits", async () => {
  const list = await readPackageList(repositoryPath("data/npm_code.json"));
  const permissive = /^(MIT|MIT-0|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0|BlueOak-1\.0\.0|Zlib)$/;
  for (const { name, licence } of list) {
    // Of "A OR B" one suffices; of "A AND B" none may be missing.
    const choices = licence.replace(/^\((.*)\)$/, "$1").split(" OR ");
    const isPermissive = choices.some((choice) =>
      choice.split(" AND ").every((term) => permissive.test(term))
    );
    assert.ok(isPermissive, `${name}: ${licence}`);
  }
  assert.equal(new Set(list.map(({ sha256 }) => sha256)).size, list.length);
  const splits = Object.groupBy(list, ({ split }) => split);
  assert.deepEqual(Object.keys(splits), ["train-backbone", "train-memory", "valid", "test"]);
  assert.ok(splits.test!.length >= 24);
  assert.deepEqual((await npmCode.files!()).map(({ path }) => path), list.map(documentPath));
});

test("readPackageList() names the field that is not allowed, and packages that are there twice", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "list.json");
    const write = (packages: unknown[]) => Deno.writeTextFile(path, JSON.stringify({ packages }));
    await write([{ ...packages[0], integrity: "sha1-abc" }]);
    await assert.rejects(readPackageList(path), {
      name: "TypeError",
      message: /Cannot read packages from ".*list\.json" as packages\.0\.integrity is not allowed/,
    });
    await write([packages[0], packages[0]]);
    await assert.rejects(readPackageList(path), { message: /as "one" is there twice/ });
  });
});
