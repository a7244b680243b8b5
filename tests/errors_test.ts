import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { writeBackboneFolder } from "../src/checkpoint/folder.ts";
import { initializeBackbone } from "../src/backbone/initialization.ts";
import { failureText, InputRangeError, isForeseen } from "../src/errors.ts";
import { trainByteLevelBpe } from "../src/text/bpe_trainer.ts";
import { byteCharacters } from "../src/text/byte_level_bpe.ts";
import { formatTokenizerJson } from "../src/text/tokenizer_json.ts";
import { assert, test } from "./testing.ts";
import { copyFolder, withFolder } from "./temporary_folder.ts";
import { smallBackbone } from "./training/small_training.ts";
import {
  declaration,
  onlyRun,
  type Outcome,
  outcomeOf,
  readJson,
  readLines,
  run,
  runFolders,
  runTest,
  spawnRun,
  withCorpus,
  writeCorpus,
} from "./queue/command_line_run.ts";

const tiny = declaration("tiny.ts");

/** Files that do not do what their declaration needs. */
async function writeUnusableFiles(folder: string): Promise<void> {
  for (const split of ["other", "blank", "binary"]) await Deno.mkdir(join(folder, "corpus", split));
  await Deno.writeTextFile(join(folder, "corpus/other/readme.md"), "No document by its name.\n");
  await Deno.writeTextFile(join(folder, "corpus/blank/empty.txt"), " \n\n");
  await Deno.writeFile(join(folder, "corpus/binary/image.txt"), Uint8Array.of(0xff, 0xd8, 0xff));
  await Deno.mkdir(join(folder, "corpus/copy"));
  await Deno.copyFile(join(folder, "corpus/train/train_0.txt"), join(folder, "corpus/copy/a.txt"));
  const backbone = smallBackbone(); // 13 tokens
  const shape = { ...backbone.shape, vocabSize: 301 };
  await writeBackboneFolder(join(folder, "large"), {
    shape,
    weights: initializeBackbone(shape, 1),
  });
  await writeCarryingBackbone(folder);
  const bytes = Object.fromEntries(byteCharacters.map((character, id) => [character, id]));
  const vocabulary = {
    "encoder.json": JSON.stringify(bytes),
    "vocab.bpe": "#version: 0.2\n",
    "dict.txt": byteCharacters.map((_, id) => `${id} 1\n`).join(""),
  };
  await Deno.mkdir(join(folder, "vocabulary"));
  for (const [name, text] of Object.entries(vocabulary)) {
    await Deno.writeTextFile(join(folder, "vocabulary", name), text);
  }
  await writeBackboneFolder(join(folder, "small"), backbone);
  await writeBackboneFolder(join(folder, "truncated"), backbone);
  for await (const { name } of Deno.readDir(join(folder, "truncated"))) {
    if (!name.endsWith(".safetensors")) continue;
    const path = join(folder, "truncated", name);
    await Deno.truncate(path, (await Deno.stat(path)).size - 1000);
  }
}

/** Writes the folder of a backbone of 300 tokens that carries a tokenizer, two of whose tokens another has in the other order. */
async function writeCarryingBackbone(folder: string): Promise<void> {
  const shape = { ...smallBackbone().shape, vocabSize: 300 };
  const { vocab, merges } = trainByteLevelBpe(["a text of many other words"], { vocabSize: 260 });
  const swapped = new Map([...vocab, ["A", vocab.get("B")!], ["B", vocab.get("A")!]]);
  const path = join(folder, "swapped.json");
  await Deno.writeTextFile(path, formatTokenizerJson({ vocab: swapped, merges }));
  await writeBackboneFolder(
    join(folder, "carrying"),
    { shape, weights: initializeBackbone(shape, 1) },
    { tokenizer: { kind: "file", path } },
  );
}

/** What is recorded of each experiment of `unusable.ts`. */
const reasons: Readonly<Record<string, RegExp>> = {
  "no-corpus": /^Cannot run "no-corpus" as corpus.folder is missing: current value is "nowhere"/,
  "no-documents":
    /^Cannot open corpus as "corpus\/other" has no documents: names must match \*\.txt/,
  "no-such-split":
    /^Cannot run "no-such-split" as corpus.train is missing: current value is "corpus\/missing"/,
  "empty-document": /^Cannot read document "corpus\/blank\/empty.txt" as it is empty/,
  "foreign-document": /^Cannot read "corpus\/binary\/image.txt" as its bytes must be UTF-8$/,
  "missing-backbone": /backbone\.path is missing: current value is "nowhere.pt"/,
  "truncated-backbone": /^Cannot read safetensors file "truncated\/.*" as it is truncated/,
  "foreign-backbone": /^Cannot read "corpus\/test\/test_0.txt" as a checkpoint as it is none of/,
  "small-backbone":
    /^Cannot use the tokenizer of kind "bpe" .* backbone.path .* must be the tokenizer's 300 tokens: current size is 13$/,
  "large-backbone":
    /backbone's vocabulary must be the tokenizer's 300 tokens: current size is 301$/,
  "cut-dictionary":
    /^Cannot use the tokenizer of kind "gpt2" .* must be the tokenizer's 260 tokens: current size is 301$/,
  "other-tokenizer":
    /^Cannot use the tokenizer of kind "bpe" with the weights of backbone\.path "carrying" as a different tokenizer lies beside them: current token 69 is "A", allowed is "B"$/,
  "late-document": /^Cannot read document "corpus\/blank\/empty.txt" as it is empty/,
  "test-is-train":
    /^Cannot run "test-is-train" as corpus.test must have no text of corpus.train: current files "corpus\/copy\/\w+.txt" and "corpus\/train\/train_0.txt" are the same$/,
};

runTest(
  "runs with unusable files fail one by one, each naming its file or field",
  async (folder) => {
    await writeUnusableFiles(folder);
    const { code, stderr } = await run(folder, declaration("unusable.ts"));
    assert.equal(code, 1, stderr);
    assert.doesNotMatch(stderr, /\n {4}at /, "a foreseen error is one sentence");
    const errors = new Map<string, string>();
    for (const path of await runFolders(join(folder, "results"))) {
      const { experiment, state, error, metrics } = await readJson(path, "summary.json");
      assert.equal(
        await Deno.readTextFile(join(path, "metrics.jsonl")).catch(() => ""),
        "",
        "nothing is trained",
      );
      assert.equal(state, "failed", experiment);
      assert.deepEqual(metrics, []);
      assert.ok(stderr.includes(error), `${experiment} is not on stderr`);
      errors.set(experiment, error);
    }
    assert.deepEqual([...errors.keys()].sort(), Object.keys(reasons).sort());
    for (const [name, reason] of Object.entries(reasons)) assert.match(errors.get(name)!, reason);
  },
);

/** Declarations in a folder, of which one reads a corpus that is not there, and one is to start processes. */
async function writeDeclarations(folder: string): Promise<string> {
  const path = join(folder, "experiments");
  await Deno.mkdir(path);
  const base = `import base from ${JSON.stringify(pathToFileURL(tiny).href)};\n`;
  await Deno.writeTextFile(join(path, "here.ts"), `${base}export default base;\n`);
  const corpus = "corpus: { ...base.corpus, folder: 'data/novels' }";
  await Deno.writeTextFile(
    join(path, "there.ts"),
    `${base}export default { ...base, name: "there", ${corpus} };\n`,
  );
  const evaluation = { kind: "efficiency", models: ["backbone"], totalTokens: [32] };
  await Deno.writeTextFile(
    join(path, "timed.ts"),
    `${base}export default { ...base, name: "timed", evaluations: [${
      JSON.stringify(evaluation)
    }] };\n`,
  );
  return path;
}

runTest(
  "runs of a folder whose data is missing are left out, until it is there",
  async (folder) => {
    const declarations = await writeDeclarations(folder);
    const { code, stdout, stderr } = await run(folder, declarations);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, "");
    assert.match(stdout, /^3 runs: 1 completed, 2 left out; /m);
    assert.match(
      stdout,
      /^Left out, as something is missing:\n {2}there: data\/novels\n {2}timed: permission to start processes, which "deno task measure experiments\/timed.ts" has\nHow to get them:\n {2}novels: deno task data novels/m,
    );
    const results = join(folder, "results");
    const stateOf = async (name: string) => {
      const [path] = (await runFolders(results)).filter((path) => path.includes(`/${name}/`));
      return await readJson(path, "summary.json");
    };
    const { state, error } = await stateOf("there");
    assert.equal(state, "planned");
    assert.match(
      error,
      /^Cannot run "there" as corpus.folder is missing: .* get it with\n {2}deno task data novels$/,
    );

    await Deno.remove(join(declarations, "here.ts"));
    assert.equal((await run(folder, declarations)).code, 1, "nothing is completed");
    const named = await run(folder, join(declarations, "there.ts"), "--results", "named");
    assert.equal(named.code, 1);
    assert.match(named.stderr, /^there\/.* failed: Cannot run "there" as corpus.folder is missing/);

    await Deno.mkdir(join(folder, "data"));
    await Deno.rename(join(folder, "corpus"), join(folder, "data/novels"));
    assert.equal((await run(folder, declarations)).code, 0);
    const completed = await stateOf("there");
    assert.deepEqual([completed.state, completed.error], ["completed", undefined]);
  },
);

runTest("a memory that is smaller than a segment is a wrong declaration", async (folder) => {
  const settings = ["--set", "memory.capacityTokens=12", "--set", "memory.retrievedTokens=4"];
  const { code, stderr } = await run(folder, tiny, ...settings);
  assert.equal(code, 2);
  assert.match(
    stderr,
    /memory\.capacityTokens must hold one update, of 16 tokens each: current value is 12, allowed are integers from 16/,
  );
  await assert.rejects(Deno.stat(join(folder, "results")), Deno.errors.NotFound);
});

test("failureText() says what V8 means by arrays that do not fit, without a stack", () => {
  assert.throws(() => new Float32Array(2 ** 52), (error) => {
    assert.match(
      failureText(error),
      /^Cannot continue as an array does not fit into the memory of this machine \(Invalid typed array length: \d+\): [^\n]*$/,
    );
    return true;
  });
  assert.match(failureText(new RangeError("Maximum call stack size exceeded")), /\n {4}at /);
});

runTest(
  "a memory that no machine has fails the run with a sentence that says its size",
  async (folder) => {
    const { code, stderr } = await run(
      folder,
      tiny,
      "--set",
      "memory.capacityTokens=1_000_000_000_000",
    );
    assert.equal(code, 1);
    assert.match(
      stderr,
      /failed: Cannot run "tiny" as with memory\.capacityTokens it takes at least \d+\.\d GiB of memory: this machine has [\d.]+ GiB; current value is 1000000000000, allowed are integers up to \d+$/m,
    );
  },
);

/** Settings of an adaptation whose second loss is not a number. */
const diverging = [
  ...["--set", "adaptation.learningRate=1e30"],
  ...["--set", "adaptation.weightDecay=0"],
] as const;

let diverged: Promise<{ readonly folder: string; readonly outcome: Outcome }> | undefined;

/** Runs the diverging adaptation after its backbone, once for all tests. */
function diverge() {
  diverged ??= (async () => {
    const folder = await Deno.makeTempDir();
    globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
    await writeCorpus(join(folder, "corpus"));
    return { folder, outcome: await run(folder, tiny, ...diverging) };
  })();
  return diverged;
}

/** Registers a test with a folder of its own, in which the adaptation has failed. */
function divergedTest(
  name: string,
  body: (folder: string, outcome: Outcome) => Promise<void>,
): void {
  test(name, async () => {
    const { folder, outcome } = await diverge();
    await withFolder(async (copy) => {
      await copyFolder(folder, copy);
      await body(copy, outcome);
    });
  });
}

divergedTest(
  "a loss that is no number fails the run and keeps the last good checkpoint",
  async (folder, { code, stderr }) => {
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
      ...diverging,
      "--retry-failed",
    );
    assert.equal(again.code, 1);
    assert.deepEqual((await readLines(path, "metrics.jsonl")).slice(0, 12), lines.slice(0, 12));
  },
);

divergedTest("a damaged checkpoint fails the run, naming the file", async (folder) => {
  const path = await onlyRun(join(folder, "results"));
  const finished = join(path, "checkpoint/backbone/weights.safetensors");
  await Deno.truncate(finished, 100);
  const { code } = await run(
    folder,
    tiny,
    ...diverging,
    "--retry-failed",
  );
  assert.equal(code, 1);
  assert.match(
    (await readJson(path, "summary.json")).error,
    /^Cannot read safetensors file ".*checkpoint\/backbone\/weights.safetensors" as it is truncated/,
  );
  // Without it, the newest checkpoint of the training has all that is needed.
  await Deno.remove(finished);
  await run(folder, tiny, ...diverging, "--retry-failed");
  assert.match((await readJson(path, "summary.json")).error, /the loss of step 2 is NaN/);
  const newest = join(path, "checkpoint/longmem/step_000001");
  await Deno.mkdir(newest, { recursive: true });
  await Deno.writeTextFile(join(newest, "state.json"), "{");
  await run(folder, tiny, ...diverging, "--retry-failed");
  assert.match(
    (await readJson(path, "summary.json")).error,
    /^Cannot resume from ".*longmem\/step_000001\/state.json" as it is not JSON; --fresh starts the run again$/,
  );
});

/** Limits of files are the shell's to set, and only these systems let writes fail instead of the process. */
const withLimits = { ignore: Deno.build.os === "windows" };

test({
  ...withLimits,
  name: "a full disk fails the run in one sentence, and what there was resumes to the same results",
  fn: () =>
    withCorpus(async (folder) => {
      // Checkpoints are larger than 16 KiB, all else is smaller.
      const full = await outcomeOf(spawnRun(folder, [tiny], { fileKiB: 16 }));
      assert.equal(full.code, 1, full.stderr);
      const path = await onlyRun(join(folder, "results"));
      const { state, error } = await readJson(path, "summary.json");
      assert.equal(state, "failed");
      assert.match(
        error,
        /^Cannot write ".*\/parameters.safetensors" as File too large \(os error 27\)$/,
      );
      assert.ok(full.stderr.includes(` failed: ${error}`));
      assert.doesNotMatch(full.stderr, /\n {4}at /);
      assert.match(await Deno.readTextFile(join(path, "failure.txt")), /\n {4}at /);
      const resumed = await run(folder, tiny, "--retry-failed");
      assert.equal(resumed.code, 0, resumed.stderr);
      const again = (await readLines(path, "metrics.jsonl")).map(({ timing: _timing, ...l }) => l);
      await Deno.remove(join(folder, "results"), { recursive: true });
      await run(folder, tiny);
      const lines = (await readLines(path, "metrics.jsonl")).map(({ timing: _timing, ...l }) => l);
      assert.deepEqual(again, lines);
    }),
});

/** Whether a process can be given a file system of its own, as root or in a user's own namespace. */
async function hasNamespaces(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("unshare", { args: ["-rm", "true"], stderr: "null" })
      .output();
    return success;
  } catch {
    return false;
  }
}

test({
  name: "a results folder that cannot be written fails every run in one sentence",
  ignore: !await hasNamespaces(),
  fn: () =>
    withCorpus(async (folder) => {
      await Deno.mkdir(join(folder, "results"));
      const { code, stdout, stderr } = await outcomeOf(
        spawnRun(folder, [tiny], { readOnly: true }),
      );
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^tiny\/\S+ failed: Cannot write "results\/tiny\/\S+" as the file system is read-only\n$/,
      );
      assert.match(stdout, /^1 run: 1 failed; results are in results\n$/);
    }),
});

divergedTest(
  "a run that was killed within a line of its metrics goes on before that line",
  async (folder) => {
    const path = await onlyRun(join(folder, "results"));
    const before = await Deno.readTextFile(join(path, "metrics.jsonl"));
    await Deno.writeTextFile(join(path, "metrics.jsonl"), '{"phase":"longmem","st', {
      append: true,
    });
    const { stderr } = await run(
      folder,
      tiny,
      ...diverging,
      "--retry-failed",
    );
    assert.match(stderr, /the loss of step 2 is NaN/);
    const after = await Deno.readTextFile(join(path, "metrics.jsonl"));
    assert.deepEqual(after.split("\n").slice(0, 12), before.split("\n").slice(0, 12));
    assert.equal((await readLines(path, "metrics.jsonl")).length, 13);
  },
);

test("isForeseen() tells sentences and the system's refusals from faults of the code", () => {
  const foreseen = [
    new InputRangeError("Cannot use the backbone as its vocabulary is small: current size is 13"),
    attempt(() => Deno.readTextFileSync("nowhere")),
    new Deno.errors.NotFound('Cannot read "x" as there is no such file'),
    attempt(() => new Float32Array(2 ** 53)),
    attempt(() => new ArrayBuffer(2 ** 52)),
  ];
  const faults = [
    attempt(() => (undefined as unknown as { x: number }).x),
    attempt(() => {
      const { x } = undefined as unknown as { x: number };
      return x;
    }),
    attempt(() => [].reduce((a) => a)),
    attempt(() => new Float32Array(-1)),
    new Error("Cannot run a graph: shapes differ"),
    "text",
  ];
  assert.deepEqual(foreseen.map(isForeseen), foreseen.map(() => true));
  assert.deepEqual(faults.map(isForeseen), faults.map(() => false));
  assert.equal(failureText(foreseen[0]), (foreseen[0] as Error).message);
  assert.match(failureText(faults[0]), /^TypeError: Cannot read .*\n {4}at /);
  assert.equal(failureText("text"), "text");
});

function attempt(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
}
