import { join } from "node:path";
import { compressCommand } from "../../src/commands/compress.ts";
import { FileLock } from "../../src/lock.ts";
import { restoreRecords } from "../../src/results/compressed_records.ts";
import { readRunRecord } from "../../src/results/read_runs.ts";
import { RunFolder } from "../../src/results/run_folder.ts";
import { run } from "../results/run_records.ts";
import { smallEnvironment } from "../results/small_environment.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { execute, recordedOutput } from "./recorded_output.ts";

/** Files of a run by their names. */
const files: Readonly<Record<string, string>> = {
  "metrics.jsonl": [1, 2].map((step) =>
    `${JSON.stringify({ phase: "longmem", step, split: "train", tokens: 64 * step, loss: 3 })}\n`
  ).join(""),
  "samples/perplexity-test.jsonl": ["a", "b"].map((item) =>
    `${JSON.stringify({ model: "backbone", item, nats: 6, tokens: 2 })}\n`
  ).join(""),
};

/** Writes a run of a state. */
async function writeRun(results: string, name: string, state: "completed" | "interrupted") {
  const path = join(results, "small", name);
  const { summary } = run({ summary: { experiment: "small", run: name, state } });
  await Deno.mkdir(join(path, "samples"), { recursive: true });
  await Deno.writeTextFile(join(path, "summary.json"), JSON.stringify(summary));
  for (const [file, text] of Object.entries(files)) {
    await Deno.writeTextFile(join(path, file), text);
  }
  return path;
}

/** Names of the files of lines in a run's folder, in order. */
async function lineFiles(path: string): Promise<string[]> {
  const names: string[] = [];
  for (const folder of ["", "samples/"]) {
    for await (const { name } of Deno.readDir(join(path, folder))) {
      if (/\.jsonl/.test(name)) names.push(folder + name);
    }
  }
  return names.sort();
}

const plainNames = Object.keys(files);
const compressedNames = plainNames.map((name) => `${name}.gz`);

async function compress(path: string) {
  const said = recordedOutput();
  return { code: await execute(compressCommand(said), path), ...said };
}

test("compress leaves a run readable with the same records, and restoring gives the same bytes", () =>
  withFolder(async (results) => {
    const path = await writeRun(results, "r1", "completed");
    const before = await readRunRecord(path);
    assert.equal(before.samples.get("perplexity-test")!.length, 2);
    const { code, printed } = await compress(results);
    assert.equal(code, 0);
    assert.match(printed.join("\n"), /small\/r1: \d+ bytes compressed to \d+$/);
    assert.deepEqual(await lineFiles(path), compressedNames);
    assert.deepEqual(await readRunRecord(path), before);
    assert.match((await compress(path)).printed[0], /r1: nothing to compress$/);
    await restoreRecords(path);
    assert.deepEqual(await lineFiles(path), plainNames);
    for (const [name, text] of Object.entries(files)) {
      assert.equal(await Deno.readTextFile(join(path, name)), text);
    }
  }));

test("compress refuses runs that are not completed, or that a process executes", () =>
  withFolder(async (results) => {
    const stopped = await writeRun(results, "r1", "interrupted");
    const held = await writeRun(results, "r2", "completed");
    const locked = await FileLock.take(join(held, "lock"));
    assert.ok("lock" in locked);
    using _lock = locked.lock;
    const { code, printed } = await compress(results);
    assert.equal(code, 0);
    assert.match(printed[0], /r1: left as it is interrupted: only completed runs are compressed$/);
    assert.match(printed[1], new RegExp(`r2: left to process ${Deno.pid} .*which executes it$`));
    for (const path of [stopped, held]) assert.deepEqual(await lineFiles(path), plainNames);
  }));

test("compress names a folder without runs, and a damaged run without hiding the others", () =>
  withFolder(async (results) => {
    await assert.rejects(compress(join(results, "none")), /none" as no run is in there$/);
    await assert.rejects(execute(compressCommand(recordedOutput())), /no results folder is named/);
    const damaged = await writeRun(results, "r1", "completed");
    await Deno.writeTextFile(join(damaged, "summary.json"), "{");
    const path = await writeRun(results, "r2", "completed");
    const { code, notes } = await compress(results);
    assert.equal(code, 1);
    assert.match(notes.join("\n"), /r1: Cannot read ".*summary.json" as it is not JSON/);
    assert.deepEqual(await lineFiles(path), compressedNames);
  }));

test("a run whose compression was killed is read from its plain files, and compressed by the next", () =>
  withFolder(async (results) => {
    const path = await writeRun(results, "r1", "completed");
    const before = await readRunRecord(path);
    // A whole copy whose plain file is still there, and one that was cut off.
    await Deno.writeTextFile(join(path, "metrics.jsonl.gz"), "damaged");
    await Deno.writeTextFile(join(path, "samples", "x.jsonl.gz.12-0123abcd.part"), "cut");
    assert.deepEqual(await readRunRecord(path), before);
    await compress(results);
    assert.deepEqual(await lineFiles(path), compressedNames);
    assert.deepEqual(await readRunRecord(path), before);
  }));

test("damaged compressed lines are reported with the file and the remedy", () =>
  withFolder(async (results) => {
    const path = await writeRun(results, "r1", "completed");
    await compress(results);
    const file = join(path, "samples", "perplexity-test.jsonl.gz");
    const bytes = await Deno.readFile(file);
    await Deno.writeFile(file, bytes.subarray(0, -9));
    await assert.rejects(readRunRecord(path), (error: Error) => {
      const reason = `Cannot read "${file}" as its gzip data is cut off or damaged`;
      assert.ok(error.message.startsWith(reason), error.message);
      assert.match(error.message, /; without the folder ".*r1", running the experiment repeats/);
      return true;
    });
  }));

test("a run that is opened to be executed again has plain lines again; a fresh one has none", () =>
  withFolder(async (results) => {
    const path = await writeRun(results, "r1", "completed");
    const identity = { experiment: "small", run: "r1", scale: "scaled-down" as const };
    const environment = { ...smallEnvironment, declarationFile: "small.ts" };
    const open = (fresh: boolean) =>
      RunFolder.open({ results, identity, declaration: {}, environment, fresh });
    await compress(results);
    const folder = await open(false);
    assert.deepEqual(await lineFiles(path), plainNames);
    assert.equal((await folder.readMetrics()).length, 2);
    await folder.appendSamples("perplexity-test", "longmem", [{ item: "a", nats: 1 }]);
    const models = (await folder.readSamples("perplexity-test")).map(({ model }) => model);
    assert.deepEqual(models, ["backbone", "backbone", "longmem"]);
    await folder.setState("completed");
    await compress(results);
    const fresh = await open(true);
    assert.deepEqual(await fresh.readMetrics(), []);
    assert.deepEqual(await fresh.readSamples("perplexity-test"), []);
  }));
