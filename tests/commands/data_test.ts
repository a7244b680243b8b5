import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { dataCommand } from "../../src/commands/data.ts";
import { commandFor, readDataSets } from "../../src/data/data_set.ts";
import { dataSetSources } from "../../src/data/data_sets.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { execute, recordedOutput } from "./recorded_output.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** Two files of a data set "letters"; the second can be fetched. */
async function writeList(path: string, url: string): Promise<void> {
  const files = [
    { path: "test/a.txt", sha256: sha256("alpha") },
    { path: "b.txt", sha256: sha256("beta"), url },
  ];
  const dataSet = {
    name: "letters",
    what: "two letters",
    licence: "none",
    origin: "written by hand",
    field: "corpus.folder",
    files,
  };
  await Deno.writeTextFile(path, JSON.stringify({ dataSets: [dataSet] }));
}

/** A command over a list and two folders, and a server that answers with a text. */
async function withLetters(
  body: string,
  use: (letters: {
    folder: string;
    run: (...args: string[]) => Promise<{ code: number; text: string }>;
    requests: string[];
  }) => Promise<void>,
): Promise<void> {
  const requests: string[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      requests.push(new URL(request.url).pathname);
      return body === "" ? new Response("no", { status: 404 }) : new Response(body);
    },
  );
  try {
    await withFolder(async (folder) => {
      await writeList(`${folder}/list.json`, `http://127.0.0.1:${server.addr.port}/b.txt`);
      const run = async (...args: string[]) => {
        const output = recordedOutput();
        const places = {
          list: `${folder}/list.json`,
          folders: [`${folder}/data`, `${folder}/shared`],
        };
        const code = await execute(dataCommand(output, places), ...args);
        return { code, text: output.printed.join("\n") };
      };
      await use({ folder, run, requests });
    });
  } finally {
    await server.shutdown();
  }
}

test("data lists what is missing, how to get it, and fetches nothing unasked", async () => {
  await withLetters("beta", async ({ run, requests }) => {
    const { code, text } = await run();
    assert.equal(code, 0);
    assert.match(text, /^letters: missing$/m);
    assert.match(text, /origin: written by hand\n.*\n {2}to get it: deno task data letters$/);
    assert.deepEqual(requests, []);
  });
});

test("data NAME fetches what it can, verifies it, and says what is left", async () => {
  await withLetters("beta", async ({ folder, run, requests }) => {
    const first = await run("letters");
    assert.equal(first.code, 1);
    assert.deepEqual(requests, ["/b.txt"]);
    assert.equal(await Deno.readTextFile(`${folder}/data/letters/b.txt`), "beta");
    assert.match(first.text, /^letters: incomplete, 1 of 2 files verified$/m);
    assert.match(first.text, /missing: test\/a.txt/);

    await Deno.mkdir(`${folder}/data/letters/test`);
    await Deno.writeFile(`${folder}/data/letters/test/a.txt.gz`, gzipSync("alpha"));
    const second = await run("letters");
    assert.equal(second.code, 0);
    assert.match(second.text, /^letters: complete, 2 files verified$/m);
    assert.ok(second.text.includes(`--set corpus.folder=${folder}/data/letters`));
    assert.deepEqual(requests, ["/b.txt"], "what is there is not fetched again");
  });
});

test("data takes a data set from the second folder", async () => {
  await withLetters("beta", async ({ folder, run, requests }) => {
    await Deno.mkdir(`${folder}/shared/letters/test`, { recursive: true });
    await Deno.writeTextFile(`${folder}/shared/letters/test/a.txt`, "alpha");
    await Deno.writeTextFile(`${folder}/shared/letters/b.txt`, "beta");
    const { code, text } = await run("letters");
    assert.equal(code, 0);
    assert.ok(text.includes(`folder: ${folder}/shared/letters`));
    assert.deepEqual(requests, []);
  });
});

test("data finds files with other bytes, also compressed and cut off", async () => {
  await withLetters("beta", async ({ folder, run }) => {
    await Deno.mkdir(`${folder}/data/letters/test`, { recursive: true });
    await Deno.writeTextFile(`${folder}/data/letters/b.txt`, "Beta");
    await Deno.writeFile(
      `${folder}/data/letters/test/a.txt.gz`,
      gzipSync("alpha").subarray(0, 12),
    );
    const { code, text } = await run();
    assert.equal(code, 1);
    assert.match(text, /other bytes than expected: test\/a.txt/);
    assert.match(text, /other bytes than expected: b.txt/);
  });
});

test("data keeps nothing that is not the file it should be", async () => {
  await withLetters("betas", async ({ folder, run }) => {
    await assert.rejects(run("letters"), {
      name: "InputError",
      message: new RegExp(
        `b.txt" as it is not the file that it was: expected SHA-256 ${sha256("beta")}, found ${
          sha256("betas")
        }`,
      ),
    });
    await assert.rejects(Deno.stat(`${folder}/data/letters/b.txt`), Deno.errors.NotFound);
  });
});

test("data tells that a server refuses, or is not there", async () => {
  await withLetters("", async ({ folder, run }) => {
    await assert.rejects(run("letters"), /Cannot fetch ".*b.txt" as .*: its status is 404/);
    const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = closed.addr;
    closed.close();
    await writeList(`${folder}/list.json`, `http://127.0.0.1:${port}/b.txt`);
    await assert.rejects(
      run("letters"),
      /Cannot fetch ".*" as its server cannot be reached: .*refused/,
    );
  });
});

test("data names a data set that is unknown, and a list that is none", async () => {
  await withLetters("", async ({ folder, run }) => {
    await assert.rejects(run("leters"), {
      name: "UsageError",
      message:
        'Cannot fetch data set "leters" as it is unknown: allowed are letters (did you mean "letters"?)',
    });
    await Deno.writeTextFile(`${folder}/list.json`, '{"dataSets": [{"name": "No"}]}');
    await assert.rejects(run(), /Cannot read data sets from ".*" as dataSets.0.name is not/);
  });
});

test("data says of a file whose bytes are not known that it is there, and no more", async () => {
  await withLetters("", async ({ folder, run, requests }) => {
    const dataSet = {
      name: "letters",
      what: "two letters",
      licence: "none",
      origin: "to be asked for",
      files: [{ path: "model/a.pt" }, { path: "b.txt", sha256: sha256("beta") }],
    };
    await Deno.writeTextFile(`${folder}/list.json`, JSON.stringify({ dataSets: [dataSet] }));
    await Deno.mkdir(`${folder}/data/letters/model`, { recursive: true });
    await Deno.writeTextFile(`${folder}/data/letters/b.txt`, "beta");
    const without = await run("letters");
    assert.equal(without.code, 1);
    assert.match(without.text, /^letters: incomplete, 1 of 2 files verified$/m);
    assert.match(
      without.text,
      /missing: model\/a.pt\n {2}to get it: deno task data letters --from PATH, of files from its origin/,
    );
    assert.match(without.text, /folder: .*letters$/m);

    await Deno.writeTextFile(`${folder}/data/letters/model/a.pt`, "anything");
    const { code, text } = await run("letters");
    assert.equal(code, 0);
    assert.match(
      text,
      /^letters: complete, 1 file verified, 1 there whose bytes are not known$/m,
    );
    assert.deepEqual(requests, []);

    const [{ path }] = dataSet.files;
    const fetched = { ...dataSet, files: [{ path, url: "http://127.0.0.1/a.pt" }] };
    await Deno.writeTextFile(`${folder}/list.json`, JSON.stringify({ dataSets: [fetched] }));
    await assert.rejects(
      run(),
      /dataSets.0.files.0 is not allowed: .* must have a sha256 or a gitHash/,
    );
  });
});

test("a missing path of a declaration is given the command of its data set, and the option where it lies elsewhere", async () => {
  const dataSets = await readDataSets(repositoryPath("data/datasets.json"));
  const command = (path: string) => commandFor({ field: "corpus.folder", path }, dataSets)?.command;
  assert.equal(command("data/novels"), "deno task data novels");
  assert.equal(command("data/icl/mr"), "deno task data icl");
  assert.equal(
    command("../shared/data/novels"),
    "deno task data novels, then --set corpus.folder=data/novels",
  );
  assert.equal(
    command("/own/data/latex/hott-book"),
    "deno task data latex, then --set corpus.folder=data/latex/hott-book",
  );
  assert.equal(command("novels"), undefined);
});

test("readDataSets() refuses a path that leads out of the folder", async () => {
  await withFolder(async (folder) => {
    for (const path of ["../a.txt", "/a.txt", "a/../../b.txt"]) {
      const files = [{ path, sha256: sha256("") }];
      const dataSet = { name: "x", what: "", licence: "", origin: "", field: "", files };
      await Deno.writeTextFile(`${folder}/list.json`, JSON.stringify({ dataSets: [dataSet] }));
      await assert.rejects(readDataSets(`${folder}/list.json`), /dataSets.0.files.0.path/);
    }
  });
});

test("data/datasets.json lists data sets whose files git ignores", async () => {
  const ignored = await Deno.readTextFile(repositoryPath(".gitignore"));
  const dataSets = await readDataSets(repositoryPath("data/datasets.json"));
  assert.equal(new Set(dataSets.map(({ name }) => name)).size, dataSets.length);
  for (const { name } of dataSets) {
    assert.match(ignored, new RegExp(`^/data/${name}/$`, "m"));
  }
  for (const name of Object.keys(dataSetSources)) {
    assert.ok(dataSets.some((dataSet) => dataSet.name === name), `${name} is not listed`);
  }
  for (const { url } of dataSets.flatMap(({ files }) => files)) {
    // A commit, so that the bytes at an address stay the same.
    if (url !== undefined) assert.match(url, /\/[0-9a-f]{40}\//);
  }
});
