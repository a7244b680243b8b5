/**
 * `submit` and `status` without a cluster: SLURM's commands are scripts of the test.
 */
import { join } from "node:path";
import { missingPackages, neededPackages } from "../../src/cluster/node_needs.ts";
import { recordSubmission, submissionsFolder } from "../../src/cluster/submission.ts";
import { statusCommand } from "../../src/commands/status.ts";
import { submitCommand } from "../../src/commands/submit.ts";
import { importEngine } from "../../src/engine_packages.ts";
import { resolveRun, resolveRuns } from "../../src/experiment/resolve.ts";
import { smallExperiment } from "../experiment/small_experiment.ts";
import { type Outcome, outcomeOf, writeCorpus } from "../queue/command_line_run.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { execute, recordedOutput } from "./recorded_output.ts";

/** Eight runs, whose declaration has settings of a cluster. */
const sweep = repositoryPath("tests/cluster/sweep.ts");

/** A folder with a corpus, an empty folder of results, and arguments for both. */
async function withResults(
  use: (paths: { folder: string; results: string; args: string[] }) => Promise<void>,
): Promise<void> {
  await importEngine("cpu"); // submit refuses to let nodes run without it
  await withFolder(async (folder) => {
    const results = join(folder, "results"), corpus = join(folder, "corpus");
    await writeCorpus(corpus);
    await use({
      folder,
      results,
      args: ["--set", `corpus.folder=${corpus}`, "--results", results],
    });
  });
}

/** Writes what runs have come to, by their place in the sweep. */
async function writeStates(
  results: string,
  args: readonly string[],
  states: Readonly<Record<number, string>>,
): Promise<void> {
  const runs = await resolveRuns([sweep], { assignments: [args[1]] });
  for (const [place, state] of Object.entries(states)) {
    const { experiment: { name }, id } = runs[Number(place)];
    await Deno.mkdir(join(results, name, id), { recursive: true });
    await Deno.writeTextFile(
      join(results, name, id, "summary.json"),
      JSON.stringify({ state, experiment: name, run: id, scale: "scaled-down", metrics: [] }),
    );
  }
}

const wrongArguments: [args: string[], message: RegExp][] = [
  [
    [],
    /^Cannot submit as no file or folder of experiments is given, such as experiments\/quickstart\.ts$/,
  ],
  [[sweep, "--partiton", "gpu"], /--partiton as it is unknown: .*\(did you mean "--partition"\?\)/],
  [
    [sweep, "--time", "2h"],
    /^Cannot read --time as it has a wrong value: current value is "2h", allowed are times such as 30 \(minutes\), 12:00:00/,
  ],
  [[sweep, "--gpus", "two"], /^Cannot read --gpus as .*: current value is "two", allowed are/],
  [[sweep, "--cpus", "0"], /^Cannot read --cpus as .*: current value is 0, allowed are positive/],
  [[sweep, "--tasks=-1"], /^Cannot read --tasks as .*"-1", allowed are positive integers/],
  [[sweep, "--memory", "16 GB"], /^Cannot read --memory as .*, allowed are sizes such as 16G/],
  [[sweep, "--account", "a b"], /^Cannot read --account as .*, allowed are names of letters/],
  [[sweep, "--set", "cluster.tme=1"], /"tme" is not a field of cluster: .*did you mean "time"/],
  [[sweep, "--set", "cluster.time=1h"], /cluster.time has a wrong value: current value is "1h"/],
];

test("wrong options of submit are errors that name the option and what is allowed", async () => {
  for (const [args, message] of wrongArguments) {
    const output = recordedOutput();
    // Some are found before the command begins.
    await assert.rejects(async () => await execute(submitCommand(output), ...args), { message });
    assert.deepEqual(output.printed, []);
  }
});

test("a dry run prints the script of the declared settings, those of flags in their place", async () => {
  await withResults(async ({ results, args }) => {
    const output = recordedOutput();
    const flags = ["--dry-run", "--cpus", "3", "--partition", "gpu", "--limit", "2"];
    assert.equal(await execute(submitCommand(output), sweep, ...args, ...flags), 0);
    const [script] = output.printed;
    const lines = script.split("\n");
    for (
      const option of [
        "array=0-1",
        "time=1",
        "cpus-per-task=3",
        "partition=gpu",
        "signal=B:USR1@15",
      ]
    ) {
      assert.ok(lines.includes(`#SBATCH --${option}`), `${option}\n${script}`);
    }
    assert.match(script, /#SBATCH --output=\S+\/results\/\.cluster\/%A_%a\.log/);
    assert.match(script, new RegExp(`--limit=2 --results=${results} -- ${sweep} &`));
    assert.match(script, / --allow-ffi .*\/src\/main.ts run --set=corpus.folder=\S+ /);
    await assert.rejects(Deno.stat(results), Deno.errors.NotFound, "nothing is written");
  });
});

test("a job has a task for each unfinished run at most, and none where nothing is left", async () => {
  await withResults(async ({ results, args }) => {
    const submitted = async (...flags: string[]) => {
      const output = recordedOutput();
      const command = submitCommand(output);
      assert.equal(await execute(command, sweep, ...args, "--dry-run", ...flags), 0);
      return output.printed[0];
    };
    assert.match(await submitted("--tasks", "100"), /--array=0-7$/m);
    const done = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [i, "completed"]));
    await writeStates(results, args, { ...done, 6: "failed", 7: "interrupted" });
    assert.match(await submitted(), /--array=0-0$/m);
    assert.match(await submitted("--retry-failed"), /--array=0-1$/m);
    assert.match(await submitted("--retry-failed"), /main.ts run .* --retry-failed --results=/);
    await writeStates(results, args, { 7: "completed" });
    assert.equal(
      await submitted(),
      "Nothing to submit: of 8 runs, 7 are completed and 1 failed; --retry-failed resumes them",
    );
  });
});

test("experiments of one job must agree on its settings, unless a flag decides", async () => {
  await withResults(async ({ folder, args }) => {
    const files = ["one", "two"].map((name) => join(folder, `${name}.ts`));
    for (const [i, file] of files.entries()) {
      await Deno.writeTextFile(
        file,
        `import sweep from ${JSON.stringify(sweep)};\n` +
          `export default { ...sweep, name: "n${i}", cluster: { time: "${i + 1}0" } };\n`,
      );
    }
    const submit = (...flags: string[]) => {
      const output = recordedOutput();
      const command = submitCommand(output);
      return execute(command, ...files, ...args, "--dry-run", ...flags).then(() => output);
    };
    await assert.rejects(submit(), {
      message:
        /^Cannot submit one job as experiments declare different cluster.time: 10 in .*one.ts, 20 in .*two.ts; --time decides/,
    });
    assert.match((await submit("--time", "30")).printed[0], /^#SBATCH --time=30$/m);
  });
});

test("submit says which data is missing, and submits nothing", async () => {
  await withFolder(async (folder) => {
    const args = ["--set", "corpus.folder=nowhere", "--results", join(folder, "results")];
    await assert.rejects(execute(submitCommand(recordedOutput()), sweep, ...args), {
      message: /^Cannot submit as nodes would lack:\n {2}data of cluster_sweep \(8 runs\): nowhere/,
    });
    await assert.rejects(Deno.stat(join(folder, "results")), Deno.errors.NotFound);
  });
});

test("nodes need the packages of the configuration and the engines of the runs' devices", async () => {
  const engines = (...args: Parameters<typeof neededPackages>) =>
    neededPackages(...args).filter((name) => name.startsWith("onnxruntime-"))
      .map((name) => name.split("/")[0]);
  assert.deepEqual(engines(["auto", "cpu"], false), ["onnxruntime-node"]);
  assert.deepEqual(engines(["auto"], true), ["onnxruntime-node", "onnxruntime-web"]);
  assert.deepEqual(engines(["wasm"], true), ["onnxruntime-web"]);
  assert.ok(neededPackages([], false).some((name) => /^@huggingface\/hub\/\d/.test(name)));
  await withFolder(async (cache) => {
    const packages = ["@a/b/1.0.0", "c/2.0.0"];
    assert.deepEqual(await missingPackages(cache, packages), packages);
    await Deno.mkdir(join(cache, "npm/registry.example/@a/b/1.0.0"), { recursive: true });
    assert.deepEqual(await missingPackages(cache, packages), ["c/2.0.0"]);
  });
});

/** Runs a task of the repository with the permissions of the task, and scripts in place of SLURM's commands. */
async function runTask(
  folder: string,
  programs: Readonly<Record<string, string>>,
  name: "submit" | "status",
  ...args: string[]
): Promise<Outcome> {
  const bin = join(folder, "bin");
  await Deno.mkdir(bin, { recursive: true });
  for (const [program, body] of Object.entries(programs)) {
    await Deno.writeTextFile(join(bin, program), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  }
  const config = repositoryPath("deno.json");
  const { tasks } = JSON.parse(await Deno.readTextFile(config));
  const [, permissions] = /^deno run (.*) src\/main.ts/.exec(tasks[name].command)!;
  return await outcomeOf(
    new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--no-check", "--config", config, ...permissions.split(" ")],
        ...[repositoryPath("src/main.ts"), name, ...args],
      ],
      cwd: folder,
      stdout: "piped",
      stderr: "piped",
      env: {
        NO_COLOR: "1",
        PATH: bin, // no real SLURM
        LD_LIBRARY_PATH: "/opt/lib",
      },
    }).spawn(),
  );
}

test("submit hands the script to SLURM, prints the job's number, and status shows runs and tasks", async () => {
  await withResults(async ({ folder, results, args }) => {
    const sbatch = 'echo "$@" >arguments; echo "$LD_LIBRARY_PATH" >libraries; echo "4711;lab"';
    await writeStates(results, args, { 0: "completed" });
    const set = ["--set", "question=a b"];
    const submitted = await runTask(folder, { sbatch }, "submit", sweep, ...args, ...set);
    assert.deepEqual([submitted.code, submitted.stdout], [0, "4711\n"], submitted.stderr);
    assert.match(submitted.stderr, /Submitted job 4711: tasks 2, runs 7 of 8; "deno task status /);
    assert.match(submitted.stderr, /"deno task status .* --set 'question=a b'.*" shows them/);
    const read = (name: string) => Deno.readTextFile(join(folder, name));
    const [, script] = /^--parsable (.*\.sh)\n$/.exec(await read("arguments"))!;
    assert.equal(await read("libraries"), "\n", "Deno starts no program with libraries of others");
    const text = await Deno.readTextFile(script);
    assert.match(text, /^export LD_LIBRARY_PATH=\/opt\/lib$/m, "the runs get them");
    assert.match(text, new RegExp(`^stamp=${script}$`, "m"));

    const squeue = [
      "4711|0|RUNNING|node7|0:42|1:00|None",
      "4711|[1-2]|PENDING||0:00|1:00|Resources",
      "4712|N/A|RUNNING|node8|1:00|INFINITE|None",
    ].map((line) => `echo "${line}"`).join("\n");
    const shown = await runTask(folder, { squeue }, "status", sweep, ...args);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(
      shown.stdout,
      /^completed {4}cluster_sweep\/m64-\S+ {2}memory.capacityTokens=64 seed=1$/m,
    );
    assert.match(shown.stdout, /^8 runs: 1 completed, 7 planned\n\njob 4711: 2 tasks for 7 runs/m);
    const log = join(submissionsFolder(results), "4711_0.log");
    assert.ok(shown.stdout.includes(`\n  task 0  RUNNING  on node7  0:42 of 1:00  ${log}\n`));
    assert.match(shown.stdout, /^ {2}task \[1-2\] {2}PENDING {2}Resources$/m);
    assert.doesNotMatch(shown.stdout, /node8/, "another job's");

    const later = await runTask(folder, { squeue: "exit 0" }, "status", sweep, ...args);
    assert.match(later.stdout, /^job 4711: 2 tasks for 7 runs, submitted \S+; ended$/m);
    await Deno.remove(join(folder, "bin"), { recursive: true });
    const without = await runTask(folder, {}, "status", sweep, ...args);
    assert.match(without.stdout, /^8 runs: 1 completed, 7 planned$/m, without.stderr);
    assert.match(without.stderr, /Cannot run squeue as SLURM's commands are not on PATH/);
  });
});

test("what SLURM refuses, or where there is none, is one sentence, and leaves no script", async () => {
  await withResults(async ({ folder, results, args }) => {
    const sbatch = "echo 'sbatch: error: invalid partition' >&2; exit 1";
    const refused = await runTask(folder, { sbatch }, "submit", sweep, ...args);
    assert.deepEqual([refused.code, refused.stdout], [1, ""]);
    assert.match(
      refused.stderr,
      /^Cannot submit ".*" as sbatch refuses it: sbatch: error: invalid partition$/m,
    );
    await Deno.remove(join(folder, "bin"), { recursive: true });
    const without = await runTask(folder, {}, "submit", sweep, ...args);
    assert.equal(without.code, 1);
    assert.match(without.stderr, /^Cannot run sbatch as SLURM's commands are not on PATH$/m);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(submissionsFolder(results))), []);
  });
});

test("status shows what was submitted with other fields set, and where a run ran", async () => {
  await withResults(async ({ results, args }) => {
    await writeStates(results, args, { 3: "completed" });
    const run = (await resolveRuns([sweep], { assignments: [args[1]] }))[3];
    const path = join(results, run.experiment.name, run.id);
    const environment = {
      ...{ startedAt: "2026-01-01", deno: "2", v8: "1", packages: {}, system: "linux", cpu: "x" },
      ...{ cores: 1, memoryBytes: 1, declarationFile: sweep, hashes: {}, earlier: [] },
      host: "a",
    };
    const show = async (cluster?: unknown) => {
      const text = JSON.stringify({ ...environment, ...(cluster ? { cluster } : {}) });
      await Deno.writeTextFile(join(path, "environment.json"), text);
      const output = recordedOutput();
      await execute(statusCommand(output), sweep, ...args);
      return output.printed[0];
    };
    assert.match(await show(), new RegExp(`${run.id} .*seed=4  on a$`, "m"));
    const cluster = { job: "7", task: 1, node: "node3" };
    assert.match(
      await show(cluster),
      new RegExp(`${run.id} .*seed=4  job 7 task 1 on node3$`, "m"),
    );
    await Deno.mkdir(submissionsFolder(results));
    const submission = { job: "7", submittedAt: "2026-01-01", tasks: 1, files: [run.file] };
    await recordSubmission(results, { ...submission, runs: ["cluster_sweep/other-seed"] });
    assert.match(
      await show(),
      /^planned {6}cluster_sweep\/other-seed\n9 runs: 8 planned, 1 completed$/m,
    );
  });
});

test("status of a folder of runs shows those that lie there", async () => {
  await withFolder(async (folder) => {
    const draft = { ...smallExperiment, name: "elsewhere" };
    const run = resolveRun("x.ts", draft), path = join(folder, "elsewhere", run.id);
    await Deno.mkdir(path, { recursive: true });
    await Deno.writeTextFile(join(path, "experiment.json"), JSON.stringify(run.experiment));
    await Deno.writeTextFile(
      join(path, "summary.json"),
      JSON.stringify({
        ...{ state: "completed", experiment: "elsewhere", run: run.id, scale: "scaled-down" },
        metrics: [],
      }),
    );
    const show = async (...args: string[]) => {
      const output = recordedOutput();
      await execute(statusCommand(output), folder, ...args);
      return output.printed[0];
    };
    assert.match(await show(), /1 run: 1 completed$/);
    assert.match(await show("--results", join(folder, "other")), /1 run: 1 planned$/);
  });
});
