import { join } from "node:path";
import { curvesOf, type Point, readFiles } from "../results/tensorboard_reader.ts";
import { assert } from "../testing.ts";
import {
  onlyRun,
  outcomeOf,
  readLines,
  run,
  runTest,
  signalAfterLines,
  spawnRun,
  waitForLines,
} from "./command_line_run.ts";
import { expectedResults, resultsOf, tiny } from "./tiny_results.ts";

/** The numbers of a line of `metrics.jsonl`, by the tags of their curves. */
// deno-lint-ignore no-explicit-any -- what is read is what the assertions are about
function numbersOf({ split, diagnostics = {}, timing = {}, ...line }: any): [string, number][] {
  const { gates = [], updateToWeightOfLayers = {}, ...others } = diagnostics;
  const { phase: _phase, step: _step, ...numbers } = line;
  const { elapsedMs: _elapsed, ...speed } = timing;
  const tagged = (folder: string, of: Record<string, number>) =>
    Object.entries(of).map(([name, value]): [string, number] => [`${folder}/${name}`, value]);
  return [
    ...tagged(split, { ...numbers, ...speed }),
    ...tagged("diagnostics", others),
    ...tagged("gates", gates),
    ...tagged("updateToWeightOfLayers", updateToWeightOfLayers),
  ];
}

runTest(
  "run --tensorboard writes the curves of metrics.jsonl, also of a run that resumes, and results are as without",
  async (folder) => {
    const args = [tiny, "--set", "adaptation.diagnoseEverySteps=4", "--tensorboard", "board"];
    // Between the checkpoints of the second training.
    await signalAfterLines(14, "SIGKILL", folder, args);
    const { code, stderr } = await run(folder, ...args);
    assert.equal(code, 0, stderr);

    const path = await onlyRun(join(folder, "results"));
    const lines = await readLines(path, "metrics.jsonl");
    const phases = ["backbone", "longmem", "sidenet-without-memory"];
    let diagnosed = 0, fileCount = 0;
    for (const phase of phases) {
      const expected: Record<string, Point[]> = {};
      for (const line of lines.filter((line) => line.phase === phase)) {
        for (const [tag, value] of numbersOf(line)) {
          (expected[tag] ??= []).push([line.step, Math.fround(value)]);
        }
      }
      assert.equal(expected["train/loss"].length, 9);
      assert.equal(expected["valid/loss"].length, 3);
      assert.equal(expected["train/gradientNorm"].length, 9);
      diagnosed += expected["gates/1"]?.length ?? 0;
      const run = path.slice(join(folder, "results").length);
      const files = await readFiles(join(folder, "board", run, phase));
      assert.deepEqual(curvesOf(files), expected);
      fileCount += files.length;
    }
    assert.equal(fileCount, phases.length + 1, "the training that was killed has a file of before");
    assert.ok(diagnosed > 0, "gates are among the curves");
    const { metrics: _lines, files, hashes } = await resultsOf(folder);
    const expected = await expectedResults();
    assert.equal(files["summary.json"], expected.files["summary.json"]);
    assert.deepEqual(hashes, expected.hashes);
  },
);

runTest("run --tensorboard refuses a file before anything runs", async (folder) => {
  await Deno.writeTextFile(join(folder, "board"), "");
  const { code, stderr } = await run(folder, tiny, "--tensorboard", "board");
  assert.equal(code, 1);
  assert.match(stderr, /^Cannot write "board" as a file stands where a folder is needed$/m);
  await assert.rejects(Deno.stat(join(folder, "results")), Deno.errors.NotFound);
});

runTest("run --dry-run makes no folder for TensorBoard", async (folder) => {
  const { code, stderr } = await run(folder, tiny, "--tensorboard", "board", "--dry-run");
  assert.equal(code, 0, stderr);
  await assert.rejects(Deno.stat(join(folder, "board")), Deno.errors.NotFound);
});

runTest("a run goes on whose folder for TensorBoard is gone, and says so", async (folder) => {
  const process = spawnRun(folder, [tiny, "--tensorboard", "board"], { heldAfterLines: 5 });
  const outcome = outcomeOf(process);
  await waitForLines(folder, 5);
  await Deno.remove(join(folder, "board"), { recursive: true });
  await Deno.writeTextFile(join(folder, "released"), "");
  const { code, stdout, stderr } = await outcome;
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /Cannot write "board\S+" as there is no such folder: the curve of backbone for TensorBoard ends here/,
  );
  assert.deepEqual(await resultsOf(folder), await expectedResults());
  await Deno.stat(join(folder, "board")); // of the trainings that began later
});
