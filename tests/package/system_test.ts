/**
 * The systems of the npm package against Deno's. That of Node runs in Deno here; that of browsers has what they have.
 */
import { gzipSync } from "node:zlib";
import * as browser from "../../package/browser_system.ts";
import * as node from "../../package/node_system.ts";
import { provideFiles } from "../../src/provided_files.ts";
import * as deno from "../../src/system.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { serveFolders } from "./browser.ts";

const encoder = new TextEncoder();

test("the systems of Node and browsers have the names of Deno's", () => {
  const names = Object.keys(deno).sort();
  assert.deepEqual(Object.keys(node).sort(), names);
  assert.deepEqual(Object.keys(browser).sort(), names);
});

test("browsers' hashes, checksums and comparisons are Deno's", () => {
  const long = Uint8Array.from({ length: 1000 }, (_, i) => i * i);
  for (const parts of [[""], ["abc"], ["ä", "€ 𝄞", long], [long.subarray(3, 70), long]]) {
    const [ours, theirs] = [browser, deno].map(({ createHash }) => {
      const hash = createHash("sha256");
      for (const part of parts) hash.update(part);
      return hash;
    });
    assert.deepEqual([...ours.digest()], [...theirs.digest()]);
  }
  assert.equal(
    browser.createHash("sha256").update("abc").digest("hex"),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", // FIPS 180-2
  );
  assert.equal(browser.crc32(encoder.encode("123456789")), 0xcbf43926); // the usual check value
  assert.equal(browser.crc32(long), deno.crc32(long));
  const values: unknown[] = [1, 0, "1", null, undefined, [], {}, [1], { a: 1 }, {
    a: 1,
    b: undefined,
  }];
  values.push({ a: { b: [1, { c: 2 }] } }, { a: { b: [1, { c: 3 }] } }, { 0: 1 }, { b: 1 }, NaN);
  for (const a of values) {
    for (const b of values) {
      const copy = structuredClone(b);
      const message = `${JSON.stringify(a)}, ${JSON.stringify(b)}`;
      assert.equal(browser.isDeepStrictEqual(a, copy), deno.isDeepStrictEqual(a, copy), message);
    }
  }
});

test("browsers' paths are Deno's, of addresses too", () => {
  for (const path of ["a/b/c.json", "a.json", "/a/b", "/a", "a/b/"]) {
    assert.equal(browser.dirname(path), deno.dirname(path), path);
  }
  assert.equal(browser.dirname("https://x.test/a/b.json"), "https://x.test/a");
  assert.equal(browser.join("a", "b", "c.json"), deno.join("a", "b", "c.json"));
  assert.equal(browser.join("https://x.test/a/", "b.json"), "https://x.test/a/b.json");
});

test("gunzip() of each system bounds its output, and rejects damaged data", async () => {
  const content = Uint8Array.from({ length: 100_000 }, (_, i) => i >> 6),
    packed = gzipSync(content);
  for (const { gunzip, gunzipParts } of [deno, node, browser]) {
    const bytes = Uint8Array.from(packed);
    assert.deepEqual(Uint8Array.from((await gunzip(bytes, 100_000))!), content);
    assert.equal(await gunzip(bytes, 99_999), undefined);
    await assert.rejects(async () => await gunzip(bytes.subarray(0, 50), 100_000));
    const parts: number[] = [];
    for await (const part of gunzipParts(new Blob([bytes]).stream())) parts.push(...part);
    assert.deepEqual(Uint8Array.from(parts), content);
  }
});

test("Node's files are read, written and missing as Deno's", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a.txt`, "0123456789");
    await Deno.mkdir(`${folder}/sub`);
    for (const { open, stat, readDir, rename, remove, makeFolders, ...system } of [deno, node]) {
      const info = await stat(`${folder}/a.txt`);
      assert.deepEqual([info.isFile, info.isDirectory, info.size], [true, false, 10]);
      assert.equal((await stat(`${folder}/sub`)).isDirectory, true);
      const names: string[] = [];
      for await (const { name, isDirectory } of readDir(folder)) {
        names.push(`${name} ${isDirectory}`);
      }
      assert.deepEqual(names.sort(), ["a.txt false", "sub true"]);
      {
        using file = await open(`${folder}/a.txt`, { read: true });
        await file.seek(6, 0);
        const bytes = new Uint8Array(8);
        assert.equal(await file.read(bytes), 4);
        assert.equal(new TextDecoder().decode(bytes.subarray(0, 4)), "6789");
        assert.equal(await file.read(bytes), null);
      }
      const { readable } = await open(`${folder}/a.txt`, { read: true });
      assert.equal(await new Response(readable).text(), "0123456789");
      await (await open(`${folder}/a.txt`, { read: true })).readable.cancel();
      await assert.rejects(stat(`${folder}/gone`), { name: "NotFound", code: "ENOENT" });
      await assert.rejects(open(`${folder}/gone`, { read: true }), system.NotFound);
      await assert.rejects(open(`${folder}/a.txt/b`, { read: true }), system.NotADirectory);
      await assert.rejects(async () => {
        for await (const _ of readDir(`${folder}/gone`));
      }, system.NotFound);

      await makeFolders(`${folder}/new/er`);
      const options = { write: true, create: true, truncate: true };
      {
        using file = await open(`${folder}/new/er/b`, options);
        assert.equal(await file.write(encoder.encode("abc")), 3);
        assert.equal(await file.write(encoder.encode("de")), 2);
        await file.truncate(4);
        await file.syncData();
        assert.equal((await file.stat()).ino, (await stat(`${folder}/new/er/b`)).ino);
      }
      await rename(`${folder}/new/er/b`, `${folder}/new/c`);
      assert.equal(await Deno.readTextFile(`${folder}/new/c`), "abcd");
      (await open(`${folder}/new/c`, options)).close();
      assert.equal(await Deno.readTextFile(`${folder}/new/c`), "");
      await remove(`${folder}/new/c`);
      await assert.rejects(Deno.stat(`${folder}/new/c`), Deno.errors.NotFound);
      await Deno.remove(`${folder}/new`, { recursive: true });
    }
  }));

test("each system reads provided files, and finds no others in their folder", async () => {
  using folder = provideFiles({ "a.txt": encoder.encode("0123") });
  for (const { open, stat, readDir, ...system } of [deno, node, browser]) {
    assert.equal((await stat(folder.path)).isDirectory, true);
    assert.equal((await stat(`${folder.path}/a.txt`)).size, 4);
    using file = await open(`${folder.path}/a.txt`, { read: true });
    const bytes = new Uint8Array(3);
    assert.equal(await file.read(bytes), 3);
    assert.equal(new TextDecoder().decode(bytes), "012");
    const names: string[] = [];
    for await (const { name } of readDir(folder.path)) names.push(name);
    assert.deepEqual(names, ["a.txt"]);
    await assert.rejects(open(`${folder.path}/b.txt`, { read: true }), system.NotFound);
  }
});

test("browsers read addresses, and nothing can be written", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a.txt`, "0123456789");
    await using server = serveFolders({ "/files/": `${folder}/` });
    const address = `${server.origin}/files`;
    const { open, stat, NotFound, rename } = browser;
    assert.equal((await stat(`${address}/a.txt`)).size, 10);
    assert.equal((await stat(address)).isDirectory, true);
    using file = await open(`${address}/a.txt`, { read: true });
    await file.seek(8, 0);
    const bytes = new Uint8Array(8);
    assert.equal(await file.read(bytes), 2);
    assert.deepEqual(server.asked, ["/files/a.txt"]); // once
    await assert.rejects(open(`${address}/gone.txt`, { read: true }), NotFound);
    await assert.rejects(open(`${address}/a.txt`, { write: true }), /a browser has no file system/);
    await assert.rejects(rename("a", "b"), /a browser has no file system/);
  }));
