import { FileLock } from "../../src/lock.ts";
import type { RunState } from "../../src/results/records.ts";
import {
  findRunRecords,
  findRuns,
  readOfEach,
  readRunRecord,
  replicationKey,
} from "../../src/results/read_runs.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { run } from "./run_records.ts";
import { smallEnvironment } from "./small_environment.ts";

const environment = { ...smallEnvironment, declarationFile: "a.ts", hashes: {}, earlier: [] };

/** Two lines of a training. */
const steps = [1, 2].map((step) =>
  `${JSON.stringify({ phase: "longmem", step, split: "train", tokens: 64 * step, loss: 3 })}\n`
).join("");

test("findRunRecords() finds every run below folders, in order, once, with all it holds", async () => {
  const results = await Deno.makeTempDir();
  try {
    for (const [experiment, name] of [["b", "1"], ["a", "2"], ["a", "1"]]) {
      const folder = `${results}/${experiment}/${name}`;
      await Deno.mkdir(`${folder}/samples`, { recursive: true });
      const { summary } = run({ summary: { experiment, run: name } });
      await Deno.writeTextFile(`${folder}/summary.json`, JSON.stringify(summary));
      await Deno.writeTextFile(`${folder}/experiment.json`, `{"seed": ${name}}`);
      await Deno.writeTextFile(`${folder}/samples/perplexity-test.jsonl`, '{"item":"x"}\n');
      await Deno.writeTextFile(`${folder}/metrics.jsonl`, steps);
    }
    await Deno.mkdir(`${results}/empty`);
    await Deno.writeTextFile(`${results}/a/2/environment.json`, JSON.stringify(environment));
    const { records, damaged } = await findRunRecords([results, `${results}/a`], readRunRecord);
    const paths = records.map(({ path }) => path.slice(results.length));
    assert.deepEqual(paths, ["/a/1", "/a/2", "/b/1"]);
    assert.deepEqual(damaged, []);
    const [{ declaration, samples, training, environment: missing }] = records;
    assert.deepEqual(declaration, { seed: 1 });
    assert.deepEqual([...samples], [["perplexity-test", [{ item: "x" }]]]);
    assert.equal(training.length, 2);
    assert.equal(missing, undefined);
    assert.deepEqual(records[1].environment, environment);
  } finally {
    await Deno.remove(results, { recursive: true });
  }
});

test("findRunRecords() leaves out a run that is damaged, and says which file and what to do", async () => {
  const results = await Deno.makeTempDir();
  const folder = `${results}/a/1`;
  const files: Record<string, string> = {
    "summary.json": JSON.stringify(run({ summary: { experiment: "a", run: "1" } }).summary),
    "experiment.json": '{"seed": 1}',
    "environment.json": JSON.stringify(environment),
    "samples/perplexity-test.jsonl": '{"item":"x"}\n{"item":"y"}\n',
    "metrics.jsonl": steps,
  };
  const write = async (changed: Record<string, string>) => {
    for (const [name, text] of Object.entries({ ...files, ...changed })) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    await Deno.writeTextFile(`${results}/a/2/summary.json`, files["summary.json"]);
    const { records, damaged } = await findRunRecords([results], readRunRecord);
    assert.deepEqual(
      [...records, ...damaged].map(({ path }) => path).sort(),
      [folder, `${results}/a/2`],
      "each is read or damaged",
    );
    return damaged.map(({ path, reason }) => `${path === folder}: ${reason}`);
  };
  try {
    await Deno.mkdir(`${folder}/samples`, { recursive: true });
    await Deno.mkdir(`${results}/a/2`);
    const anew = `without the folder "${folder}", running the experiment repeats the run`;
    for (const [name, text] of Object.entries(files)) {
      const [reason, ...others] = await write({ [name]: text.slice(0, -3) });
      assert.deepEqual(others, []);
      const remedy = name === "summary.json"
        ? "without the file, running the experiment again evaluates the trained models again"
        : anew;
      const line = name.endsWith(".jsonl") ? "line 2 of " : "";
      const cut = `Cannot read ${line}"${folder}/${name}" as it is not JSON: it begins with `;
      assert.ok(reason.startsWith(`true: ${cut}`), reason);
      assert.ok(reason.endsWith(`; ${remedy}`), reason);
    }
    assert.match((await write({ "experiment.json": "[]" }))[0], /json" as it is not a JSON object/);
    assert.match(
      (await write({ "summary.json": "{}" }))[0],
      /as state must be .*: it is missing; without the file/,
    );
    // Of a run that goes on, the last line of its metrics may be on its way.
    const running = files["summary.json"].replace('"completed"', '"running"');
    const cut = files["metrics.jsonl"].slice(0, -3);
    assert.deepEqual(await write({ "summary.json": running, "metrics.jsonl": cut }), []);
  } finally {
    await Deno.remove(results, { recursive: true });
  }
});

test("findRuns() lists the links to folders, which it does not follow", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/results/a/run`, { recursive: true });
    await Deno.writeTextFile(`${folder}/results/a/run/summary.json`, "{}");
    await Deno.symlink(`${folder}/results/a`, `${folder}/results/b`);
    await Deno.symlink(`${folder}/results`, `${folder}/results/a/circle`);
    await Deno.symlink(`${folder}/results/a/run/summary.json`, `${folder}/results/file`);
    await Deno.symlink("nowhere", `${folder}/results/broken`);
    const { paths, links } = await findRuns(`${folder}/results`);
    assert.deepEqual(paths, [`${folder}/results/a/run`]);
    assert.deepEqual(links, [`${folder}/results/a/circle`, `${folder}/results/b`]);
    // A folder that is named may itself be a link.
    assert.deepEqual((await findRuns(`${folder}/results/b`)).paths, [`${folder}/results/b/run`]);
  }));

test("findRuns() passes over a folder that is removed meanwhile", () =>
  withFolder(async (folder) => {
    const names = ["a", "b", "c"];
    for (const name of names) {
      await Deno.mkdir(`${folder}/${name}/run`, { recursive: true });
      await Deno.writeTextFile(`${folder}/${name}/run/summary.json`, "{}");
    }
    const { readDir } = Deno;
    try {
      Deno.readDir = (path) => {
        if (String(path).endsWith("/b")) Deno.removeSync(path, { recursive: true });
        return readDir(path);
      };
      const { paths } = await findRuns(folder);
      assert.deepEqual(paths, [`${folder}/a/run`, `${folder}/c/run`]);
      await assert.rejects(findRuns(`${folder}/b`), Deno.errors.NotFound);
    } finally {
      Deno.readDir = readDir;
    }
  }));

test("readOfEach() reads all, in order, and few at once", async () => {
  let now = 0, most = 0;
  const read = await readOfEach(Array.from({ length: 100 }, (_, i) => i), async (i) => {
    most = Math.max(most, ++now);
    await new Promise((done) => setTimeout(done, i % 3));
    now--;
    return -i;
  });
  assert.deepEqual(read, Array.from({ length: 100 }, (_, i) => -i));
  assert.ok(most > 1 && most <= 4, `${most} at once`);
});

test("readRunRecord() names the pages of inspections in the folder", () =>
  withFolder(async (folder) => {
    const { summary } = run();
    await Deno.writeTextFile(`${folder}/summary.json`, JSON.stringify({ ...summary, metrics: [] }));
    assert.equal((await readRunRecord(folder)).inspections, undefined);
    for (const name of ["b.memory.html", "a book.memory.html", "report.html"]) {
      await Deno.writeTextFile(`${folder}/${name}`, "");
    }
    const { inspections } = await readRunRecord(folder);
    assert.deepEqual(inspections, ["a book.memory.html", "b.memory.html"]);
  }));

test("readRunRecord() says of a run that is running without a process that it was stopped", () =>
  withFolder(async (folder) => {
    const state = async (state: RunState) => {
      const { summary } = run({ summary: { state } });
      await Deno.writeTextFile(`${folder}/summary.json`, JSON.stringify(summary));
      return (await readRunRecord(folder)).summary.state;
    };
    assert.equal(await state("running"), "stopped", "copied without its lock");
    const taken = await FileLock.take(`${folder}/lock`);
    assert.ok("lock" in taken);
    assert.equal(await state("running"), "running");
    taken.lock[Symbol.dispose]();
    assert.equal(await state("running"), "stopped");
    for (const other of ["planned", "completed", "failed", "interrupted"] as const) {
      assert.equal(await state(other), other);
    }
    const again = await FileLock.take(`${folder}/lock`);
    assert.ok("lock" in again, "whoever reads keeps no lock");
    again.lock[Symbol.dispose]();
  }));

test("replicationKey() is the same for other seeds and labels, and for nothing else", () => {
  const declaration = {
    name: "a",
    seed: 1,
    corpus: { kind: "chronicle", seed: 1, drills: 3 },
    backbone: { training: { steps: 10, checkpointEverySteps: 5 } },
  };
  const key = (change: object) =>
    replicationKey(run({ declaration: { ...declaration, ...change } }));
  const { corpus, backbone: { training } } = declaration;
  assert.equal(key({ seed: 2, corpus: { ...corpus, seed: 2 } }), key({}));
  assert.equal(key({ corpus: { drills: 3, seed: 1, kind: "chronicle" } }), key({}));
  assert.equal(key({ question: "Why?", device: "wasm", scale: "paper" }), key({}));
  assert.equal(key({ backbone: { training: { ...training, checkpointEverySteps: 7 } } }), key({}));
  assert.notEqual(key({ backbone: { training: { ...training, steps: 11 } } }), key({}));
  assert.notEqual(key({ corpus: { ...corpus, drills: 4 } }), key({}));
  const limited = run({ declaration, summary: { limit: 2 } });
  assert.notEqual(replicationKey(limited), key({}));
  const inFolder = (folder: string, moved = {}) =>
    key({ corpus: { kind: "files", folder }, moved });
  assert.equal(inFolder("new", { new: "old" }), inFolder("old"));
  assert.notEqual(inFolder("new", { old: "new" }), inFolder("old"));
});
