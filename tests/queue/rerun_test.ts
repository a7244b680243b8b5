import { join } from "node:path";
import { assert } from "../testing.ts";
import { declaration, onlyRun, readJson, run, runTest } from "./command_line_run.ts";

runTest(
  "a run is run again from what its folder records, and says what is otherwise",
  async (folder) => {
    const small = ["--set", "evaluations.0.models=backbone,longmem", "--set", "adaptation.steps=3"];
    const first = await run(folder, declaration("tiny.ts"), ...small);
    assert.equal(first.code, 0, first.stderr);
    const original = await onlyRun(join(folder, "results"));
    const summary = await readJson(original, "summary.json");
    const environment = await readJson(original, "environment.json");

    // Nothing but these two, in a folder of another name.
    const record = join(folder, "record");
    await Deno.mkdir(record);
    for (const name of ["experiment.json", "environment.json"]) {
      await Deno.copyFile(join(original, name), join(record, name));
    }
    const remarks = (stdout: string) =>
      [...stdout.matchAll(/^tiny\/\S+ {2}again: (.*)$/gm)].map(([, remark]) => remark)
        .filter((remark) => !remark.includes("in no commit")); // of the code that is tested
    const again = await run(folder, "record", "--results", "again");
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(remarks(again.stdout), []);
    const repeated = await onlyRun(join(folder, "again"));
    assert.deepEqual(await readJson(repeated, "summary.json"), summary);
    assert.deepEqual((await readJson(repeated, "environment.json")).hashes, environment.hashes);

    // The record of another machine, which measured something else.
    const other = {
      ...environment,
      commit: "0".repeat(40),
      dirty: false,
      deno: "1.0.0",
      device: "cpu: an abacus, 1 thread (asked for)",
      hashes: { ...environment.hashes, "corpus test": "0".repeat(64) },
    };
    await Deno.writeTextFile(join(record, "environment.json"), JSON.stringify(other));
    const [metric, ...rest] = summary.metrics;
    const metrics = [{ ...metric, value: metric.value + 1 }, ...rest];
    await Deno.writeTextFile(join(record, "summary.json"), JSON.stringify({ ...summary, metrics }));
    const anew = await run(folder, "record/experiment.json", "--results", "again", "--fresh");
    assert.equal(anew.code, 0, anew.stderr);
    const expected = [
      /^commit is .*, recorded was 0{12}: git checkout 0{12} has the recorded code$/,
      /^deno is .*, recorded was 1\.0\.0$/,
      /^device is cpu: .*, recorded was cpu: an abacus, 1 thread$/,
      /^corpus test differs: SHA-256 is [0-9a-f]{12}, recorded was 0{12}$/,
      /^1 of \d+ numbers differ from the recorded ones, backbone perplexity most: /,
    ];
    const found = remarks(anew.stdout);
    assert.equal(found.length, expected.length, found.join("\n"));
    for (const [i, pattern] of expected.entries()) assert.match(found[i], pattern);
    const done = await run(folder, "record", "--results", "again");
    assert.match(done.stdout, /completed earlier; --results FOLDER runs it again there/);
  },
);
