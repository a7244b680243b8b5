import { join } from "node:path";
import { checkDataSet, isComplete } from "../../src/data/data_set.ts";
import { fetchDataSet, takeDataSet } from "../../src/data/obtain.ts";
import {
  documentPath,
  latexBooks,
  type LatexWork,
  latexWorks,
  readLatexWorks,
} from "../../src/data/sets/latex_books.ts";
import { sha256Of } from "../../src/sha256.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
/** Files of two repositories. */
const sources: Readonly<Record<string, string>> = {
  "ada/notes/two.tex": "\\chapter{Two}\r\nNothing cut.\r\n",
  "ada/notes/one/main.tex":
    "\\documentclass{book}\n% not a line of its own: \\begin{document}\n\\begin{document}\n\\chapter{One}\n\\end{document}\nleft over\n",
  "bob/thesis/thesis.tex": "A thesis, in which \\verb|\\end{document}| is quoted.\n",
};
const documents: Readonly<Record<string, string>> = {
  "test/ada__notes.tex": "\\chapter{One}\n\n\\chapter{Two}\nNothing cut.\n",
  "train-memory/bob__thesis.tex": sources["bob/thesis/thesis.tex"],
};
const works: readonly LatexWork[] = [
  {
    title: "Notes",
    authors: ["Ada", "Ann"],
    licence: "CC-BY-4.0",
    repository: "ada/notes",
    commit,
    split: "test",
    sha256: sha256Of(documents["test/ada__notes.tex"]),
    paths: ["one/main.tex", "two.tex"],
  },
  {
    title: "Thesis",
    authors: ["Bob"],
    licence: "CC0-1.0",
    repository: "bob/thesis",
    commit,
    split: "train-memory",
    sha256: sha256Of(documents["train-memory/bob__thesis.tex"]),
    paths: ["thesis.tex"],
  },
];

interface Server {
  readonly root: string;
  readonly folder: string;
  readonly requests: string[];
  /** The text that is sent for a path `OWNER/NAME/PATH` at the commit; a test may change it. */
  readonly sent: Record<string, string>;
  readonly notes: string[];
  readonly fetch: () => Promise<void>;
  readonly take: (from: string) => Promise<void>;
  /** The documents that are there and right, of both. */
  readonly whole: () => Promise<string[]>;
}

async function withServer(use: (server: Server) => Promise<void>): Promise<void> {
  const sent = { ...sources }, requests: string[] = [], notes: string[] = [];
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve(options, (request) => {
    const path = new URL(request.url).pathname.slice(1);
    requests.push(path);
    const [owner, name, at, ...rest] = path.split("/");
    const text = at === commit ? sent[[owner, name, ...rest].join("/")] : undefined;
    return text === undefined ? new Response("no", { status: 404 }) : new Response(text);
  });
  try {
    await withFolder(async (root) => {
      const list = join(root, "list.json"), folder = join(root, "data/latex_books");
      await Deno.writeTextFile(list, JSON.stringify({ works }));
      const source = latexWorks({ list, url: `http://127.0.0.1:${server.addr.port}` });
      const files = await source.files!();
      const dataSet = { name: "x", what: "", licence: "", origin: "", files };
      const obtaining = {
        dataSet,
        folder,
        limits: { answerMs: 5_000 },
        hub: { url: "" },
        progress: () => {},
        note: (text: string) => notes.push(text),
      };
      await use({
        root,
        folder,
        requests,
        sent,
        notes,
        fetch: () => fetchDataSet(obtaining, source),
        take: (from) => takeDataSet(from, obtaining, source),
        whole: async () => {
          const state = await checkDataSet(dataSet, folder);
          assert.equal(isComplete(state), state.whole.length === works.length);
          return state.whole.map(({ path }) => path);
        },
      });
    });
  } finally {
    await server.shutdown();
  }
}

/** Writes files as clones of their repositories have them. */
async function writeClones(folder: string, files: Readonly<Record<string, string>>) {
  for (const [path, text] of Object.entries(files)) {
    await Deno.mkdir(join(folder, path, ".."), { recursive: true });
    await Deno.writeTextFile(join(folder, path), text);
  }
}

test("latex_books joins the files of a work at its commit, without preambles", () =>
  withServer(async ({ folder, requests, notes, fetch, whole }) => {
    await fetch();
    assert.deepEqual(await whole(), Object.keys(documents));
    for (const [path, text] of Object.entries(documents)) {
      assert.equal(await Deno.readTextFile(join(folder, path)), text);
    }
    assert.deepEqual(requests, [
      `ada/notes/${commit}/one/main.tex`,
      `ada/notes/${commit}/two.tex`,
      `bob/thesis/${commit}/thesis.tex`,
    ]);
    assert.deepEqual(notes, ['fetching "Notes" (1 of 2)', 'fetching "Thesis" (2 of 2)']);
    await fetch();
    assert.equal(requests.length, 3, "what is there is not fetched again");
  }));

test("latex_books keeps nothing of a work whose files are missing or others, and goes on later", () =>
  withServer(async ({ folder, requests, sent, fetch, whole }) => {
    sent["bob/thesis/thesis.tex"] += "One more line.\n";
    await assert.rejects(fetch(), {
      name: "RangeError",
      message: new RegExp(
        `Cannot keep "Thesis" as its files at "http.*/bob/thesis/${commit}" are not those of commit ${commit}: ` +
          `expected SHA-256 ${works[1].sha256}, found [0-9a-f]{64}$`,
      ),
    });
    assert.deepEqual(await whole(), ["test/ada__notes.tex"]);
    await assert.rejects(Deno.stat(join(folder, "train-memory")), Deno.errors.NotFound);
    delete sent["bob/thesis/thesis.tex"];
    await assert.rejects(fetch(), {
      name: "RangeError",
      message: /Cannot fetch "http.*thesis\.tex" as the server refuses: its status is 404/,
    });
    sent["bob/thesis/thesis.tex"] = sources["bob/thesis/thesis.tex"];
    requests.length = 0;
    await fetch();
    assert.deepEqual(await whole(), Object.keys(documents));
    assert.deepEqual(requests, [`bob/thesis/${commit}/thesis.tex`]);
  }));

test("latex_books takes works from clones without asking a server", () =>
  withServer(async ({ root, requests, notes, take, whole }) => {
    const from = join(root, "clones");
    await Deno.mkdir(from);
    await assert.rejects(take(from), {
      name: "InputError",
      message: /has none of the clones that are missing: the first of 2 is "ada\/notes"/,
    });
    const { "ada/notes/two.tex": second, ...others } = sources;
    await writeClones(from, others);
    await assert.rejects(take(from), {
      name: "InputError",
      message: new RegExp(
        `Cannot take "Notes" as ".*two\\.tex" is not there: its clone must be at commit ${commit}`,
      ),
    });
    await writeClones(from, { "ada/notes/two.tex": `${second}Another commit.\n` });
    await assert.rejects(take(from), { name: "RangeError", message: /Cannot keep "Notes"/ });
    assert.deepEqual(await whole(), []);
    await Deno.remove(join(from, "ada"), { recursive: true });
    await take(from);
    assert.deepEqual(await whole(), ["train-memory/bob__thesis.tex"]);
    await writeClones(from, { ...others, "ada/notes/two.tex": second });
    notes.length = 0;
    await take(from);
    assert.deepEqual(await whole(), Object.keys(documents));
    assert.deepEqual(notes, [`took 1 of 1 works from "${from}"`]);
    assert.deepEqual(requests, []);
  }));

test("the list of works has free licences, and enough authors in each of its splits", async () => {
  const list = await readLatexWorks(repositoryPath("data/latex_books.json"));
  const free =
    /^(CC-BY-(SA-)?\d\.\d(-CA)?|CC0-1\.0|GFDL-1\.[23]|Apache-2\.0|OSL-3\.0|GPL-2\.0-only|public domain)$/;
  for (const { title, licence } of list) assert.match(licence, free, title);
  assert.equal(new Set(list.map(({ sha256 }) => sha256)).size, list.length);
  const splits = Object.groupBy(list, ({ split }) => split);
  assert.deepEqual(Object.keys(splits), ["train-backbone", "train-memory", "valid", "test"]);
  const firstAuthors = new Set(splits.test!.map(({ authors }) => authors[0]));
  assert.ok(splits.test!.length >= 20 && firstAuthors.size >= 14);
  assert.deepEqual((await latexBooks.files!()).map(({ path }) => path), list.map(documentPath));
});

test("readLatexWorks() names what is not allowed, and authors in two splits", () =>
  withFolder(async (folder) => {
    const path = join(folder, "list.json");
    const rejects = async (works: unknown[], message: RegExp) => {
      await Deno.writeTextFile(path, JSON.stringify({ works }));
      await assert.rejects(readLatexWorks(path), { message });
    };
    const [one, two] = works;
    await rejects([{ ...one, paths: ["../x.tex"] }], /list\.json" as works\.0\.paths\.0 is not/);
    await rejects([one, one], /as "ada\/notes" is there twice/);
    await rejects(
      [one, { ...two, authors: ["Bob", "Ann"] }],
      /as "Ann" is in the splits "test" and "train-memory"/,
    );
  }));
