import { main } from "../src/main.ts";
import { recordingExecutor } from "./experiment/main_with_recording_executor.ts";
import { withFolder } from "./temporary_folder.ts";
import { assert, repositoryPath, test } from "./testing.ts";

const fake = repositoryPath("tests/experiment/main_with_recording_executor.ts");
const real = repositoryPath("src/main.ts");
const declarations = repositoryPath("tests/experiment/declarations");
const twoSizes = `${declarations}/two_sizes.ts`;
const malformed = repositoryPath("tests/experiment/malformed/indivisible.ts");

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** The command line as a process of its own; the permissions are those of its task. */
function command(
  script: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): Deno.Command {
  const tasks: Record<string, string[]> = {
    run: ["--allow-write", "--allow-env", "--allow-sys"],
    report: ["--allow-write"],
  };
  const task = tasks[args[0]] ?? [];
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--allow-read", ...task, script, ...args],
    cwd: repositoryPath("."),
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1", INIT_CWD: "", COLUMNS: "", ...environment },
  });
}

async function cli(script: string, ...args: string[]): Promise<Outcome> {
  const { code, stdout, stderr } = await command(script, args).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

// The folder in which the tests were started is not where their command lines are typed.
Deno.env.set("INIT_CWD", "");

/**
 * The command line in this process, for what needs no process of its own: one takes half a second. Runs are those of `fake`. Not for
 * `--dry-run`, which gives up the permissions of this process.
 */
async function here(...args: string[]): Promise<Outcome> {
  const { log, error } = console, { writeSync, isTerminal } = Deno.stdout;
  let stdout = "", stderr = "";
  Object.assign(console, {
    log: (text: string) => void (stdout += `${text}\n`),
    error: (text: string) => void (stderr += `${text}\n`),
  });
  Object.assign(Deno.stdout, {
    writeSync(bytes: Uint8Array) {
      stdout += new TextDecoder().decode(bytes);
      return bytes.length;
    },
    isTerminal: () => false,
  });
  try {
    return { code: await main(args, () => Promise.resolve(recordingExecutor)), stdout, stderr };
  } finally {
    Object.assign(console, { log, error });
    Object.assign(Deno.stdout, { writeSync, isTerminal });
  }
}

/** Runs a test with a results folder of its own. */
function resultsTest(name: string, body: (results: string) => Promise<void>): void {
  test(name, () => withFolder((folder) => body(`${folder}/results`)));
}

/** Paths below a folder with the contents of files. */
async function snapshot(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (!isDirectory) files.set(path, await Deno.readTextFile(path));
    else for (const [inner, text] of await snapshot(path)) files.set(inner, text);
  }
  return files;
}

async function summaries(results: string) {
  const files = [...await snapshot(results)].filter(([path]) => path.endsWith("summary.json"));
  return files.map(([, text]) => JSON.parse(text)).sort((a, b) => a.run < b.run ? -1 : 1);
}

type WrongCommandLine = [args: string[], message: RegExp];

/** One of each way to go wrong, in processes with the permissions of their tasks. */
const wrongInProcesses: WrongCommandLine[] = [
  [
    ["chapter-break", "data", "--out", "nowhere.json", "--headings", "("],
    /Cannot read --headings as it is not a regular expression: current value is "\(" \(.*Unterminated group\)/,
  ],
  [[], /deno task run PATH\.\.\./],
  [
    ["rnu"],
    /Cannot run command "rnu" as it is unknown: allowed are run, measure, submit, .* \(did you mean "run"\?\)/,
  ],
  [
    ["run", malformed],
    /indivisible.ts: Cannot declare experiment "small" as memory.retrievedTokens must be/,
  ],
  [["table", "data"], /Cannot print tables of data as no run is in there/],
];

const wrongHere: WrongCommandLine[] = [
  [["run"], /Cannot run as no file or folder of experiments is given/],
  [
    ["run", "--dvice", "cpu"],
    /Cannot read --dvice as it is unknown: .*\(did you mean "--device"\?\)/,
  ],
  [["run", "-x"], /Cannot read -x as it is unknown/],
  [
    ["run", twoSizes, "--device", "gpu"],
    /Cannot read --device: current value is "gpu", allowed are auto, /,
  ],
  [
    ["run", twoSizes, "--limit", "0"],
    /Cannot read --limit: current value is "0", allowed are positive integers/,
  ],
  [["run", twoSizes, "--jobs=two"], /Cannot read --jobs: current value is "two"/],
  [["run", twoSizes, "--limit"], /Cannot read --limit as its value is missing: N/],
  [["run", twoSizes, "--fresh=yes"], /Cannot read --fresh as it takes no value/],
  [["run", "nowhere.ts"], /Cannot load "nowhere.ts" as there is no such file or folder/],
  [["run", twoSizes, "--set", "memory.chunkToken=4"], /did you mean "chunkTokens"\?/],
  [
    ["run", twoSizes, "--set", "memory.chunkTokens=5"],
    /must be a multiple of memory.chunkTokens: current value is 64/,
  ],
  [
    ["table", "--format", "xml"],
    /Cannot read --format: current value is "xml", allowed are md, csv, json, html/,
  ],
  [["table", "nowhere"], /Cannot print tables of "results\/nowhere" as there is no such folder/],
];

for (const [wrong, started] of [[wrongInProcesses, true], [wrongHere, false]] as const) {
  for (const [args, message] of wrong) {
    const shown = args.map((arg) => arg.split("/").at(-1)).join(" ");
    test(`exit code 2, nothing on stdout and the reason on stderr: "${shown}"`, async () => {
      const { code, stdout, stderr } = await (started ? cli(real, ...args) : here(...args));
      assert.match(stderr, message);
      assert.equal(code, 2, stderr);
      assert.equal(stdout, "");
      assert.doesNotMatch(
        stderr,
        /\n {4}at /,
        "a wrong command line is no reason for a stack trace",
      );
    });
  }
}

test("--help tells every command, and each command its flags", async () => {
  const all = await here("--help");
  assert.equal(all.code, 0);
  assert.match(all.stdout, /deno task run PATH\.\.\./);
  assert.match(all.stdout, /deno task table \[PATH\.\.\.\]/);
  const started = await cli(real, "--help");
  assert.deepEqual([started.code, started.stderr], [0, ""]);
  assert.match(started.stdout, /deno task run PATH\.\.\./);
  for (const asked of ["-h", "help"]) assert.deepEqual(await here(asked), all);
  const run = await here("run", "--help");
  assert.equal(run.code, 0);
  assert.deepEqual(await here("run", "-h"), run);
  assert.match((await here("measure", "-h")).stdout, /^deno task measure PATH\.\.\.\n/);
  const flags = [
    "set",
    "device",
    "results",
    "limit",
    "dry-run",
    "fresh",
    "jobs",
    "retry-failed",
    "fail-fast",
    "help",
  ];
  for (const flag of flags) assert.match(run.stdout, new RegExp(`--${flag}\\b`));
  assert.match(
    (await here("table", "--help")).stdout,
    /--format FORMAT .*md, csv, json, html/,
  );
});

resultsTest("a task reads paths from the folder in which it was typed", async (results) => {
  const from = async (folder: string, ...args: string[]) => {
    const environment = { INIT_CWD: repositoryPath(folder) };
    const { code, stdout, stderr } = await command(real, args, environment).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  };
  const dry = await from("tests/experiment", "run", "declarations", "--dry-run");
  assert.equal(dry.code, 0, dry.stderr);
  assert.match(dry.stdout, /^baseline \(tests\/experiment\/declarations\/baseline.ts\)$/m);
  assert.match(dry.stderr, /^Paths in the output are relative to \//);
  const inner = await from("tests", "run", "nowhere.ts");
  assert.equal(inner.code, 2);
  assert.match(inner.stderr, /Cannot load "tests\/nowhere.ts" as there is no such file or folder/);
  const outer = await cli(real, "run", "declarations", "--dry-run");
  assert.equal(outer.code, 2, "in the repository's folder there are none");

  // The folder of results is read from there, too.
  const name = `${results}/two_sizes`.slice(results.lastIndexOf("/") + 1);
  const ran = await command(fake, ["run", twoSizes, "--results", name], {
    INIT_CWD: results.slice(0, results.lastIndexOf("/")),
  }).output();
  assert.equal(ran.code, 0);
  assert.equal((await summaries(results)).length, 2);
});

resultsTest(
  "run --dry-run shows runs, parameters and tokens, and writes nothing",
  async (results) => {
    const { code, stdout } = await cli(
      real,
      "run",
      declarations,
      "--dry-run",
      "--results",
      results,
    );
    assert.equal(code, 0);
    assert.match(stdout, /^baseline \(tests\/.*baseline.ts\)$/m);
    assert.match(stdout, /^ {2}planned {6}no-memory-seed1-[0-9a-f]{8}$/m);
    // 4 blocks of width 64, vocabulary 512: 4 * (12 * 64^2 + 7 * 64) + 128 + 2 * 512 * 64 + 512
    assert.match(stdout, /backbone of 264,576 parameters/);
    assert.match(stdout, /train longmem: 10 steps, 2,560 tokens, /);
    assert.match(stdout, /missing: corpus$/m);
    assert.match(stdout, /^3 runs: 3 planned$/m);
    await assert.rejects(Deno.stat(results), Deno.errors.NotFound);
  },
);

resultsTest("run writes the documented folder, table prints it", async (results) => {
  const { code, stdout, stderr } = await cli(fake, "run", twoSizes, "--results", results);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /longmem step 3\/3 {2}loss 0.3333/);
  assert.match(
    stdout,
    /^perplexity-test: perplexity of LongMem 19\.00 .*, vs the backbone alone /m,
  );
  // Tables of several runs come once, at the end, together.
  assert.match(
    stdout,
    /^two_sizes.* run 2 of 2$[^]*^\| run +\| model +\| +perplexity \|$[^]*^\| m2048.* \| longmem {2}\| 19\.00 \u00b1 0\.50 \|$/m,
  );
  assert.equal(stdout.match(/^## two_sizes/gm)?.length, 1);
  const [first, second] = await summaries(results);
  assert.deepEqual([first.state, second.state], ["completed", "completed"]);
  const folder = `${results}/two_sizes/${first.run}`;
  const environment = JSON.parse(await Deno.readTextFile(`${folder}/environment.json`));
  assert.equal(environment.device, "recording on auto");
  assert.match(environment.declarationFile, /two_sizes.ts$/);
  assert.ok(environment.wallSeconds > 0 && environment.wallSeconds < 600);
  assert.ok(environment.peakMemoryBytes > 2 ** 24 && environment.peakMemoryBytes < 2 ** 34);
  const declared = JSON.parse(await Deno.readTextFile(`${folder}/experiment.json`));
  assert.equal(declared.memory.capacityTokens, 1024);
  assert.equal(declared.memory.bank, "per-row");

  const table = await cli(real, "table", results);
  assert.equal(table.code, 0);
  assert.match(table.stdout, /^## two_sizes \(scaled-down\)$/m);
  assert.match(table.stdout, /\| longmem {2}\| 19\.00 \u00b1 0\.50 \|/);
  const csv = await here("table", results, "--format=csv");
  assert.equal(csv.stdout.trim().split("\n").length, 5);
});

resultsTest("report writes a page and its figures beside the runs", async (results) => {
  await here("run", twoSizes, "--results", results);
  const { code, stdout, stderr } = await cli(real, "report", results);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /two_sizes\/report\.html: 2 figures$/m);
  const page = await Deno.readTextFile(`${results}/two_sizes/report.html`);
  assert.match(page, /<h1>two_sizes<\/h1>/);
  const figure = await Deno.readTextFile(`${results}/two_sizes/figures/training-longmem.svg`);
  assert.ok(page.includes(figure.trim()));
  const nothing = await here("report", declarations);
  assert.equal(nothing.code, 2);
  assert.match(nothing.stderr, /Cannot write reports of .* as no run is in there/);
});

resultsTest("run keeps finished runs, --fresh does not", async (results) => {
  await here("run", twoSizes, "--results", results);
  const before = await snapshot(results);
  const again = await here("run", twoSizes, "--results", results, "--device", "wasm");
  assert.equal(again.code, 0);
  assert.match(again.stdout, /completed earlier/);
  assert.deepEqual(await snapshot(results), before);
  const fresh = await here(
    "run",
    twoSizes,
    "--results",
    results,
    "--device",
    "wasm",
    "--fresh",
  );
  assert.equal(fresh.code, 0);
  const after = await snapshot(results);
  const environment = [...after].find(([path]) => path.endsWith("environment.json"))!;
  assert.equal(JSON.parse(environment[1]).device, "recording on wasm");
  const metrics = [...after].filter(([path]) => path.endsWith("metrics.jsonl"));
  for (const [, text] of metrics) assert.equal(text.trim().split("\n").length, 3);
});

resultsTest(
  "a failing run is recorded, the others go on, exit code 1; then it resumes",
  async (results) => {
    const seed = ["--set", "seed=13", "--jobs", "2"];
    const failing = await cli(fake, "run", twoSizes, "--results", results, ...seed);
    assert.equal(failing.code, 1);
    assert.match(
      failing.stderr,
      /two_sizes\/m1024-.* failed: Cannot go on as 13 is unlucky$/m,
    );
    assert.doesNotMatch(failing.stderr, /\n {4}at /, "the sentence says all");
    assert.match(failing.stdout, /^2 runs: 2 failed; results are in /m);
    const failed = await summaries(results);
    assert.deepEqual(failed.map(({ state, error }) => [state, error]), [
      ["failed", "Cannot go on as 13 is unlucky"],
      ["failed", "Cannot go on as 13 is unlucky"],
    ]);
    const folder = `${results}/two_sizes/${failed[0].run}`;
    assert.match(await Deno.readTextFile(`${folder}/failure.txt`), /13 is unlucky\n {4}at /);

    // Only where it is asked for is a failed run resumed.
    const before = await snapshot(results);
    const listed = await here("run", twoSizes, "--results", results, ...seed);
    assert.equal(listed.code, 1);
    assert.match(
      listed.stderr,
      /two_sizes\/m1024-.* failed earlier: Cannot go on as 13 is unlucky; --retry-failed resumes it/,
    );
    assert.match(listed.stdout, /^2 runs: 2 failed \(2 earlier\); results are in /m);
    assert.deepEqual(await snapshot(results), before);
    // Each attempt gets one step further: the third has nothing left to fail at.
    const retry = [...seed, "--retry-failed"];
    for (const expected of [1, 1, 0]) {
      assert.equal(
        (await here("run", twoSizes, "--results", results, ...retry)).code,
        expected,
      );
    }
    await assert.rejects(Deno.stat(`${folder}/failure.txt`), Deno.errors.NotFound);
    const [first] = await summaries(results);
    assert.equal(first.state, "completed");
    assert.ok(!("error" in first));
    const lines = await Deno.readTextFile(`${results}/two_sizes/${first.run}/metrics.jsonl`);
    const steps = lines.trim().split("\n").map((line) => JSON.parse(line).step);
    assert.deepEqual(steps, [1, 2, 3]);
  },
);

resultsTest("one failing run of several gives exit code 1", async (results) => {
  await Deno.mkdir(`${results}/baseline`, { recursive: true });
  // A file where the folder of one run would be.
  const { stdout } = await cli(real, "run", `${declarations}/baseline.ts`, "--dry-run");
  const id = /planned +(\S+)/.exec(stdout)![1];
  await Deno.writeTextFile(`${results}/baseline/${id}`, "");
  const { code, stderr } = await here("run", declarations, "--results", results);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /baseline\/no-memory.* failed: Cannot write ".*" as a file stands where a folder/,
  );
  const done = (await summaries(results)).map(({ experiment, state }) => `${experiment} ${state}`);
  assert.deepEqual(done, ["two_sizes completed", "two_sizes completed"]);
});

resultsTest("run names a corpus that is missing and how to name another", async (results) => {
  const args = ["run", `${declarations}/baseline.ts`, "--results", results];
  const { code, stderr } = await cli(real, ...args, "--set", "corpus.folder=no/novels");
  assert.equal(code, 1);
  assert.match(
    stderr,
    /Cannot run "baseline" as corpus.folder is missing: current value is "no\/novels", .*--set corpus.folder=/,
  );
  assert.doesNotMatch(stderr, /\n {4}at /, "a missing file is no reason for a stack trace");
  const [failed] = await summaries(results);
  assert.equal(failed.state, "failed");
});

resultsTest("run --limit is recorded, in a folder of its own", async (results) => {
  await here("run", `${declarations}/baseline.ts`, "--results", results);
  await here("run", `${declarations}/baseline.ts`, "--results", results, "--limit", "2");
  const limits = (await summaries(results)).map(({ limit, metrics }) => [limit, metrics[0].n]);
  assert.deepEqual(new Set(limits.map(String)), new Set([",13", "2,2"]));
  assert.match((await here("table", results)).stdout, /limited to 2 items per evaluation/);
});

resultsTest("Ctrl-C leaves an interrupted run that the same command resumes", async (results) => {
  const args = ["run", `${declarations}/baseline.ts`, "--results", results, "--set", "seed=99"];
  const process = command(fake, args).spawn();
  const stderr = new Response(process.stderr).text();
  let shown = "";
  for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
    if (!shown.includes("waiting") && (shown + text).includes("waiting")) process.kill("SIGINT");
    shown += text;
  }
  const { code } = await process.status;
  assert.equal(code, 130, await stderr);
  assert.match(shown, /\nInterrupted: the same command continues from the last checkpoints\n$/);
  assert.match(await stderr, /Stopping after a checkpoint/);
  const [interrupted] = await summaries(results);
  assert.equal(interrupted.state, "interrupted");
  assert.ok(!("error" in interrupted));

  assert.equal((await here(...args)).code, 0);
  const [completed] = await summaries(results);
  assert.equal(completed.state, "completed");
  const folder = `${results}/baseline/${completed.run}`;
  const lines = (await Deno.readTextFile(`${folder}/metrics.jsonl`)).trim().split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line).step), [1, 2, 3]);
  const environment = JSON.parse(await Deno.readTextFile(`${folder}/environment.json`));
  assert.equal(environment.earlier.length, 1);
});

resultsTest("a damaged record is named with what mends it, and --fresh does", async (results) => {
  const args = ["run", twoSizes, "--results", results, "--set", "seed=7", "--limit", "2"];
  await here(...args);
  const [{ run }] = await summaries(results);
  const folder = `${results}/two_sizes/${run}`;
  const environment = JSON.parse(await Deno.readTextFile(`${folder}/environment.json`));
  assert.deepEqual(environment.assignments, ["seed=7"]);
  for (const name of ["summary.json", "environment.json", "metrics.jsonl"]) {
    await Deno.writeTextFile(`${folder}/${name}`, '{\n  "half\n');
    for (const command of name === "summary.json" ? ["table", "report"] : ["table"]) {
      const { code, stdout, stderr } = await here(command, results);
      assert.equal(code, 1);
      const reason = `Cannot read .*${name}" as it is not JSON: .*; without `;
      assert.match(stderr, new RegExp(`^Left out .*/${run}: ${reason}.*\n$`));
      const told = command === "table"
        ? stdout
        : await Deno.readTextFile(`${results}/two_sizes/report.html`);
      // The other run is there, and that this one is not.
      assert.match(told, /longmem/);
      assert.match(told, new RegExp(`Run ${run} is left out: Cannot read `));
    }
    assert.equal((await here(...args, "--fresh")).code, 0, name);
    assert.equal((await here("table", results)).code, 0, name);
  }
});
