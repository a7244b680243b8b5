import { join } from "node:path";
import { reportCommand } from "../../src/commands/report.ts";
import { tableCommand } from "../../src/commands/table.ts";
import type { Metric } from "../../src/results/records.ts";
import { findRunRecords, readRunRecord, type RunRecord } from "../../src/results/read_runs.ts";
import { execute, recordedOutput } from "../commands/recorded_output.ts";
import { run, runFolders } from "../queue/command_line_run.ts";
import { assert, assertClose, repositoryPath, test } from "../testing.ts";

const declaration = "tests/experiments/declarations/recall_sweep.ts";
const repository = repositoryPath(".");
const [chunks, capacities, seeds] = [[2, 4], [128, 1024], [1, 2]];

/** Recall of far facts by a model of the run that has these values of the swept fields. */
function recallOf(records: readonly RunRecord[]) {
  return (model: string, values: readonly number[]): Metric => {
    const record = records.find(({ summary }) =>
      String(Object.values(summary.variation!)) === String(values)
    );
    const found = record?.summary.metrics.find((metric) =>
      metric.model === model && metric.name === "recall all far"
    );
    return found ?? assert.fail(`${model} of ${values} has no recall of far facts`);
  };
}

/** Vertical places of the points of a figure, series by series; those of its legend come last. */
function heightsOf(svg: string): number[] {
  const series = [...svg.matchAll(/<g[^>]*aria-label="dot"[^>]*>(.*?)<\/g>/gs)];
  return series.flatMap(([, points]) =>
    [...points.matchAll(/cy="([^"]+)"|translate\([^,]+,([^)]+)\)/g)]
      .map(([, circle, shape]) => Number(circle ?? shape))
  );
}

async function contents(folders: readonly string[]): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const folder of folders) {
    for (const name of ["experiment.json", "environment.json", "metrics.jsonl", "summary.json"]) {
      texts.set(`${folder}/${name}`, await Deno.readTextFile(join(folder, name)));
    }
  }
  return texts;
}

test("a sweep of eight runs trains four times, and comes to a table and figures of its numbers", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const results = `${folder}/results`;
    const first = await run(repository, declaration, "--results", results);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /^8 runs: 8 completed; /m);
    const paths = await runFolders(results);
    const { records } = await findRunRecords([results], readRunRecord);
    assert.deepEqual(records.map(({ path }) => path), paths);
    assert.equal(records.length, chunks.length * capacities.length * seeds.length);
    // What only the evaluation has otherwise is not trained for.
    const taken = records.filter(({ environment }) => environment!.taken?.longmem);
    assert.equal(records.length - taken.length, chunks.length * seeds.length);

    // What a memory holds is recalled, and the more, the larger it is: by more than noise.
    const recall = recallOf(records);
    for (const chunkTokens of chunks) {
      for (const seed of seeds) {
        const at = (capacity: number, model = "longmem") =>
          recall(model, [chunkTokens, capacity, seed]);
        const [small, large] = capacities.map((capacity) => at(capacity));
        const noise = Math.hypot(small.stderr!, large.stderr!);
        assert.ok(large.value - small.value > 2 * noise, `${large.value} and ${small.value}`);
        for (const capacity of capacities) {
          const none = at(capacity, "longmem-memory-off");
          assert.ok(none.value < 0.1 && at(capacity).value > 0.5);
        }
      }
    }

    // A row for each chunk length, capacity and model; seeds are taken together.
    const said = recordedOutput();
    assert.equal(await execute(tableCommand(said), results), 0);
    const [, main] = said.printed[0].split("\n### ");
    const rows = main.split("\n").filter((line) => /^\| \d/.test(line))
      .map((line) => line.split("|").map((cell) => cell.trim()));
    const means: number[] = [];
    for (const model of ["longmem", "longmem-memory-off"]) {
      for (const chunkTokens of chunks) {
        for (const capacity of capacities) {
          const [first, second] = seeds.map((seed) => recall(model, [chunkTokens, capacity, seed]));
          const mean = (first.value + second.value) / 2;
          means.push(mean);
          const cells = rows.filter((row) =>
            String(row.slice(1, 5)) === `${chunkTokens},${capacity},${model},2`
          );
          assert.equal(cells.length, 1);
          assert.ok(Math.abs(parseFloat(cells[0][5]) - mean) < 1e-3, `${cells[0]}: ${mean}`);
        }
      }
    }
    assert.equal(rows.length, means.length);

    // The figure has a point for each number of LongMem, as high as that is large.
    assert.equal(await execute(reportCommand(said), results), 0);
    const figures = join(results, "recall_sweep/figures");
    const shown = means.slice(0, chunks.length * capacities.length);
    const heights = heightsOf(
      await Deno.readTextFile(join(figures, "recall-test-capacityTokens.svg")),
    ).slice(0, shown.length);
    const top = shown.indexOf(Math.max(...shown)), bottom = shown.indexOf(Math.min(...shown));
    const scale = (heights[top] - heights[bottom]) / (shown[top] - shown[bottom]);
    assert.ok(scale < -100, "pixels are counted downwards");
    const expected = shown.map((mean) => heights[bottom] + scale * (mean - shown[bottom]));
    assertClose(heights, expected, { tolerance: 1e-6, name: "heights" });
    await Deno.stat(join(figures, "recall-test-chunkTokens.svg"));
    await Deno.stat(join(figures, "training-longmem.svg"));

    const before = await contents(paths);
    const second = await run(repository, declaration, "--results", results);
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stdout, /^8 runs: 8 completed \(8 earlier\); /m);
    assert.deepEqual(await contents(paths), before);

    // The last run took its training from another; alone it trains to the same numbers.
    const last = taken.at(-1)!.path;
    const again = await run(repository, last, "--results", `${folder}/again`);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout, /again: all \d+ numbers are the recorded ones$/m);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
