import { describeRuns } from "../../src/commands/dry_run.ts";
import { estimateRun } from "../../src/experiment/estimate.ts";
import { resolveSweep } from "../../src/experiment/resolve.ts";
import { smallExperiment } from "../experiment/small_experiment.ts";
import { smallEnvironment } from "../results/small_environment.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, assertClose, test } from "../testing.ts";

/** Four runs, two and two of which train the same, and read one or two books. */
const runs = resolveSweep("experiments/a.ts", {
  ...smallExperiment,
  question: "Are chunks to be long?",
  corpus: { kind: "chronicle", books: { train: 1, valid: 1, test: 2 } },
  tokenizer: { kind: "chronicle" },
  evaluations: [{ kind: "perplexity", split: "test", models: ["longmem"], contextTokens: 32 }],
  sweep: { "memory.chunkTokens": [2, 4], "evaluations.0.maxDocuments": [1, 2] },
});

async function write(results: string, i: number, text: string): Promise<void> {
  await Deno.mkdir(`${results}/small/${runs[i].id}`, { recursive: true });
  await Deno.writeTextFile(`${results}/small/${runs[i].id}/summary.json`, text);
}

test("describeRuns() says once what the runs of an experiment share, and a line for each run", async () => {
  await withFolder(async (results) => {
    await write(
      results,
      0,
      '{"state": "completed", "experiment": "small", "run": "a", "scale": "paper", "metrics": []}',
    );
    await write(results, 2, '{"state": ');
    const lines = (await describeRuns(runs, results, smallEnvironment)).split("\n");
    assert.equal(lines[0], "small (experiments/a.ts)");
    assert.equal(lines[1], "  Are chunks to be long?");
    const [, , , backbone, longmem] = lines;
    assert.match(backbone, /^ {2}train backbone: 10 steps, 2,560 tokens, 0\.\d+ TFLOP$/);
    assert.match(longmem, /^ {2}train longmem: 10 steps, 2,560 tokens, 0\.\d+ TFLOP$/);
    const rest = lines.slice(5);
    const states = ["completed", "planned", "damaged", "planned"];
    for (const [i, { id, variation }] of runs.entries()) {
      const at = rest.findIndex((line) => line.includes(` ${id} `));
      const varies = Object.entries(variation!).map(([path, value]) => `${path}=${value}`);
      const evaluated = `at most ${1 + i % 2} documents of test; longmem; about `;
      assert.ok(
        rest[at + 1].startsWith(`      evaluate perplexity-test: ${evaluated}`),
        rest[at + 1],
      );
      assert.equal(rest[at], `  ${states[i].padEnd(11)}  ${id}  ${varies.join(" ")}`);
    }
    assert.equal(lines.filter((line) => line.includes("train longmem")).length, 1);
    const reasons = rest.filter((line) => line.startsWith("      Cannot read "));
    assert.equal(reasons.length, 1);
    assert.match(reasons[0], /summary.json" as it is not JSON/);
    assert.equal(rest.at(-2), "4 runs: 1 completed, 2 planned, 1 damaged");
    // Two chunk lengths are to be trained, with one backbone for both.
    assert.match(
      rest.at(-1)!,
      /^To do in 3 runs: 3 trainings, counting once what runs share, and 3 evaluations, 0\.\d+ TFLOP$/,
    );
    const [, ...toDo] = await Promise.all(runs.map(({ experiment }) => estimateRun(experiment)));
    const [trained, adapted] = toDo[0].trainings.map(({ operations }) => operations!);
    const evaluated = toDo.reduce((sum, { evaluations: [{ operations }] }) => sum + operations!, 0);
    const tera = Number(/([\d.]+) TFLOP/.exec(rest.at(-1)!)![1]);
    const expected = (trained + 2 * adapted + evaluated) / 1e12;
    assertClose([tera], [expected], { tolerance: 5e-3 * expected });
  });
});

test("describeRuns() notes a SideNet whose reading layer does not start as the cached block", async () => {
  const notesOf = async (sidenet: object) => {
    const declared = resolveSweep("a.ts", { ...smallExperiment, sidenet: sidenet as never });
    return await withFolder(async (results) => {
      const text = await describeRuns(declared, results, smallEnvironment);
      return text.split("\n").filter((line) => line.startsWith("  note: "));
    });
  };
  // Layer i is a copy of block 2 i + 1 (specification section 9), so that of 0..3 blocks 1 and 3 are.
  assert.deepEqual(await notesOf({ memoryBlock: 1 }), []);
  assert.deepEqual(await notesOf({ memoryBlock: 3 }), []);
  const [note, ...others] = await notesOf({ memoryBlock: 2 });
  assert.deepEqual(others, []);
  assert.match(note, /layer 1 reads the memory of block 2 but starts as a copy of block 3,/);
  const from = (...blocks: number[]) => ({
    memoryBlock: 2,
    initialization: { kind: "blocks", blocks },
  });
  assert.deepEqual(await notesOf(from(0, 2)), []);
  assert.match((await notesOf(from(2, 0)))[0], /starts as a copy of block 0,/);
  assert.deepEqual(await notesOf({ memoryBlock: 2, initialization: { kind: "random" } }), []);
  assert.deepEqual(await notesOf({ kind: "checkpoint", path: "data/chronicle/backbone" }), []);
});

test("describeRuns() counts the runs that miss data, and what nobody knows the cost of", async () => {
  const missing = resolveSweep("a.ts", { ...smallExperiment, sweep: { seed: [1, 2] } });
  await withFolder(async (results) => {
    const one = await describeRuns(missing.slice(0, 1), results, smallEnvironment);
    assert.match(one, /^To do in 1 run, 1 of .* and 1 evaluation, .*, and 1 unknown cost$/m);
    const text = await describeRuns(missing, results, smallEnvironment);
    assert.match(text, /^ {2}missing: corpus$/m);
    assert.match(text, /^Missing:\n {2}corpus \(2 runs\)$/m);
    assert.match(text, /^To do in 2 runs, 2 of them without data: .*, and 2 unknown costs$/m);
  });
});

test("describeRuns() goes on after any summary that is damaged, and says what is wrong", async () => {
  const whole =
    '{"state": "completed", "experiment": "a", "run": "b", "scale": "paper", "metrics": ';
  const damages: readonly [string, RegExp][] = [
    ["null", /summary.json" as it is not a JSON object/],
    ['{"metrics": []}', /as state must be one of .*: it is missing/],
    [`${whole}{}}`, /as metrics must be array: current value is {}/],
    [`${whole}[{"evaluation": "a/b"}]}`, /as metrics.0.evaluation must be the name of a file/],
    [`{"state": ${"[".repeat(100_000)}`, /as it nests too deep/],
  ];
  for (const [text, problem] of damages) {
    await withFolder(async (results) => {
      await write(results, 1, text);
      const described = await describeRuns(runs, results, smallEnvironment);
      assert.match(described, /^4 runs: 3 planned, 1 damaged$/m);
      assert.match(described, problem);
    });
  }
  await withFolder(async (results) => {
    await Deno.mkdir(`${results}/small/${runs[1].id}/summary.json`, { recursive: true });
    const described = await describeRuns(runs, results, smallEnvironment);
    assert.match(described, /summary.json" as it is not a regular file: it is a folder/);
  });
});

test("describeRuns() says that a folder of the corpus has no documents", () =>
  withFolder(async (folder) => {
    for (const split of ["train", "valid", "test"]) {
      await Deno.mkdir(`${folder}/${split}`);
      await Deno.writeTextFile(
        `${folder}/${split}/a.${split === "test" ? "md" : "txt"}`,
        "A text.",
      );
    }
    const empty = resolveSweep("experiments/a.ts", {
      ...smallExperiment,
      corpus: { folder, train: "train", valid: "valid", test: "test" },
      tokenizer: { kind: "bpe", vocabSize: 270 },
    });
    const lines = (await describeRuns(empty, folder, smallEnvironment)).split("\n");
    const reason = lines.find((line) => line.startsWith("  cannot run: "))!;
    assert.match(reason, /\/test" has no documents: .* with --set corpus\.test=PATTERN$/);
    assert.match(lines.at(-1)!, /^To do in 1 run, 1 of them without data: /);
  }));
