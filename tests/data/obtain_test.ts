import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { dataCommand } from "../../src/commands/data.ts";
import { execute, recordedOutput } from "../commands/recorded_output.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

const hashOf = (text: string) => createHash("sha256").update(text).digest("hex");

/** Two novels and two stories as their sources have them, and cleaned. */
const book =
  "\ufeffTHE BOOK\r\n\r\n The Blue Cross\r\n\r\nOne.\r\n\r\n The Secret Garden\r\n\r\nTwo.\r\n\r\n" +
  " The Queer Feet\r\n\r\nThree.\r\n";
const sources: Readonly<Record<string, string>> = {
  "/repo/one.txt": "First\u00a0novel \r\n",
  "/repo/two.txt": "Second novel\r\n\r\n\r\n\r\nend\r\n",
  "/repo/book.txt": book,
};
const cleaned: Readonly<Record<string, { text: string; source: string }>> = {
  "train/Author_One_1800.txt": { text: "First novel\n", source: "/repo/one.txt" },
  "valid/Author_Two_1801.txt": { text: "Second novel\n\n\nend\n", source: "/repo/two.txt" },
  "test/Chesterton_FatherBrown01_X.txt": {
    text: "The Blue Cross\n\nOne.\n",
    source: "/repo/book.txt",
  },
  "test/Chesterton_FatherBrown02_X.txt": {
    text: "The Secret Garden\n\nTwo.\n",
    source: "/repo/book.txt",
  },
};

interface Novels {
  readonly folder: string;
  readonly requests: { path: string; range: string | null }[];
  readonly run: (...args: string[]) => Promise<{ code: number; text: string; notes: string[] }>;
  /** The bytes that the server sends. */
  readonly served: Record<string, string>;
}

/** The command with a list of such novels, whose sources a server has. */
async function withNovels(use: (novels: Novels) => Promise<void>): Promise<void> {
  const requests: Novels["requests"] = [], served = { ...sources };
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve(options, (request) => {
    const { pathname } = new URL(request.url), range = request.headers.get("range");
    requests.push({ path: pathname, range });
    if (!(pathname in served)) return new Response("no", { status: 404 });
    const bytes = new TextEncoder().encode(served[pathname]);
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    return start === 0 ? new Response(bytes) : new Response(bytes.subarray(start), {
      status: 206,
      headers: { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` },
    });
  });
  try {
    await withFolder(async (folder) => {
      const files = [
        ...Object.entries(cleaned).map(([path, { text, source }]) => ({
          path,
          sha256: hashOf(text),
          url: `http://127.0.0.1:${server.addr.port}${source}`,
          sourceSha256: hashOf(sources[source]),
        })),
        { path: "notes.json", sha256: hashOf("[]"), optional: true },
        { path: "index.json", bundled: "numbers.json" },
      ];
      const dataSet = {
        name: "novels",
        what: "novels",
        licence: "none",
        origin: "a server",
        files,
      };
      await Deno.writeTextFile(`${folder}/numbers.json`, "[1]");
      await Deno.writeTextFile(`${folder}/list.json`, JSON.stringify({ dataSets: [dataSet] }));
      const run = async (...args: string[]) => {
        const output = recordedOutput();
        const places = { list: `${folder}/list.json`, folders: [`${folder}/data`] };
        const code = await execute(dataCommand(output, places), ...args);
        return { code, text: output.printed.join("\n"), notes: output.notes };
      };
      await use({ folder, requests, run, served });
    });
  } finally {
    await server.shutdown();
  }
}

/** Asserts that the novels lie in the folder of their data set, and nothing else. */
async function assertNovels(folder: string, others: readonly string[] = []): Promise<void> {
  for (const [path, { text }] of Object.entries(cleaned)) {
    assert.equal(await Deno.readTextFile(`${folder}/data/novels/${path}`), text);
  }
  const names = await Array.fromAsync(Deno.readDir(`${folder}/data/novels`), ({ name }) => name);
  assert.deepEqual(names.sort(), ["index.json", ...others, "test", "train", "valid"]);
  assert.equal(await Deno.readTextFile(`${folder}/data/novels/index.json`), "[1]");
}

test("data fetches each source once and makes the files of it", () =>
  withNovels(async ({ folder, requests, run }) => {
    const { code, text, notes } = await run("novels");
    assert.equal(code, 0, text);
    assert.match(text, /^novels: complete, 5 files verified$/m);
    assert.match(text, /not there, and not needed: notes.json$/m);
    assert.deepEqual(requests.map(({ path }) => path).sort(), Object.keys(sources).sort());
    assert.match(notes[2], /^fetching http.*\/repo\/book.txt \(3 of 3\)$/);
    await assertNovels(folder);
    await run("novels");
    assert.equal(requests.length, 3, "what is there is not fetched again");
  }));

test("data continues a source that was cut off, and fetches what is missing or other", () =>
  withNovels(async ({ folder, requests, run }) => {
    await run("novels");
    const data = `${folder}/data/novels`, source = sources["/repo/one.txt"];
    await Deno.remove(`${data}/train/Author_One_1800.txt`);
    await Deno.writeTextFile(`${data}/valid/Author_Two_1801.txt`, "another");
    const bytes = new TextEncoder().encode(source).subarray(0, 5);
    await Deno.writeFile(`${data}/.source-${hashOf(source).slice(0, 16)}.download`, bytes);
    requests.length = 0;
    assert.match(
      (await run()).text,
      /incomplete, 3 of 5 files verified\n[^]*other bytes than expected: valid/,
    );
    assert.equal((await run("novels")).code, 0);
    assert.deepEqual(requests, [
      { path: "/repo/one.txt", range: "bytes=5-" },
      { path: "/repo/two.txt", range: null },
    ]);
    await assertNovels(folder);
  }));

test("data keeps nothing of a source with other bytes, or that makes other ones", () =>
  withNovels(async ({ folder, run, served }) => {
    served["/repo/one.txt"] = "Another novel\n";
    await assert.rejects(
      run("novels"),
      /Cannot keep ".*one.txt" as it is not the file that it was/,
    );
    await assert.rejects(Deno.stat(`${folder}/data/novels/train`), Deno.errors.NotFound);
    const list = JSON.parse(await Deno.readTextFile(`${folder}/list.json`));
    list.dataSets[0].files[0].sourceSha256 = hashOf(served["/repo/one.txt"]);
    await Deno.writeTextFile(`${folder}/list.json`, JSON.stringify(list));
    await assert.rejects(
      run("novels"),
      new RegExp(
        `Cannot make "train/Author_One_1800.txt" of ".*one.txt" as its bytes are others: expected SHA-256 ${
          hashOf("First novel\n")
        }, found ${hashOf("Another novel\n")} \\(14 bytes\\)`,
      ),
    );
    await assert.rejects(Deno.stat(`${folder}/data/novels/train`), Deno.errors.NotFound);
  }));

test("data --from takes files that are cleaned or not, compressed or not, wherever they lie", () =>
  withNovels(async ({ folder, requests, run }) => {
    const own = `${folder}/own`;
    await Deno.mkdir(`${own}/deep/er/.git`, { recursive: true });
    await Deno.writeTextFile(`${own}/deep/er/one.txt`, sources["/repo/one.txt"]);
    await Deno.writeFile(
      `${own}/Author_Two_1801.txt.gz`,
      gzipSync(cleaned["valid/Author_Two_1801.txt"].text),
    );
    // The right name with other bytes beside the right one.
    await Deno.writeTextFile(`${own}/deep/book.txt`, "not the book");
    await Deno.writeTextFile(`${own}/book.txt`, book);
    await Deno.writeTextFile(`${own}/notes.json`, "[]");
    const { code, text, notes } = await run("novels", "--from", own);
    assert.equal(code, 0, text);
    assert.deepEqual(notes, [`took 5 of 5 files from "${own}"`]);
    assert.deepEqual(requests, []);
    await assertNovels(folder, ["notes.json"]);
  }));

test("data --from takes one file, completes what is there, and says what it cannot take", () =>
  withNovels(async ({ folder, run }) => {
    const own = `${folder}/download (1)`;
    await Deno.writeTextFile(own, sources["/repo/two.txt"]);
    const first = await run("novels", "--from", own);
    assert.equal(first.code, 1);
    assert.match(first.text, /incomplete, 2 of 5 files verified/);
    await assert.rejects(run("novels", "--from", own), {
      name: "InputError",
      message:
        /Cannot take "novels" from ".*" as none of its 1 files has the bytes of one of the 4 that are missing: the first of these is "train\/Author_One_1800.txt", under the name "Author_One_1800.txt" or "one.txt"/,
    });
    await assert.rejects(run("novels", "--from", `${folder}/none`), /as there is no such file/);
    await assert.rejects(run("--from", own), {
      name: "UsageError",
      message:
        "Cannot read --from as it belongs to one data set: current names are none, allowed is one of novels",
    });
  }));
