import { gzipSync } from "node:zlib";
import { checkDataSet, isComplete } from "../../src/data/data_set.ts";
import { fetchDataSet, takeDataSet } from "../../src/data/obtain.ts";
import { chapterBreakOf } from "../../src/data/sets/chapterbreak.ts";
import { isForeseen } from "../../src/errors.ts";
import { type HubServer, startHub } from "../checkpoint/hub_server.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

const repo = "authors/breaks", commit = "1".repeat(40);
const target = "chapterbreak_ctx_8192.json";
const dataSet = { name: "x", what: "", licence: "", origin: "", files: [{ path: target }] };
const source = chapterBreakOf({ kind: "dataset", reference: { repo } }, { leastCharacters: 50 });

/** A file of items whose longest text has so many characters. */
const items = (characters: number, split = "ao3") => {
  const item = { ctx: "x".repeat(characters), pos: "p", negs: ["a", "b", "c", "d", "e"] };
  return JSON.stringify({ pg19: {}, [split]: { "17": [item] } });
};
const file = (content: string, lfs = true) => ({ bytes: new TextEncoder().encode(content), lfs });

async function withBreaks(
  use: (breaks: {
    server: HubServer;
    folder: string;
    fetch: () => Promise<void>;
    take: (from: string) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  await withFolder(async (root) => {
    await using server = startHub(repo, "dataset");
    server.branches.set("main", commit);
    const folder = `${root}/data/chapterbreak`;
    const obtaining = {
      dataSet,
      folder,
      limits: { answerMs: 5_000 },
      hub: { url: server.url },
      progress: () => {},
      note: () => {},
    };
    await use({
      server,
      folder,
      fetch: () => fetchDataSet(obtaining, source),
      take: (from) => takeDataSet(from, obtaining, source),
    });
  });
}

async function refuses(what: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(what, (error: Error) => {
    assert.match(error.message, message);
    assert.ok(isForeseen(error), error.stack);
    return true;
  });
}

test("ChapterBreak's items of 8,192 tokens are found in their data set, whatever its files are called", () =>
  withBreaks(async ({ server, folder, fetch }) => {
    server.commits.set(
      commit,
      new Map([
        ["README.md", file("#", false)],
        ["data/chapterbreak_ctx_512.json", file(items(10))],
        ["data/breaks-8192.json", file(items(60))],
      ]),
    );
    await fetch();
    assert.equal(await Deno.readTextFile(`${folder}/${target}`), items(60));
    const receipt = JSON.parse(await Deno.readTextFile(`${folder}/fetched.json`));
    assert.equal(receipt.from, `hf:datasets/${repo}@${commit}/data/breaks-8192.json`);
    const state = await checkDataSet(dataSet, folder);
    assert.ok(isComplete(state) && state.whole.length === 1);
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assert.deepEqual(names.sort(), [target, "fetched.json"]);
  }));

test("a data set of other files, or of other items, is refused and not kept", () =>
  withBreaks(async ({ server, folder, fetch }) => {
    const has = (...files: [string, string][]) =>
      server.commits.set(commit, new Map(files.map(([path, content]) => [path, file(content)])));
    has(["a.txt", "x"]);
    await refuses(
      fetch(),
      /Cannot find ChapterBreak's items after 8192 tokens in data set "authors\/breaks" of the Hub as it has no file of JSON: found "a.txt"/,
    );
    has(["a_8192.json", "{}"], ["b_8192.json", "{}"]);
    await refuses(
      fetch(),
      /as it has several files that might have them: found "a_8192.json", "b_8192.json"; name one that is there with --from FILE/,
    );
    has(["a.json", items(40)]);
    await refuses(
      fetch(),
      /its texts are shorter: the longest has 40 characters, expected are 50 or more/,
    );
    has(["a.json", items(60, "other")]);
    await refuses(fetch(), /has no split "ao3": its splits are pg19, other/);
    server.behaviour.answer = () => Response.json({ error: "no" }, { status: 403 });
    await refuses(fetch(), /accept its conditions at .*\/datasets\/authors\/breaks, /);
    server.behaviour.answer = () => Response.json({ error: "no" }, { status: 404 });
    await refuses(fetch(), /has no data set "authors\/breaks"/);
    const left = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name).catch(() => []);
    assert.deepEqual(left, []);
  }));

test("ChapterBreak's items are taken from a file or a folder", () =>
  withBreaks(async ({ folder, take, server }) => {
    const own = `${folder}/../own`;
    await Deno.mkdir(own, { recursive: true });
    await Deno.writeFile(`${own}/chapterbreak_ctx_8192.json.gz`, gzipSync(items(70)));
    await Deno.writeTextFile(`${own}/chapterbreak_ctx_256.json`, items(5));
    await take(own);
    assert.equal(await Deno.readTextFile(`${folder}/${target}`), items(70));
    await Deno.remove(`${folder}/${target}`);
    await take(`${own}/chapterbreak_ctx_8192.json.gz`);
    assert.equal(await Deno.readTextFile(`${folder}/${target}`), items(70));
    await refuses(take(`${own}/chapterbreak_ctx_256.json`), /its texts are shorter/);
    assert.equal(server.requests.length, 0);
  }));
