import { createHash } from "node:crypto";
import { checkDataSet, isComplete } from "../../src/data/data_set.ts";
import { fetchDataSet, takeDataSet } from "../../src/data/obtain.ts";
import { booksOf } from "../../src/data/sets/pg19.ts";
import { isForeseen } from "../../src/errors.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

const dataSet = { name: "x", what: "", licence: "", origin: "", files: [] };
const texts: Readonly<Record<string, string>> = {
  "test/10.txt": "Ten books",
  "test/200.txt": "Two hundred",
  "test/3000.txt": "Three thousand",
};

interface Bucket {
  readonly folder: string;
  readonly requests: string[];
  /** What the bucket lists, and what it sends; a test may change either. */
  readonly listed: Record<string, string>;
  readonly sent: Record<string, string>;
  readonly fetch: (books?: number) => Promise<void>;
  readonly take: (from: string) => Promise<void>;
  answer?: (path: string) => Response | undefined;
}

/** A storage that lists two books a page. */
async function withBucket(use: (bucket: Bucket) => Promise<void>): Promise<void> {
  const listed = { ...texts }, sent = { ...texts }, requests: string[] = [];
  const state: { answer?: Bucket["answer"] } = {};
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve(options, (request) => {
    const { pathname, searchParams } = new URL(request.url);
    requests.push(pathname);
    const answered = state.answer?.(pathname);
    if (answered) return answered;
    if (pathname === "/storage/v1/b/books/o" && searchParams.get("prefix") === "test/") {
      const page = Number(searchParams.get("pageToken") ?? 0), names = Object.keys(listed);
      const items = names.slice(page, page + 2).map((name) => ({
        kind: "storage#object",
        name,
        size: `${listed[name].length}`,
        md5Hash: createHash("md5").update(listed[name]).digest("base64"),
      }));
      const next = page + 2 < names.length ? { nextPageToken: `${page + 2}` } : {};
      return Response.json({ kind: "storage#objects", items, ...next });
    }
    const text = sent[pathname.replace("/books/", "")];
    return text === undefined ? new Response("no", { status: 404 }) : new Response(text);
  });
  try {
    await withFolder(async (root) => {
      const folder = `${root}/data/pg19`, url = `http://127.0.0.1:${server.addr.port}`;
      const obtaining = {
        dataSet,
        folder,
        limits: { answerMs: 5_000 },
        hub: { url },
        progress: () => {},
        note: () => {},
      };
      const source = (books: number) => booksOf({ url, bucket: "books", books });
      const bucket: Bucket = {
        folder,
        requests,
        listed,
        sent,
        fetch: (books = 3) => fetchDataSet(obtaining, source(books)),
        take: (from) => takeDataSet(from, obtaining, source(3)),
      };
      Object.defineProperty(bucket, "answer", { set: (answer) => state.answer = answer });
      await use(bucket);
    });
  } finally {
    await server.shutdown();
  }
}

async function refuses(what: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(what, (error: Error) => {
    assert.match(error.message, message);
    assert.ok(isForeseen(error), error.stack);
    return true;
  });
}

async function assertBooks(folder: string): Promise<void> {
  for (const [name, text] of Object.entries(texts)) {
    assert.equal(await Deno.readTextFile(`${folder}/${name}`), text);
  }
  const state = await checkDataSet(dataSet, folder);
  assert.ok(isComplete(state) && state.whole.length === 3);
}

test("the books of PG-19's test split are listed, fetched and verified", () =>
  withBucket(async ({ folder, requests, fetch }) => {
    await fetch();
    await assertBooks(folder);
    assert.equal(requests.filter((path) => path.startsWith("/storage/")).length, 2, "two pages");
    // One that is missing or has changed is fetched again, alone.
    await Deno.remove(`${folder}/test/10.txt`);
    await Deno.writeTextFile(`${folder}/test/200.txt`, "other");
    requests.length = 0;
    await fetch();
    await assertBooks(folder);
    assert.deepEqual(requests.filter((path) => !path.startsWith("/storage/")), [
      "/books/test/10.txt",
      "/books/test/200.txt",
    ]);
  }));

test("another list, other bytes and refusals are told, and nothing of them is kept", () =>
  withBucket(async (bucket) => {
    const { folder, listed, sent, fetch } = bucket;
    await refuses(fetch(2), /its folder test must have 2 files: it has 3/);
    await refuses(fetch(4), /its folder test must have 4 files: it has 3/);
    sent["test/200.txt"] = "Two  undred";
    await refuses(
      fetch(),
      /Cannot keep ".*\/test\/200.txt" as it is not the file that it was: expected MD5/,
    );
    await assert.rejects(Deno.stat(`${folder}/test/200.txt`), Deno.errors.NotFound);
    sent["test/200.txt"] = texts["test/200.txt"];
    listed["test/../../x.txt"] = "x";
    await refuses(fetch(4), /Cannot list "books" at ".*" as items\.\d\.name is not allowed/);
    bucket.answer = () => new Response("no", { status: 500 });
    await refuses(fetch(), /Cannot list "books" at ".*" as the server refuses: its status is 500/);
    bucket.answer = () => new Response("<html>");
    await refuses(fetch(), /the list of "books" as it is not JSON/);
    bucket.answer = () => new Response("later", { status: 429, headers: { "retry-after": "600" } });
    await refuses(fetch(), /its server is busy: its status is 429, and it asks to wait 600 s/);
  }));

test("the books are taken from a folder that has as many", () =>
  withBucket(async ({ folder, requests, take }) => {
    const own = `${folder}/../own`;
    for (const [name, text] of Object.entries({ ...texts, "train/7.txt": "train" })) {
      await Deno.mkdir(`${own}/${name.split("/")[0]}`, { recursive: true });
      await Deno.writeTextFile(`${own}/${name}`, text);
    }
    await take(own);
    await assertBooks(folder);
    assert.deepEqual(requests, []);
    await Deno.remove(`${own}/test/10.txt`);
    await refuses(
      take(own),
      /there must be 3 files named NUMBER.txt, in a folder test or alone: current number is 2/,
    );
  }));
