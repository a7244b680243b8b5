import { exportCommand } from "../../src/commands/export.ts";
import { generateCommand } from "../../src/commands/generate.ts";
import { importCommand } from "../../src/commands/import.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { execute, recordedOutput } from "./recorded_output.ts";
import { tinyText, writeTinyRun } from "./tiny_run.ts";

/** A finished run and a document. */
async function withRun(
  use: (folder: string, generate: (...args: string[]) => Promise<string>) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    await writeTinyRun(`${folder}/run`);
    await Deno.writeTextFile(`${folder}/document.txt`, tinyText);
    const generate = async (...args: string[]) => {
      const said = recordedOutput();
      const all = ["--document", `${folder}/document.txt`, "--device", "cpu", "--tokens", "12"];
      assert.equal(await execute(generateCommand(said), ...all, ...args), 0);
      // The whole document is more than the memory's 256 tokens.
      assert.match(said.notes.join("\n"), /document.txt: \d+ tokens, 256 of them in memory/);
      return said.printed.join("\n");
    };
    await use(folder, generate);
  });
}

test("generate continues a prompt from a run, the same text for the same seed", async () => {
  await withRun(async (folder, generate) => {
    const args = ["--run", `${folder}/run`, "--prompt", "The cat"];
    const first = await generate(...args);
    assert.match(first, /^The cat/);
    assert.ok(first.length > "The cat".length);
    assert.equal(await generate(...args, "--seed", "1"), first);
    assert.notEqual(await generate(...args, "--seed", "2"), first);
    const end = "flat hat, 9 mats sat; ".repeat(60);
    await Deno.writeTextFile(`${folder}/document.txt`, tinyText + end);
    assert.notEqual(await generate(...args), first, "the document is read to its end");
    const greedy = await generate(...args, "--temperature", "0");
    assert.equal(await generate(...args, "--temperature", "0", "--seed", "2"), greedy);
  });
});

test("generate takes checkpoints to the same text as the run that they are from", async () => {
  await withRun(async (folder, generate) => {
    await execute(importCommand(recordedOutput()), `${folder}/run`, "--out", `${folder}/longmem`);
    await execute(
      exportCommand(recordedOutput()),
      ...[`${folder}/longmem`, "--out", `${folder}/sidenet.safetensors`],
    );
    const parts = [
      ...["--backbone", `${folder}/longmem`, "--sidenet", `${folder}/sidenet.safetensors`],
      ...["--tokenizer", `${folder}/run/tokenizer.json`, "--context", "32"],
    ];
    const ofRun = await generate("--run", `${folder}/run`);
    assert.equal(await generate(...parts), ofRun);
    // The folder knows its tokenizer and its window.
    const longMem = `${folder}/longmem`;
    assert.equal(await generate("--backbone", longMem, "--sidenet", longMem), ofRun);
    await Deno.writeTextFile(`${folder}/longmem/tokenizer.json`, "{}");
    assert.equal(await generate(...parts), ofRun, "the one that is asked for wins");
    await assert.rejects(generate("--backbone", longMem, "--sidenet", longMem), /tokenizer\.json/);
  });
});

test("generate says what is missing or does not fit", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/document.txt`, tinyText);
    const run = (...args: string[]) => execute(generateCommand(recordedOutput()), ...args);
    const document = ["--document", `${folder}/document.txt`];
    const usage = (message: RegExp) => ({ name: "UsageError", message });
    const input = (message: RegExp) => ({ name: "InputError", message });
    await assert.rejects(run("--run", folder), usage(/--document is missing/));
    await assert.rejects(run(...document), usage(/--backbone is missing/));
    const checkpoint = ["--backbone", `${folder}/b.pt`, "--sidenet", `${folder}/s.pt`];
    await assert.rejects(run(...document, ...checkpoint), usage(/--tokenizer is missing/));
    await assert.rejects(run("text", ...document), usage(/"text" as it follows no flag/));
    await assert.rejects(
      run(...document, "--run", folder, "--sidenet", "x"),
      usage(/--sidenet must be left out where --run is given/),
    );
    for (const temperature of ["-1", "warm", "", "Infinity"]) {
      await assert.rejects(
        run(...document, "--run", folder, `--temperature=${temperature}`),
        usage(/Cannot read --temperature: current value is ".*", allowed are numbers from 0/),
      );
    }
    await assert.rejects(
      run(...document, "--run", folder),
      input(/Cannot read run ".*" as "experiment.json" is missing/),
    );
    await writeTinyRun(`${folder}/run`);
    await assert.rejects(
      run("--document", `${folder}/none.txt`, "--run", `${folder}/run`),
      { name: "InputError" },
    );
  });
});
