/**
 * Contracts that a refactoring must not change: run ids, the tables of the committed results, and the records of a small run.
 *
 * A change that is meant to change them writes the files in `golden/` again, and its commit says why:
 *
 *     LONGMEM_UPDATE_GOLDEN=1 deno task test tests/golden_test.ts
 */
import { createHash } from "node:crypto";
import { relative } from "node:path";
import { resolveRuns } from "../src/experiment/resolve.ts";
import { assert, repositoryPath, test } from "./testing.ts";
import {
  declaration,
  onlyRun,
  readJson,
  readLines,
  run,
  withCorpus,
} from "./queue/command_line_run.ts";
import { committedRuns } from "./results/committed_runs.ts";
import { metricCatalog, readTabulatedRun } from "../src/evaluation/metric_catalog.ts";
import { experimentTables } from "../src/results/evaluation_table.ts";
import { findRunRecords } from "../src/results/read_runs.ts";
import { formatTables } from "../src/results/table.ts";

const update = Deno.env.get("LONGMEM_UPDATE_GOLDEN") === "1";

/** The content of a golden file; written again where that was asked for. */
async function golden<T>(name: string, current: T): Promise<T> {
  const path = repositoryPath(`tests/golden/${name}.json`);
  if (update) {
    const lines = Object.entries(current as object).map(([key, value]) =>
      `${JSON.stringify(key)}:${JSON.stringify(value)}`
    );
    await Deno.writeTextFile(path, `{\n${lines.join(",\n")}\n}\n`);
  }
  return JSON.parse(await Deno.readTextFile(path));
}

test("run ids of every declaration in experiments/ are as recorded", async () => {
  const ids: Record<string, string[]> = {};
  for (const { file, experiment, id } of await resolveRuns([repositoryPath("experiments")])) {
    (ids[relative(repositoryPath("."), file)] ??= []).push(`${experiment.name}/${id}`);
  }
  assert.ok(Object.keys(ids).length >= 30);
  assert.deepEqual(ids, await golden("run_ids", ids));
});

test("tables of the committed results are as recorded", async () => {
  const hashes: Record<string, Record<string, string>> = {};
  const experiments = new Set((await committedRuns()).map((run) => run.split("/")[0]));
  for (const name of experiments) {
    hashes[name] = {};
    // As the command does, but once for both formats.
    const { records, damaged } = await findRunRecords(
      [repositoryPath(`results/${name}`)],
      readTabulatedRun,
    );
    const tables = experimentTables(records, metricCatalog, damaged);
    for (const format of ["md", "csv"] as const) {
      const text = formatTables(tables, format).trimEnd();
      hashes[name][format] = createHash("sha256").update(text).digest("hex");
    }
  }
  const sorted = Object.fromEntries(Object.entries(hashes).sort());
  assert.deepEqual(sorted, await golden("tables", sorted));
});

/**
 * Asserts that two JSON values are the same, and their numbers as close as all processors and engines compute them; the
 * error names the first place that differs.
 */
function assertSameRecords(actual: unknown, expected: unknown, place = "records"): void {
  if (typeof actual === "number" && typeof expected === "number") {
    const difference = Math.abs(actual - expected);
    assert.ok(
      difference <= 1e-3 * Math.max(1, Math.abs(expected)),
      `${place} is ${actual}, recorded was ${expected}`,
    );
  } else if (
    typeof actual === "object" && actual !== null && typeof expected === "object" &&
    expected !== null
  ) {
    assert.deepEqual(Object.keys(actual), Object.keys(expected), `fields of ${place}`);
    for (const key of Object.keys(actual)) {
      assertSameRecords(Reflect.get(actual, key), Reflect.get(expected, key), `${place}.${key}`);
    }
  } else assert.deepEqual(actual, expected, place);
}

test("the records of a small run are as recorded", () =>
  withCorpus(async (folder) => {
    const { code, stderr } = await run(folder, declaration("golden.ts"));
    assert.equal(code, 0, stderr);
    const path = await onlyRun(`${folder}/results`);
    const names: string[] = [];
    for await (const { name } of Deno.readDir(path)) names.push(name);
    const samples: Record<string, unknown> = {};
    for await (const { name } of Deno.readDir(`${path}/samples`)) {
      samples[name] = await readLines(path, "samples", name);
    }
    const { metrics } = await readJson(path, "summary.json");
    const records = {
      files: names.sort(),
      declaration: await readJson(path, "experiment.json"),
      training: (await readLines(path, "metrics.jsonl")).map((record) => {
        // How fast it was is of this machine.
        const { timing: _timing, ...kept } = record;
        return kept;
      }),
      samples: Object.fromEntries(Object.entries(samples).sort()),
      metrics,
    };
    const current = JSON.parse(JSON.stringify(records));
    assertSameRecords(current, await golden("small_run", current));
  }));
