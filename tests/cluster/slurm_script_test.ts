/**
 * The batch script as a shell runs it, with SLURM's part played by the test.
 */
import { join } from "node:path";
import { type SlurmJob, slurmScript } from "../../src/cluster/slurm_script.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

const job: SlurmJob = {
  settings: {},
  tasks: 4,
  folder: "/shared/code",
  deno: "/shared/bin/deno",
  denoDir: "/shared/cache",
  packages: ["zod/4.6.7"],
  args: ["run", "main.ts", "run", "--results=/shared/results", "--", "sweep.ts"],
  logs: "/shared/results/.cluster",
  stamp: "/shared/results/.cluster/1.sh",
};

/** The options that a script gives SLURM. */
function optionsOf(script: string): string[] {
  return [...script.matchAll(/^#SBATCH (.*)$/gm)].map(([, option]) => option);
}

test("a job asks SLURM for what its settings say, and for nothing else", () => {
  assert.deepEqual(optionsOf(slurmScript(job)), [
    "--job-name=longmem",
    "--array=0-3",
    "--ntasks=1",
    "--requeue",
    "--open-mode=append",
    "--output=/shared/results/.cluster/%A_%a.log",
  ]);
  const settings = {
    partition: "gpu,long",
    account: "lab",
    time: "12:00:00",
    gpus: 2,
    cpus: 8,
    memory: "16G",
  };
  const script = slurmScript({ ...job, settings, tasks: 1, logs: "/a b/100%" });
  assert.deepEqual(optionsOf(script), [
    "--job-name=longmem",
    "--array=0-0",
    "--ntasks=1",
    "--partition=gpu,long",
    "--account=lab",
    "--time=12:00:00",
    "--cpus-per-task=8",
    "--mem=16G",
    "--gres=gpu:2",
    "--signal=B:USR1@300",
    "--requeue",
    "--open-mode=append",
    '--output="/a b/100%%/%A_%a.log"',
  ]);
});

test("a short time limit is announced when a quarter of it is left", () => {
  const [option] = optionsOf(slurmScript({ ...job, settings: { time: "8" } }))
    .filter((text) => text.startsWith("--signal"));
  assert.equal(option, "--signal=B:USR1@120");
});

test("paths that SLURM's options cannot hold are refused", () => {
  for (const logs of ["/a\nb", '/a"b', "/a\\b"]) {
    assert.throws(() => slurmScript({ ...job, logs }), {
      message: /^Cannot submit as a path has a character that SLURM's options cannot hold: current/,
    });
  }
});

/** A script that is run in place of Deno: it does what `body` says, and ends as a run does that is asked to stop. */
const fakeDeno = (body: string) =>
  `#!/bin/bash
[ "$1" = --version ] && exit 0
printf '%s\\n' "$@" >arguments
echo "$DENO_DIR $LD_LIBRARY_PATH" >environment
trap 'echo saved; exit 130' TERM
${body}
`;

/** A folder as a node sees it: names with spaces and quotes, for the shell to mind. */
async function withNode(
  body: string,
  use: (node: { folder: string; job: SlurmJob; run: Deno.Command }) => Promise<void>,
): Promise<void> {
  await withFolder(async (parent) => {
    const folder = join(parent, "the node's $HOME");
    await Deno.mkdir(join(folder, "cache/npm/registry/zod/4.6.7"), { recursive: true });
    const programs = {
      deno: fakeDeno(body),
      scontrol: '#!/bin/bash\necho "$@" >>requeued\n',
    };
    for (const [name, text] of Object.entries(programs)) {
      await Deno.writeTextFile(join(folder, name), text, { mode: 0o755 });
    }
    const stamp = join(folder, "job.sh");
    const own: SlurmJob = {
      ...job,
      folder,
      deno: join(folder, "deno"),
      denoDir: join(folder, "cache"),
      libraryPath: "/lib one",
      args: ["run", "--set=a='b c'", "--", "$(sweep).ts"],
      stamp,
    };
    await Deno.writeTextFile(stamp, slurmScript(own));
    const run = new Deno.Command("bash", {
      args: [stamp],
      env: { PATH: `${folder}:${Deno.env.get("PATH")}`, SLURM_JOB_ID: "77", LD_LIBRARY_PATH: "" },
      stdout: "piped",
      stderr: "piped",
    });
    await use({ folder, job: own, run });
  });
}

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

test("a task runs in the folder, with the arguments and the environment of the job", () =>
  withNode("exit 3", async ({ folder, run }) => {
    const { code, stderr } = await run.output();
    assert.deepEqual([code, decode(stderr)], [3, ""], "its exit code is the run's");
    const read = (name: string) => Deno.readTextFile(join(folder, name));
    assert.equal(await read("arguments"), "run\n--set=a='b c'\n--\n$(sweep).ts\n");
    assert.equal(await read("environment"), `${folder}/cache /lib one\n`);
    await assert.rejects(read("requeued"), Deno.errors.NotFound);
  }));

/** Starts a task, signals its shell, each time once a file is there, writes the file `go`, and waits for the task's end. */
async function signalled(
  run: Deno.Command,
  folder: string,
  signals: Readonly<Record<string, Deno.Signal>>,
): Promise<{ code: number; said: string }> {
  const child = run.spawn();
  const output = child.output();
  for (const [file, signal] of Object.entries(signals)) {
    const isThere = () => Deno.stat(join(folder, file)).then(() => true, () => false);
    while (!await isThere()) await new Promise((done) => setTimeout(done, 10));
    child.kill(signal);
  }
  await Deno.writeTextFile(join(folder, "go"), "");
  const { code, stdout } = await output;
  return { code, said: decode(stdout) };
}

const waits = "touch ready; while :; do sleep 0.05; done";

test("before its time limit a task saves a checkpoint and is queued again", () =>
  withNode(waits, async ({ folder, run }) => {
    const { code, said } = await signalled(run, folder, { ready: "SIGUSR1" });
    assert.equal(code, 130);
    assert.match(said, /The time limit is near: saving a checkpoint\nsaved\nWaiting for another/);
    assert.equal(await Deno.readTextFile(join(folder, "requeued")), "requeue 77\n");
  }));

test("a task that its time limit has reached before it could save a checkpoint is not queued again", () =>
  withNode(
    "trap 'touch told' TERM; touch ready; while ! [ -e go ]; do sleep 0.05; done; exit 130",
    async (node) => {
      const { code, said } = await signalled(node.run, node.folder, {
        ready: "SIGUSR1",
        told: "SIGTERM",
      });
      assert.equal(code, 130);
      assert.match(said, /The time limit is near/);
      await assert.rejects(Deno.stat(join(node.folder, "requeued")), Deno.errors.NotFound);
    },
  ));

test("a task that completes its runs although its time limit is near is not queued again", () =>
  withNode("trap 'exit 0' TERM; " + waits, async ({ folder, run }) => {
    const { code } = await signalled(run, folder, { ready: "SIGUSR1" });
    assert.equal(code, 0);
    await assert.rejects(Deno.stat(join(folder, "requeued")), Deno.errors.NotFound);
  }));

test("a task that SLURM cancels waits for its run to save a checkpoint, and is not queued again", () =>
  withNode(
    "touch ready; while ! [ -e go ]; do sleep 0.05; done; echo saved; exit 130",
    async (node) => {
      // SLURM signals the run itself.
      const { code, said } = await signalled(node.run, node.folder, { ready: "SIGTERM" });
      assert.equal(code, 130);
      assert.match(said, /\nsaved\n$/);
      await assert.rejects(Deno.stat(join(node.folder, "requeued")), Deno.errors.NotFound);
    },
  ));

test("a task says what its node lacks, and runs nothing", async () => {
  const lacks: Record<string, [path: string, message: RegExp]> = {
    results: ["job.sh", /job.sh is missing: nodes need the folder of results/],
    deno: ["deno", /deno does not run: nodes need Deno under the same path/],
    packages: ["cache/npm/registry/zod", /Deno's cache .*cache has no zod\/4.6.7: nodes need/],
  };
  for (const [what, [path, message]] of Object.entries(lacks)) {
    await withNode("exit 0", async ({ folder, run }) => {
      await Deno.copyFile(join(folder, "job.sh"), join(folder, "copy.sh"));
      await Deno.remove(join(folder, path), { recursive: true });
      if (path === "job.sh") {
        run = new Deno.Command("bash", { args: [join(folder, "copy.sh")], stderr: "piped" });
      }
      const { code, stderr } = await run.output();
      assert.equal(code, 1, what);
      assert.match(decode(stderr), /Cannot run on /, what);
      assert.match(decode(stderr), message, what);
      await assert.rejects(Deno.stat(join(folder, "arguments")), Deno.errors.NotFound);
    });
  }
});
