/**
 * Two nodes on a shared folder: host names of their own, and the same process numbers.
 */
import { join } from "node:path";
import { assert, repositoryPath } from "../testing.ts";
import {
  declaration,
  type Outcome,
  outcomeOf,
  readJson,
  runFolders,
  runTest,
  spawnRun,
} from "./command_line_run.ts";

const sweep = repositoryPath("tests/cluster/sweep.ts");

runTest(
  "two nodes that begin at once share the runs of a folder, each run done once",
  async (folder) => {
    const args = [sweep, "--set", "sweep.seed=1,2", "--set", "memory.capacityTokens=64"];
    const both = await Promise.all(
      ["node1", "node2"].map((node) => outcomeOf(spawnRun(folder, args, { node }))),
    );
    for (const { code, stderr } of both) assert.deepEqual([code, stderr], [0, ""]);
    const completed = both.flatMap(({ stdout }) => stdout.match(/^\S+ {2}completed: \S+$/gm) ?? []);
    const paths = await runFolders(join(folder, "results"));
    assert.equal(paths.length, 2);
    assert.equal(completed.length, 2, "no run is done twice");
    for (const path of paths) {
      assert.equal((await readJson(path, "summary.json")).state, "completed");
      const { host, earlier } = await readJson(path, "environment.json");
      assert.match(host, /^\S+$/);
      assert.deepEqual(earlier, [], "none was taken over");
    }
  },
);

runTest("a node waits for a training of another node, and names it", async (folder) => {
  const long = ["backbone.training.steps=100000", "backbone.training.checkpointEverySteps=100000"];
  const start = (node: string, capacity: number) =>
    spawnRun(folder, [
      declaration("tiny.ts"),
      ...[...long, `memory.capacityTokens=${capacity}`].flatMap((text) => ["--set", text]),
    ], { node });
  const first = start("node1", 128);
  const ended = outcomeOf(first);
  let outcome: Outcome | undefined;
  ended.then((value) => outcome = value);
  const isTrained = async () => {
    const paths = await runFolders(join(folder, "results")).catch(() => []);
    return paths.length > 0 && await Deno.stat(join(paths[0], "metrics.jsonl")).catch(() => false);
  };
  while (!await isTrained()) {
    assert.equal(outcome, undefined);
    await new Promise((done) => setTimeout(done, 20));
  }
  const second = start("node2", 64);
  let said = "";
  for await (const text of second.stdout.pipeThrough(new TextDecoderStream())) {
    said += text;
    if (/waiting for the same backbone from (.*)\n/.test(said)) break;
  }
  for (const process of [first, second]) process.kill("SIGKILL");
  await Promise.all([ended, second.status, second.stderr.cancel()]);
  const [, who] = /waiting for the same backbone from (.*)\n/.exec(said) ?? [];
  const { host } = await readJson(
    (await runFolders(join(folder, "results")))[0],
    "environment.json",
  );
  assert.match(who, new RegExp(`^process \\d+ on host ${host} since `), said);
});
