import { join } from "node:path";
import { writeBackboneFolder } from "../../src/backbone/checkpoint/folder.ts";
import { assert } from "../testing.ts";
import { smallBackbone } from "../training/small_training.ts";
import {
  declaration,
  onlyRun,
  readJson,
  readLines,
  run,
  runFolders,
  runTest,
} from "./command_line_run.ts";

/** Files that do not do what their declaration needs. */
async function writeUnusableFiles(folder: string): Promise<void> {
  for (const split of ["other", "blank", "binary"]) await Deno.mkdir(join(folder, "corpus", split));
  await Deno.writeTextFile(join(folder, "corpus/other/readme.md"), "No document by its name.\n");
  await Deno.writeTextFile(join(folder, "corpus/blank/empty.txt"), " \n\n");
  await Deno.writeFile(join(folder, "corpus/binary/image.txt"), Uint8Array.of(0xff, 0xd8, 0xff));
  const backbone = smallBackbone(); // 13 tokens
  await writeBackboneFolder(join(folder, "small"), backbone);
  await writeBackboneFolder(join(folder, "truncated"), backbone);
  for await (const { name } of Deno.readDir(join(folder, "truncated"))) {
    if (!name.endsWith(".safetensors")) continue;
    const path = join(folder, "truncated", name);
    await Deno.truncate(path, (await Deno.stat(path)).size - 1000);
  }
}

/** What is recorded of each experiment of `unusable.ts`. */
const reasons: Readonly<Record<string, RegExp>> = {
  "no-corpus": /^Cannot run "no-corpus" as corpus.folder is missing: current value is "nowhere"/,
  "no-documents":
    /^Cannot open corpus as "corpus\/other" has no documents: names must match \*\.txt/,
  "no-such-split":
    /^Cannot run "no-such-split" as corpus.train is missing: current value is "corpus\/missing"/,
  "empty-document": /^Cannot read document "corpus\/blank\/empty.txt" as it is empty/,
  "foreign-document":
    /^Cannot read document "corpus\/binary\/image.txt" as its bytes must be UTF-8$/,
  "missing-backbone": /backbone\.path is missing: current value is "nowhere.pt"/,
  "truncated-backbone": /^Cannot read safetensors file "truncated\/.*" as it is truncated/,
  "foreign-backbone": /^Cannot read "corpus\/test\/test_0.txt" as a checkpoint as it is none of/,
  "small-backbone":
    /^Cannot use the backbone as its vocabulary must hold the tokenizer's 300 tokens: current size is 13$/,
};

runTest(
  "runs with unusable files fail one by one, each naming its file or field",
  async (folder) => {
    await writeUnusableFiles(folder);
    const { code, stderr } = await run(folder, declaration("unusable.ts"));
    assert.equal(code, 1, stderr);
    const errors = new Map<string, string>();
    for (const path of await runFolders(join(folder, "results"))) {
      const { experiment, state, error, metrics } = await readJson(path, "summary.json");
      assert.equal(state, "failed", experiment);
      assert.deepEqual(metrics, []);
      assert.ok(stderr.includes(error), `${experiment} is not on stderr`);
      errors.set(experiment, error);
    }
    assert.deepEqual([...errors.keys()].sort(), Object.keys(reasons).sort());
    for (const [name, reason] of Object.entries(reasons)) assert.match(errors.get(name)!, reason);
  },
);

runTest("a memory that is smaller than a segment is a wrong declaration", async (folder) => {
  const tiny = declaration("tiny.ts");
  const settings = ["--set", "memory.capacityTokens=12", "--set", "memory.retrievedTokens=4"];
  const { code, stderr } = await run(folder, tiny, ...settings);
  assert.equal(code, 2);
  assert.match(
    stderr,
    /memory\.capacityTokens must hold one update, of 16 tokens each: current value is 12, allowed are integers from 16/,
  );
  await assert.rejects(Deno.stat(join(folder, "results")), Deno.errors.NotFound);
});

runTest(
  "a loss that is no number fails the run and keeps the last good checkpoint",
  async (folder) => {
    const tiny = declaration("tiny.ts");
    const { code, stderr } = await run(folder, tiny, "--set", "adaptation.learningRate=1e30");
    assert.equal(code, 1);
    const path = await onlyRun(join(folder, "results"));
    const { state, error } = await readJson(path, "summary.json");
    assert.equal(state, "failed");
    assert.match(
      error,
      /^Cannot continue training as the loss of step 2 is NaN: the parameters keep their values after step 1$/,
    );
    assert.ok(stderr.includes(error));
    // The backbone is trained and stays so; of the adaptation there is the one good step.
    await Deno.stat(join(path, "checkpoint/backbone/weights.safetensors"));
    const checkpoint = await readJson(path, "checkpoint/backbone/step_000009/state.json");
    assert.equal(checkpoint.step, 9);
    const lines = await readLines(path, "metrics.jsonl");
    const adapted = lines.filter(({ phase }) => phase === "longmem");
    assert.deepEqual(adapted.map(({ step }) => step), [1]);
    // Once more, it fails likewise, without training the backbone again.
    const again = await run(
      folder,
      tiny,
      "--set",
      "adaptation.learningRate=1e30",
      "--retry-failed",
    );
    assert.equal(again.code, 1);
    assert.deepEqual((await readLines(path, "metrics.jsonl")).slice(0, 12), lines.slice(0, 12));
  },
);

runTest("a damaged checkpoint fails the run, naming the file", async (folder) => {
  const tiny = declaration("tiny.ts");
  await run(folder, tiny, "--set", "adaptation.learningRate=1e30"); // fails after the backbone
  const path = await onlyRun(join(folder, "results"));
  const finished = join(path, "checkpoint/backbone/weights.safetensors");
  await Deno.truncate(finished, 100);
  const { code } = await run(
    folder,
    tiny,
    "--set",
    "adaptation.learningRate=1e30",
    "--retry-failed",
  );
  assert.equal(code, 1);
  assert.match(
    (await readJson(path, "summary.json")).error,
    /^Cannot read safetensors file ".*checkpoint\/backbone\/weights.safetensors" as it is truncated/,
  );
  // Without it, the newest checkpoint of the training has all that is needed.
  await Deno.remove(finished);
  await run(folder, tiny, "--set", "adaptation.learningRate=1e30", "--retry-failed");
  assert.match((await readJson(path, "summary.json")).error, /the loss of step 2 is NaN/);
  const newest = join(path, "checkpoint/longmem/step_000001");
  await Deno.mkdir(newest, { recursive: true });
  await Deno.writeTextFile(join(newest, "state.json"), "{");
  await run(folder, tiny, "--set", "adaptation.learningRate=1e30", "--retry-failed");
  assert.match(
    (await readJson(path, "summary.json")).error,
    /^Cannot resume from ".*longmem\/step_000001\/state.json" as it is not JSON$/,
  );
});
