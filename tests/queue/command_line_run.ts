/**
 * Runs of the command line as processes of their own, each in a folder with a corpus of its own.
 */
import { join } from "node:path";
import { isThere } from "../../src/files.ts";
import { Random } from "../../src/random.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";

/** How a process ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a process of a test is started. */
export interface SpawnOptions {
  readonly code?: string;
  readonly fileKiB?: number;
  readonly readOnly?: boolean;
  readonly locks?: boolean;
  readonly heldAfterLines?: number;
  readonly heldAfterModels?: number;
  readonly node?: string;
}

const holding = (after: string) => ["--preload", import.meta.resolve(`./hold_run.ts?${after}`)];

/**
 * A process of `deno task run` in a folder, with exactly the permissions of the task.
 *
 * @param options `fileKiB`: writing beyond this size of a file fails, as on a disk that is full;
 * `readOnly`: the folder `results` is on a file system that cannot be written; `locks`: whether locks lock, which
 * some network file systems only say; `heldAfterLines`, `heldAfterModels`: it waits once a run has so many lines of metrics, or
 * it has recorded the items of so many models, until the file `released` is in the
 * folder; `code`: the folder of the code, if not this repository; `node`: a host name of its own,
 * with process numbers of its own, where the system allows it.
 */
export function spawnRun(
  folder: string,
  args: readonly string[],
  {
    fileKiB,
    readOnly = false,
    locks = true,
    heldAfterLines,
    heldAfterModels,
    code = repositoryPath("."),
    node,
  }: SpawnOptions = {},
): Deno.ChildProcess {
  const config = join(code, "deno.json");
  const { tasks } = JSON.parse(Deno.readTextFileSync(config));
  const [, permissions] = /^deno run (.*) src\/main.ts run$/.exec(tasks.run.command)!;
  const command = [
    ...[Deno.execPath(), "run", "--quiet", "--no-prompt", "--no-check", "--config", config],
    ...locks ? [] : ["--preload", repositoryPath("tests/queue/without_locks.ts")],
    ...heldAfterLines === undefined ? [] : holding(`lines=${heldAfterLines}`),
    ...heldAfterModels === undefined ? [] : holding(`models=${heldAfterModels}`),
    ...permissions.split(" "),
    ...[join(code, "src/main.ts"), "run", ...args],
  ];
  const shell = (script: string) => ["bash", "-c", `${script}; exec "$@"`, "bash", ...command];
  const [program, ...rest] = fileKiB !== undefined
    // The signal that would end the process is ignored, so that the write itself fails.
    ? shell(`trap '' XFSZ; ulimit -f ${fileKiB}`)
    : readOnly
    ? ["unshare", "-rm", ...shell("mount -t tmpfs -o ro tmpfs results")]
    : node !== undefined && hasNamespaces
    ? [...namespaces, ...shell(`hostname ${node}`)]
    : command;
  return new Deno.Command(program, {
    args: rest,
    cwd: folder,
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
}

/** Gives a program a host name and process numbers of its own, and ends it with the process that waits for it. */
const namespaces = ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"];

/** Whether the system allows it, which takes more than an ordinary user or some containers may. */
const hasNamespaces = Deno.build.os === "linux" &&
  await new Deno.Command(namespaces[0], {
    args: [...namespaces.slice(1), "hostname", "node"],
    stderr: "null",
  }).output().then(({ success }) => success, () => false);

/** Waits for the end of a process. */
export async function outcomeOf(process: Deno.ChildProcess): Promise<Outcome> {
  const [{ code }, stdout, stderr] = await Promise.all([
    process.status,
    new Response(process.stdout).text(),
    new Response(process.stderr).text(),
  ]);
  return { code, stdout, stderr };
}

/** Waits for some milliseconds. */
export const pause = (milliseconds: number): Promise<void> =>
  new Promise((done) => setTimeout(done, milliseconds));

/** Waits until a condition holds. */
export async function waitFor(name: string, holds: () => Promise<boolean>): Promise<void> {
  const begun = performance.now();
  while (!await holds()) {
    assert.ok(performance.now() - begun < 60_000, `there is never ${name}`);
    await pause(2);
  }
}

/** Waits until the only run of a folder has recorded so many steps and validations. */
export function waitForLines(folder: string, lines: number): Promise<void> {
  return waitFor(`a line ${lines}`, async () => {
    const path = await onlyRun(join(folder, "results")).catch(() => undefined);
    const recorded = path ? await readLines(path, "metrics.jsonl").catch(() => []) : [];
    return recorded.length >= lines;
  });
}

/** Runs declarations in a folder, and sends a signal after so many steps and validations, between two of them. */
export async function signalAfterLines(
  lines: number,
  signal: Deno.Signal,
  folder: string,
  ...[args, options]: [args: readonly string[], options?: { readonly code?: string }]
): Promise<Outcome> {
  const { process, outcome } = await spawnHeld(folder, args, { ...options, heldAfterLines: lines });
  process.kill(signal);
  return await outcome;
}

/**
 * Begins declarations in a folder, and returns the process once it is held: told to end then, it ends.
 *
 * @throws {AssertionError} Where it ends before.
 */
async function spawnHeld(
  folder: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<{ process: Deno.ChildProcess; outcome: Promise<Outcome> }> {
  const mark = join(folder, "held");
  for (const path of [mark, join(folder, "released")]) await Deno.remove(path).catch(() => {});
  const process = spawnRun(folder, args, options);
  const outcome = outcomeOf(process);
  let ended = false;
  outcome.then(() => ended = true);
  await waitFor("a held run", async () => ended || await isThere(mark));
  if (ended) assert.fail(`the run ended before: ${(await outcome).stderr}`);
  return { process, outcome };
}

/**
 * Runs declarations in a folder until it is held, lets it go on for some milliseconds, and kills it.
 *
 * @throws {AssertionError} Where it ends before.
 */
export async function killAfter(
  held: Pick<SpawnOptions, "heldAfterLines" | "heldAfterModels">,
  milliseconds: number,
  folder: string,
  args: readonly string[],
): Promise<void> {
  const { process, outcome } = await spawnHeld(folder, args, held);
  await Deno.writeTextFile(join(folder, "released"), "");
  await pause(milliseconds);
  process.kill("SIGKILL");
  assert.notEqual((await outcome).code, 0);
}

/** Runs declarations in a folder to the end. */
export function run(folder: string, ...args: string[]): Promise<Outcome> {
  return outcomeOf(spawnRun(folder, args));
}

/** Path of a declaration beside this file. */
export function declaration(name: string): string {
  return repositoryPath(`tests/runner/declarations/${name}`);
}

/** Registers a test with a folder of its own, which has a `corpus`. */
export function runTest(name: string, body: (folder: string) => Promise<void>): void {
  test(name, () => withCorpus(body));
}

/** Does something in a folder of its own, which has a `corpus`. */
export async function withCorpus(body: (folder: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    await writeCorpus(join(folder, "corpus"));
    await body(folder);
  });
}

const words = "the old king sailed his ship across a cold green sea and found no land but stars"
  .split(" ");

/** Writes documents of sentences about a king; always the same. */
export async function writeCorpus(folder: string): Promise<void> {
  for (
    const [split, lengths] of Object.entries({
      train: [700, 500, 300],
      valid: [90, 60],
      test: [150, 90, 40],
    })
  ) {
    await Deno.mkdir(join(folder, split), { recursive: true });
    for (const [i, length] of lengths.entries()) {
      const random = new Random(`${split}/${i}`);
      const text = Array.from({ length }, () => words[random.below(words.length)]).join(" ");
      await Deno.writeTextFile(join(folder, split, `${split}_${i}.txt`), `${text}.\n`);
    }
  }
}

/** Folders of all runs below a folder of results, by `<experiment>/<run>`. */
export async function runFolders(results: string): Promise<string[]> {
  const folders: string[] = [];
  for await (const experiment of Deno.readDir(results)) {
    if (experiment.name.startsWith(".")) continue; // locks
    for await (const run of Deno.readDir(join(results, experiment.name))) {
      folders.push(join(results, experiment.name, run.name));
    }
  }
  return folders.sort();
}

/** The folder of the only run of a folder of results. */
export async function onlyRun(results: string): Promise<string> {
  const folders = await runFolders(results);
  assert.equal(folders.length, 1);
  return folders[0];
}

/** A JSON file. */
// deno-lint-ignore no-explicit-any -- what is read is what the assertions are about
export async function readJson(...path: string[]): Promise<any> {
  return JSON.parse(await Deno.readTextFile(join(...path)));
}

/** Lines of a `.jsonl` file; none where it is missing. */
// deno-lint-ignore no-explicit-any -- likewise
export async function readLines(...path: string[]): Promise<any[]> {
  const text = await Deno.readTextFile(join(...path)).catch(() => "");
  return text.trim().split("\n").filter((line) => line).map((line) => JSON.parse(line));
}
