/**
 * Two processes that both believe to have a run's lock: nothing of theirs may be mixed.
 */
import { join } from "node:path";
import { assert } from "../testing.ts";
import {
  onlyRun,
  type Outcome,
  outcomeOf,
  readJson,
  run,
  runTest,
  spawnRun,
  waitFor,
  waitForLines,
} from "./command_line_run.ts";
import { expectedResults, resultsOf, tiny } from "./tiny_results.ts";

/** Lets a held process go on. */
function release(folder: string): Promise<void> {
  return Deno.writeTextFile(join(folder, "released"), "");
}

/** Checks what two processes have come to, of which the second took the run over from the first. */
async function checkTakenOver(folder: string, [first, second]: readonly Outcome[]): Promise<void> {
  assert.match(
    first.stderr,
    /tiny\/\S+ was left: Cannot continue as the lock ".*lock" was taken over by process \d+ on host \S+ since/,
  );
  assert.match(first.stderr, /only one process at a time may run these experiments/);
  assert.equal(first.code, 0, "the run is the other process's");
  assert.equal(second.code, 0, second.stderr);
  assert.equal(second.stderr, "");
  assert.deepEqual(await resultsOf(folder), await expectedResults());
}

for (const lines of [1, 15]) {
  runTest(
    `a run whose lock does not lock is left to who took it last, begun after ${lines} lines`,
    async (folder) => {
      const held = { locks: false, heldAfterLines: lines };
      const first = outcomeOf(spawnRun(folder, [tiny], held));
      await waitForLines(folder, lines);
      const lock = join(await onlyRun(join(folder, "results")), "lock");
      const before = await Deno.readTextFile(lock);
      const second = outcomeOf(spawnRun(folder, [tiny], { locks: false }));
      await waitFor("another holder", async () => await Deno.readTextFile(lock) !== before);
      await release(folder);
      await checkTakenOver(folder, await Promise.all([first, second]));
    },
  );
}

runTest(
  "two processes that begin at once without locks do not mix their records",
  async (folder) => {
    const both = await Promise.all(
      [0, 1].map(() => outcomeOf(spawnRun(folder, [tiny], { locks: false }))),
    );
    const left = both.filter(({ stderr }) => stderr.includes("was taken over by process"));
    assert.ok(left.length <= 1, "one of them has it");
    for (const { stderr } of both) {
      assert.ok(
        left.some((one) => one.stderr === stderr) || stderr === "",
        stderr,
      );
    }
    // Which of them took it last is seen at the next write; whatever is there is a whole run's.
    const path = await onlyRun(join(folder, "results"));
    assert.equal((await readJson(path, "summary.json")).state, "completed");
    assert.deepEqual(await resultsOf(folder), await expectedResults());
  },
);

runTest(
  "a run whose lock file is removed goes on, and another process leaves it alone",
  async (folder) => {
    const first = outcomeOf(spawnRun(folder, [tiny]));
    await waitForLines(folder, 3);
    const path = await onlyRun(join(folder, "results"));
    await Deno.remove(join(path, "lock"));
    await waitForLines(folder, 5);
    const second = await run(folder, tiny);
    assert.match(second.stdout, /left to process \d+ on host .*which executes it|completed/);
    const { code, stderr } = await first;
    assert.deepEqual([code, stderr, second.code, second.stderr], [0, "", 0, ""]);
    assert.deepEqual(await resultsOf(folder), await expectedResults());
  },
);

runTest("a run whose lock file another process made again is left to it", async (folder) => {
  const first = outcomeOf(spawnRun(folder, [tiny], { heldAfterLines: 3 }));
  await waitForLines(folder, 3);
  const path = await onlyRun(join(folder, "results"));
  await Deno.remove(join(path, "lock"));
  await Deno.remove(join(folder, "results/.locks"), { recursive: true }); // of the training
  const second = outcomeOf(spawnRun(folder, [tiny]));
  await waitForLines(folder, 20);
  await release(folder);
  await checkTakenOver(folder, await Promise.all([first, second]));
});
