import { tableCommand } from "../../src/commands/table.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { execute, recordedOutput } from "./recorded_output.ts";

/** What `table` prints of a path. */
async function printed(path: string, format = "md"): Promise<string> {
  const lines: string[] = [];
  const command = tableCommand({ print: (text) => lines.push(text), note: () => {} });
  const code = await command.execute({ operands: [path], flags: new Map([["format", [format]]]) });
  assert.equal(code, 0);
  return lines.join("\n");
}

test("table of an experiment without results has the published numbers, what is missing and how to get it", async () => {
  // A folder of results in which nothing lies: the experiment is found by its name.
  await withFolder(async (results) => {
    const text = await printed(`${results}/paper_table_5`);
    assert.deepEqual(text.match(/^## .*$/gm), ["## paper_table_5"]);
    assert.match(
      text,
      /^\| GPT-2\* +\| EM +\| not measured \| +\| 22\.28 \(s 2\.3\) % \| +verified \|/m,
    );
    assert.match(text, /^\| LongMem +\| F1 +\| not measured \| .*from memory, unverified/m);
    assert.match(
      text,
      /^- Nothing of it is measured; `deno task run experiments\/paper\/table_5\.ts --results \S+` measures/m,
    );
    assert.match(text, /has not begun; `deno task run experiments\/paper\/table_5\.ts /m);
    // What lies there is shown, whatever is declared now.
    const run = `${results}/paper_table_5/earlier`;
    await Deno.mkdir(run, { recursive: true });
    await Deno.writeTextFile(
      `${run}/summary.json`,
      JSON.stringify({
        ...{ state: "failed", experiment: "paper_table_5", run: "earlier", scale: "paper" },
        metrics: [],
      }),
    );
    assert.match(await printed(`${results}/paper_table_5`), /^- earlier failed: /m);
  });
});

test("table takes the name of an experiment for its folder in results", async () => {
  assert.match(await printed("ablation_memory_size"), /^\| 8192 +\| longmem +\| 0\.9542 /m);
  // Nothing is recorded of it: it is run into results, too.
  assert.match(await printed("paper_table_5"), /`deno task run experiments\/paper\/table_5\.ts`/);
  await assert.rejects(printed("nosuch"), /^UsageError: .*"results\/nosuch" as there is no such/);
});

test("table notes links in a results folder, once", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/mine`);
    await Deno.writeTextFile(`${folder}/mine/summary.json`, "{}");
    for (const name of ["a", "b"]) await Deno.symlink(`${folder}/mine`, `${folder}/${name}`);
    const output = recordedOutput();
    await execute(tableCommand(output), folder);
    assert.deepEqual(output.notes.slice(1), [
      `Left out ${folder}/a, ${folder}/b: links are not followed; name the folders that they lead to`,
    ]);
  }));

test("table of declarations has their recorded runs", async () => {
  const text = await printed("experiments/ablations/memory_size.ts");
  assert.match(text, /^\| 8192 +\| longmem +\| 0\.9542 /m);
  assert.doesNotMatch(text, /not begun|Missing/);
});

test("table of declarations names the data that is missing, and where it is from", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/far.ts`;
    await Deno.writeTextFile(
      file,
      `export default {
        name: "far",
        question: "Is it there?",
        tokenizer: { kind: "gpt2", folder: "data/gpt2_bpe/nowhere" },
        backbone: { kind: "checkpoint", path: "data/squad/nowhere" },
        corpus: { kind: "none" },
        evaluations: [{ kind: "squad", folder: "data/squad/not/there", contextTokens: 512, models: ["backbone"] }],
      };`,
    );
    const text = await printed(folder);
    assert.match(text, /Is it there\?/);
    assert.match(text, /^- Missing: .*data\/squad\/nowhere/m);
    assert.match(text, /^- How to get squad: /m);
    assert.match(text, /^- \S+ has not begun; `deno task run \S*far\.ts` runs it$/m);
  });
});

test("table of a folder of other modules says that no run is in there, and runs none of them", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/other.ts`, `throw new Error("this module was run");\n`);
    const none = { name: "UsageError", message: /Cannot print .* as no run is in there$/ };
    await assert.rejects(printed(folder), none);
    await Deno.writeTextFile(
      `${folder}/shared.ts`,
      "const shared = {};\nexport { shared as default };\n",
    );
    await assert.rejects(
      printed(folder),
      /shared\.ts: Cannot declare experiment as 5 fields are wrong/,
    );
  });
});

test("table prints the parts that flags ask for, and says how to where there are many", async () => {
  const outputOf = async (...args: string[]) => {
    const output = recordedOutput();
    assert.equal(await execute(tableCommand(output), ...args), 0);
    return { text: output.printed.join("\n"), notes: output.notes.join("\n") };
  };
  const results = ["ablation_bank", "ablation_gate", "ablation_needle", "efficiency"]
    .map((name) => repositoryPath(`results/${name}`));
  const list = await outputOf(...results, "--list");
  assert.match(list.text, /^\| ablation_needle +\| 2 +\| needle +\| Where a fact/m);
  assert.equal(list.notes, "");
  const small = await outputOf(...results, "--evaluation", "needle", "--compact");
  assert.deepEqual(small.text.match(/^## .*$/gm), ["## ablation_needle"]);
  assert.deepEqual(small.text.match(/^### .*$/gm), ["### needle"]);
  const csv = await outputOf(results[2], "--metric", "accuracy", "--format=csv");
  const rows = csv.text.split("\n").slice(1);
  assert.ok(rows.length > 10);
  for (const row of rows) assert.match(row, /,accuracy/);
  const whole = await outputOf(...results);
  assert.match(whole.notes, /^Tables of 4 experiments: --list lists them/);
  assert.equal((await outputOf(...results.slice(1))).notes, "");
  await assert.rejects(
    execute(tableCommand(recordedOutput()), ...results, "--evaluation", "recal-test"),
    { name: "UsageError", message: /did you mean "recall-test"/ },
  );
});
