import { join } from "node:path";
import { assert, assertClose, test } from "../testing.ts";
import {
  killAfter,
  onlyRun,
  readJson,
  run,
  runTest,
  signalAfterLines,
} from "./command_line_run.ts";
import { expectedResults, resultsOf, tiny } from "./tiny_results.ts";

test("an uninterrupted run records every step, item and metric", async () => {
  const { metrics, files, hashes } = await expectedResults();
  const steps = metrics.map((line) => JSON.parse(line)).map(({ phase, split, step }) =>
    `${phase} ${split} ${step}`
  );
  const each = [1, 2, 3].flatMap((third) => [
    ...[3 * third - 2, 3 * third - 1, 3 * third].map((step) => `train ${step}`),
    `valid ${3 * third}`,
  ]);
  assert.deepEqual(
    steps,
    ["backbone", "longmem", "sidenet-without-memory"].flatMap((phase) =>
      each.map((rest) => `${phase} ${rest}`)
    ),
  );
  const summary = JSON.parse(files["summary.json"]);
  assert.equal(summary.state, "completed");
  const models = new Map<string, number>();
  for (const { model, name, value } of summary.metrics) {
    if (name === "perplexity") models.set(model, value);
  }
  assert.equal(models.size, 6);
  assert.equal(new Set(models.values()).size, 6, "six models are six different models");
  const gains = summary.metrics.filter(({ name }: { name: string }) =>
    name === "gain over backbone"
  );
  assert.deepEqual(gains.map(({ model }: { model: string }) => model), [...models.keys()].slice(1));
  for (const { model, value } of gains) {
    const expected = Math.log(models.get("backbone")! / models.get(model)!);
    assertClose([value], [expected], { tolerance: 1e-9, name: model });
  }
  const samples = files["samples/perplexity-test.jsonl"].trim().split("\n");
  assert.equal(samples.length, 6 * 3);
  assert.deepEqual(Object.keys(hashes).sort(), [
    "SideNet longmem",
    "SideNet sidenet-without-memory",
    "backbone",
    "corpus test",
    "corpus train",
    "corpus valid",
    "tokenizer",
  ]);
});

runTest("a run that is killed again and again comes to the same results", async (folder) => {
  const below = (count: number) => Math.floor(count * Math.random());
  const moments = [
    { heldAfterLines: 2 + below(4) }, // the backbone's first checkpoint
    { heldAfterLines: 7 + below(5) },
    { heldAfterLines: 14 + below(10) }, // with memory
    { heldAfterLines: 26 + below(7) },
    { heldAfterModels: 2 }, // evaluating
  ];
  for (const moment of moments) await killAfter(moment, 12 * Math.random(), folder, [tiny]);
  const { code, stderr } = await run(folder, tiny);
  assert.equal(code, 0, stderr);
  assert.deepEqual(await resultsOf(folder), await expectedResults());
});

runTest(
  "a run that is interrupted saves the step it is at, and goes on from there",
  async (folder) => {
    const { code, stdout } = await signalAfterLines(2, "SIGINT", folder, [tiny]);
    assert.equal(code, 130, stdout);
    const path = await onlyRun(join(folder, "results"));
    assert.equal((await readJson(path, "summary.json")).state, "interrupted");
    const before = await Deno.readTextFile(join(path, "metrics.jsonl"));
    const { phase, step } = JSON.parse(before.trim().split("\n").at(-1)!);
    const checkpoint = `step_${String(step).padStart(6, "0")}`;
    const state = await readJson(path, "checkpoint", phase, checkpoint, "state.json");
    assert.equal(state.step, step);

    const resumed = await run(folder, tiny);
    assert.equal(resumed.code, 0, resumed.stderr);
    // Nothing that was recorded is computed again: the lines are the same, times included.
    const after = await Deno.readTextFile(join(path, "metrics.jsonl"));
    assert.ok(after.startsWith(before));
    assert.deepEqual(await resultsOf(folder), await expectedResults());
  },
);

runTest("a run does not go on with a corpus that has changed, unless --fresh", async (folder) => {
  const { code } = await signalAfterLines(14, "SIGKILL", folder, [tiny]);
  assert.notEqual(code, 0);
  const path = await onlyRun(join(folder, "results"));
  await Deno.writeTextFile(join(folder, "corpus/train/train_1.txt"), "zebras ".repeat(400));
  const changed = await run(folder, tiny);
  assert.equal(changed.code, 1);
  assert.match(
    (await readJson(path, "summary.json")).error,
    /^Cannot resume run ".*" as corpus train has changed since: .*; --fresh starts the run again$/,
  );
  const { hashes } = await readJson(path, "environment.json");
  const fresh = await run(folder, tiny, "--fresh");
  assert.equal(fresh.code, 0, fresh.stderr);
  const anew = (await readJson(path, "environment.json")).hashes;
  for (const name of ["corpus train", "backbone"]) assert.notEqual(anew[name], hashes[name], name);
  assert.match(await Deno.readTextFile(join(path, "tokenizer.json")), /zebras/);
});
