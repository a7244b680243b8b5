/**
 * What the tiny experiment comes to when nothing disturbs it: for tests of what does.
 */
import { join } from "node:path";
import { withFolder } from "../temporary_folder.ts";
import { assert } from "../testing.ts";
import { declaration, onlyRun, readJson, readLines, run, writeCorpus } from "./command_line_run.ts";

/** Path of the declaration. */
export const tiny = declaration("tiny.ts");

/** What a run leaves that may not depend on when it was killed. */
export interface Results {
  /** Lines of `metrics.jsonl` without their times. */
  readonly metrics: string[];
  /** Files as they are, by name. */
  readonly files: Record<string, string>;
  readonly hashes: Record<string, string>;
}

/** What the only run of a folder has left. */
export async function resultsOf(folder: string): Promise<Results> {
  const path = await onlyRun(join(folder, "results"));
  const files: Record<string, string> = {};
  for (
    const name of [
      "summary.json",
      "experiment.json",
      "tokenizer.json",
      "samples/perplexity-test.jsonl",
    ]
  ) files[name] = await Deno.readTextFile(join(path, name));
  const metrics = await readLines(path, "metrics.jsonl");
  return {
    metrics: metrics.map(({ timing: _timing, ...line }) => JSON.stringify(line)),
    files,
    hashes: (await readJson(path, "environment.json")).hashes,
  };
}

let uninterrupted: Promise<Results> | undefined;

/** The results of a run that nothing disturbs. */
export function expectedResults(): Promise<Results> {
  uninterrupted ??= withFolder(async (folder) => {
    await writeCorpus(join(folder, "corpus"));
    const { code, stderr } = await run(folder, tiny);
    assert.equal(code, 0, stderr);
    return await resultsOf(folder);
  });
  return uninterrupted;
}
