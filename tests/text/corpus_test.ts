import { isForeseen } from "../../src/errors.ts";
import { gzipSync } from "node:zlib";
import { findDocuments, openCorpus, readDocument } from "../../src/text/corpus.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, sharedPath, sharedTest, test } from "../testing.ts";

type Files = Readonly<Record<string, string | Uint8Array>>;

/** Runs a test in a temporary folder that holds the files; folders of their paths are made. */
function corpusTest(name: string, files: Files, fn: (folder: string) => Promise<void>): void {
  test(name, async () => {
    await withFolder(async (folder) => {
      for (const [path, content] of Object.entries(files)) {
        await Deno.mkdir(`${folder}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
        await Deno.writeFile(
          `${folder}/${path}`,
          typeof content === "string" ? new TextEncoder().encode(content) : content,
        );
      }
      await fn(folder);
    });
  });
}

const plainFiles = {
  "train/b.txt": "second\r\n",
  "train/B.txt": "capitals come first\n",
  "train/a.txt.gz": gzipSync("\ufefffirst \u00e9\n"),
  "train/index.json": "{}",
  "train/deeper.txt/c.txt": "in a subfolder",
  "trained.txt": "beside the folder",
  "valid/v.txt": "valid",
  "valid/vat.txt": "its name has no point after the v",
};

corpusTest(
  "openCorpus() reads a folder's documents in the order of their names",
  plainFiles,
  async (folder) => {
    const documents = await openCorpus(`${folder}/train`);
    assert.deepEqual(documents.map(({ name, text }) => [name, text]), [
      ["B", "capitals come first\n"],
      ["a", "first \u00e9\n"],
      ["b", "second\r\n"],
    ]);
    // sha256sum of "second\r\n".
    assert.equal(
      documents[2].sha256,
      "37b3eb22cd7722d9a009f7def5765a4f4caddbc7373ed999842bf84a55bcddd5",
    );
    assert.deepEqual(await openCorpus(`${folder}/train/`), documents);
  },
);

corpusTest(
  "findDocuments() takes files, folders and wildcards, each file once",
  plainFiles,
  async (folder) => {
    const names = async (...sources: string[]) =>
      (await findDocuments(sources.map((s) => `${folder}/${s}`))).map((f) => f.name);
    assert.deepEqual(await names("valid/v.txt", "train/b.txt", "train"), ["B", "a", "b", "v"]);
    // Matches the folder train and the file trained.txt.
    assert.deepEqual(await names("trai*"), ["B", "a", "b", "trained"]);
    assert.deepEqual(await names("train/?.txt"), ["B", "b"]);
    assert.deepEqual(await names("valid/v.t*"), ["v"]);
  },
);

corpusTest(
  "openCorpus() reads LaTeX source as it is, beside plain text",
  {
    "papers/b.tex": "\\section{One} % not a word is left out\n",
    "papers/a.tex.gz": gzipSync("$x^2$\n"),
    "papers/c.txt": "plain\n",
    "papers/figure.pdf.tex.png": "no document",
  },
  async (folder) => {
    const documents = await openCorpus(`${folder}/papers`);
    assert.deepEqual(documents.map(({ name, text }) => [name, text]), [
      ["a", "$x^2$\n"],
      ["b", "\\section{One} % not a word is left out\n"],
      ["c", "plain\n"],
    ]);
  },
);

sharedTest("openCorpus() reads a book in LaTeX", async () => {
  const documents = await openCorpus(sharedPath("data/latex/hott-book"));
  assert.equal(documents.length, 17);
  // In bytes; data/README.md counts the files so.
  const bytes = documents.map(({ text }) => new TextEncoder().encode(text).length);
  assert.equal(bytes.reduce((sum, length) => sum + length, 0), 1_606_573);
  assert.ok(documents.every(({ name }) => !name.includes(".")));
});

corpusTest("findDocuments() names what is missing", plainFiles, async (folder) => {
  const rejects = (source: string, name: string, message: RegExp) =>
    assert.rejects(findDocuments([`${folder}/${source}`]), { name, message });
  await rejects(
    "test",
    "NotFound",
    /^Cannot open corpus as ".*\/test" is missing: current folder is "/,
  );
  await rejects("nothing/x*", "NotFound", /".*\/nothing\/x\*" is missing/);
  await rejects(
    "train/z*",
    "NotFound",
    /".*\/z\*" has no documents: names must match \*\.txt, \*\.txt\.gz, \*\.tex, \*\.tex\.gz$/,
  );
  await rejects(
    "train/index.json",
    "NotFound",
    /index.json" is not a document: names must match \*\.txt/,
  );
  await rejects("tr*/b.txt", "RangeError", /wildcards may stand in the last part of a path only/);
});

corpusTest("findDocuments() matches wildcards in any number, at once", {
  [`${"a".repeat(200)}.txt`]: "x",
  "b.c.txt": "x",
  "\u{1f600}.txt": "x",
  "[a].txt": "x",
}, async (folder) => {
  const names = async (pattern: string) =>
    (await findDocuments([`${folder}/${pattern}`])).map(({ name }) => name);
  assert.equal((await names(`${"*a".repeat(60)}*`)).length, 1);
  await assert.rejects(names(`${"*a".repeat(60)}*b`), { name: "NotFound" });
  assert.deepEqual(await names("?.c.txt"), ["b.c"]);
  assert.deepEqual(await names("?.txt"), ["\u{1f600}"]);
  assert.deepEqual(await names("[a]*"), ["[a]"]);
  assert.deepEqual(await names("b**c.t?t*"), ["b.c"]);
  assert.equal((await names("*")).length, 4);
});

corpusTest(
  "findDocuments() rejects a folder without documents",
  { "empty/notes.md": "x" },
  async (folder) => {
    await assert.rejects(findDocuments([`${folder}/empty`]), {
      name: "NotFound",
      message:
        `Cannot open corpus as "${folder}/empty" has no documents: names must match *.txt, *.txt.gz, *.tex, *.tex.gz`,
    });
  },
);

corpusTest(
  "findDocuments() rejects two documents of one name",
  { "a.txt": "x", "b/a.txt": "y" },
  async (folder) => {
    await assert.rejects(findDocuments([`${folder}/a.txt`, `${folder}/b`]), {
      name: "RangeError",
      message:
        `Cannot open corpus as two documents have the name "a": current files are "${folder}/a.txt" and "${folder}/b/a.txt"`,
    });
  },
);

corpusTest("openCorpus() names a document that it cannot read", {
  "cut/x.txt.gz": gzipSync("a text that is long enough to be cut off somewhere").subarray(0, 25),
  "flipped/x.txt.gz": gzipSync("a text that is long enough").map((byte, i) =>
    i === 20 ? byte ^ 1 : byte
  ),
  "empty/x.txt": " \n\t\n",
  "nothing/x.txt": "",
  "latin1/x.txt": Uint8Array.of(0x63, 0x61, 0x66, 0xe9),
}, async (folder) => {
  const rejects = (source: string, name: string, message: RegExp) =>
    assert.rejects(openCorpus(`${folder}/${source}`), { name, message });
  await rejects(
    "cut",
    "TypeError",
    /cut\/x\.txt\.gz" as its gzip data is cut off or damaged: unexpected end of file$/,
  );
  await rejects(
    "flipped",
    "TypeError",
    /flipped\/x\.txt\.gz" as its gzip data is cut off or damaged: /,
  );
  await assert.rejects(readDocument({ name: "x", path: `${folder}/nowhere.txt` }), {
    name: "NotFound",
    message:
      /^Cannot read document ".*\/nowhere\.txt" as there is no such file: current folder is "/,
  });
  await rejects("empty", "RangeError", /empty\/x\.txt" as it is empty: current length is 4$/);
  await rejects("nothing", "RangeError", /nothing\/x\.txt" as it is empty: current length is 0$/);
  await rejects("latin1", "TypeError", /latin1\/x\.txt" as its bytes must be UTF-8$/);
});

corpusTest(
  "Corpora refuse pipes, devices, circles of links and linked folders, naming each, and never wait",
  {
    "real/x.txt": "text",
  },
  async (folder) => {
    const cases: [name: string, make: (path: string) => Promise<unknown>, reason: RegExp][] = [
      [
        "fifo",
        (path) => new Deno.Command("mkfifo", { args: [path] }).output(),
        /not a regular file: it is a named pipe$/,
      ],
      ["device", (path) => Deno.symlink("/dev/zero", path), /not a regular file: it is a device$/],
      ["circle", (path) => Deno.symlink("x.txt", path), /its symbolic links form a circle$/],
      ["linked", (path) => Deno.symlink(`${folder}/real`, path), /it is a folder$/],
      ["broken", (path) => Deno.symlink("nowhere", path), /there is no such file/],
    ];
    for (const [name, make, reason] of cases) {
      const path = `${folder}/${name}/x.txt`;
      await Deno.mkdir(`${folder}/${name}`);
      await make(path);
      await assert.rejects(openCorpus(`${folder}/${name}`), (error: Error) => {
        assert.ok(error.message.includes(`"${path}"`), error.message);
        assert.match(error.message, reason);
        return isForeseen(error);
      });
    }
    // The folder itself, a part of its path, and wildcards.
    await Deno.symlink("self", `${folder}/self`);
    for (const source of ["self", "self/*.txt", "real/x.txt/y.txt"]) {
      await assert.rejects(openCorpus(`${folder}/${source}`), (error: Error) => {
        assert.ok(error.message.includes(`"${folder}/`), error.message);
        return isForeseen(error);
      });
    }
    await Deno.symlink(`${folder}/real/x.txt`, `${folder}/real/y.txt`);
    assert.equal((await openCorpus(`${folder}/real`)).length, 2);
  },
);

sharedTest("openCorpus() reads the novels with the hashes of their index", async () => {
  const index: { id: string; split: string; sha256: string; words: number }[] = JSON.parse(
    await Deno.readTextFile(sharedPath("data/novels/index.json")),
  );
  const expected = index.filter((entry) => entry.split === "valid").map(({ id, sha256 }) => ({
    id,
    sha256,
  }));
  const documents = await openCorpus(sharedPath("data/novels/valid"));
  assert.deepEqual(
    documents.map(({ name, sha256 }) => ({ id: name, sha256 })),
    expected.sort((a, b) => a.id < b.id ? -1 : 1),
  );
});
