/**
 * A sweep on a real SLURM of two nodes, whatever happens to its tasks: it comes to the bytes of the same sweep without a cluster.
 */
import { join } from "node:path";
import { importEngine } from "../../src/engine_packages.ts";
import { readRunSummary } from "../../src/results/read_runs.ts";
import {
  outcomeOf,
  readJson,
  readLines,
  runFolders,
  writeCorpus,
} from "../queue/command_line_run.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { SlurmCluster, slurmProblem, until } from "./slurm_cluster.ts";

const required = Deno.env.get("LONGMEM_REQUIRE_SLURM") === "1";
const problem = required ? await slurmProblem() : undefined;
if (!required) {
  // deno-lint-ignore no-console -- what is left out must be seen
  console.warn(
    '\n*** Every test named "(needs SLURM)" is ignored, as it takes a machine to itself: LONGMEM_REQUIRE_SLURM=1 runs it. ***\n' +
      "*** Debian has SLURM: apt-get install slurmctld slurmd slurm-client munge. ***\n",
  );
}

/** Registers a test with a cluster of two nodes; it is ignored, loudly, unless one is required. */
function slurmTest(
  name: string,
  body: (folder: string, cluster: SlurmCluster) => Promise<void>,
): void {
  const fn = () =>
    withFolder(async (folder) => {
      assert.equal(problem, undefined);
      await importEngine("cpu"); // nodes may not download it
      await writeCorpus(join(folder, "corpus"));
      await Deno.mkdir(join(folder, "slurm"));
      await using cluster = await SlurmCluster.start(join(folder, "slurm"), 2);
      await body(folder, cluster);
    });
  test({ name: `${name} (needs SLURM)`, ignore: !required, fn });
}

/** Runs a task of the repository with the declaration of the sweep. */
function startTask(
  folder: string,
  results: string,
  [name, ...args]: readonly string[],
  env: Record<string, string> = {},
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["task", "--quiet", name, "tests/cluster/sweep.ts", "--results", join(folder, results)],
      ...["--set", `corpus.folder=${join(folder, "corpus")}`, ...args],
    ],
    cwd: repositoryPath("."),
    env: { NO_COLOR: "1", ...env },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Everything that a run measured, trained and recorded, whenever and wherever it ran. */
async function contents(path: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const visit = async (inner: string) => {
    for await (const { name, isDirectory } of Deno.readDir(join(path, inner))) {
      const file = join(inner, name);
      if (isDirectory) await visit(file);
      else if (/^(environment.json|lock|metrics.jsonl)$/.test(file)) continue;
      else {
        const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(join(path, file)));
        files[file] = new Uint8Array(digest).toHex();
      }
    }
  };
  await visit(".");
  const metrics = await readLines(path, "metrics.jsonl");
  const { hashes } = await readJson(path, "environment.json");
  return {
    ...files,
    metrics: metrics.map(({ timing: _timing, ...line }) => JSON.stringify(line)).join("\n"),
    hashes: JSON.stringify(Object.entries(hashes).sort()),
  };
}

slurmTest(
  "a sweep whose tasks are requeued, cut off by a time limit and by a node comes to the local bytes",
  async (folder, cluster) => {
    const local = outcomeOf(startTask(folder, "local", ["run"]));
    try {
      await disturb(folder, cluster);
      const { code, stderr } = await local;
      assert.equal(code, 0, stderr);
      const paths = await runFolders(join(folder, "results"));
      assert.equal(paths.length, 8);
      for (const path of paths) {
        const expected = await contents(path.replace(/results(?=\/[^/]+\/[^/]+$)/, "local"));
        assert.deepEqual(await contents(path), expected, path);
      }
    } finally {
      await local;
    }
  },
);

/** Runs the sweep on a cluster, all of whose accidents happen to it, to its end. */
async function disturb(folder: string, cluster: SlurmCluster): Promise<void> {
  const environment = { SLURM_CONF: cluster.configuration };
  const submitted = await outcomeOf(startTask(folder, "results", ["submit"], environment));
  assert.equal(submitted.code, 0, submitted.stderr);
  const job = submitted.stdout.trim();
  assert.match(job, /^\d+$/);
  const results = join(folder, "results");
  const log = async (task: number) =>
    await Deno.readTextFile(join(results, ".cluster", `${job}_${task}.log`)).catch(() => "");
  const said = async () =>
    `${await log(0)}\n---\n${await log(1)}\n---\n${await cluster.succeed(
      "squeue",
      "--states=all",
    )}`;

  const times = (text: string, said: string) => said.split(text).length - 1;
  const isNear = "The time limit is near", waits = "Waiting for another turn";

  /**
   * A run that a node executes, in at least that turn of its task; undefined where none has begun its training, or its task has been
   * told to stop.
   */
  const underWay = async (node: string, turn: number) => {
    for (const path of await runFolders(results).catch(() => [])) {
      const summary = await readRunSummary(path).catch(() => undefined);
      if (summary?.state !== "running") continue;
      const { cluster } = await readJson(path, "environment.json");
      if (cluster?.node !== node || (cluster.restarts ?? 0) < turn) continue;
      if (times(isNear, await log(cluster.task)) > (cluster.restarts ?? 0)) continue;
      if ((await readLines(path, "metrics.jsonl")).length > 0) return path;
    }
  };
  /** Waits until a node is in the middle of a run, and holds it there. */
  const hold = (node: string, turn = 0) =>
    until(`a run is under way on ${node}`, async () => {
      const path = await underWay(node, turn);
      if (path === undefined) return;
      await cluster.signalRuns(node, "SIGSTOP");
      await new Promise((done) => setTimeout(done, 100));
      if (await underWay(node, turn) === path) return path;
      await cluster.signalRuns(node, "SIGCONT");
    }, said);
  const stateOf = async (path: string) => (await readRunSummary(path))?.state;
  const taskOf = async (path: string) =>
    (await readJson(path, "environment.json")).cluster.task as number;

  const unlimited = async (task: number) =>
    await cluster.succeed("scontrol", "update", `JobId=${job}_${task}`, "TimeLimit=60");

  const [slow, requeued] = await Promise.all([hold("node1"), hold("node2")]);
  const limited = await taskOf(slow), other = await taskOf(requeued);
  const said0 = await log(limited);
  await unlimited(other);

  // A task that is cancelled and queued again saves a checkpoint.
  await cluster.succeed("scontrol", "requeue", `${job}_${other}`);
  await cluster.signalRuns("node2", "SIGCONT");
  await until("the requeued run is saved", async () => {
    return await stateOf(requeued) === "interrupted";
  }, said);

  // In its next turn its node loses power, in the middle of a run, and nothing is saved.
  const cut = await hold("node2", 1);
  await cluster.stopNode("node2");
  // The system drops the locks of a killed process when the last of its threads is gone.
  await until("the run is stopped", async () => await stateOf(cut) === "stopped", said);
  const node = "NodeName=node2";
  await cluster.succeed("scontrol", "update", node, "State=DOWN", "Reason=power");
  await cluster.startNode("node2");

  // Meanwhile the other node has been held up until its time limit is near.
  await until("the time limit is near", async () => {
    return times(isNear, await log(limited)) > times(isNear, said0);
  }, said);
  await unlimited(limited);
  await cluster.signalRuns("node1", "SIGCONT");
  await until("the task waits for another turn", async () => {
    return times(waits, await log(limited)) > times(waits, said0);
  }, said);

  const ended = await until("the job ends", async () => {
    const states = await cluster.succeed(
      ...["squeue", "--noheader", "--states=all", `--jobs=${job}`, "--format=%T"] as const,
    );
    return /PENDING|RUNNING|COMPLETING/.test(states) ? undefined : states.trim().split("\n");
  }, said);
  assert.deepEqual(ended, ["COMPLETED", "COMPLETED"], await said());

  for (const path of await runFolders(results)) {
    const { host, cluster: task, earlier } = await readJson(path, "environment.json");
    assert.equal(task.job, job);
    assert.match(task.node, /^node[12]$/);
    assert.equal(host, cluster.ownHostNames ? task.node : Deno.hostname());
    const cutOff = path === slow || path === requeued || path === cut;
    if (cutOff) assert.ok(earlier.length > 0, `${path} was not cut off`);
  }

  const status = await outcomeOf(startTask(folder, "results", ["status"], environment));
  assert.equal(status.code, 0, status.stderr);
  assert.match(status.stdout, /^8 runs: 8 completed$/m);
  assert.match(status.stdout, /^ {2}task 0 {2}COMPLETED {2}on node[12] /m);
  const again = await outcomeOf(startTask(folder, "results", ["submit"], environment));
  assert.match(again.stdout, /^Nothing to submit: of 8 runs, 8 are completed/);
}
