/**
 * The summaries in results/ are what today's code computes from the records of scored items beside them. After a change of an
 * estimator, a metric or an error they are written again, the commit saying why:
 *
 *     LONGMEM_UPDATE_SUMMARIES=1 deno task test tests/results/committed_summaries_test.ts
 */
import { join } from "node:path";
import { assert, repositoryPath, test } from "../testing.ts";
import { committedRuns } from "./committed_runs.ts";
import { type RecomputedSummary, recomputeSummary } from "./recomputed_summary.ts";

const update = Deno.env.get("LONGMEM_UPDATE_SUMMARIES") === "1";
const results = repositoryPath("results");

let recomputed: Promise<[string, RecomputedSummary][]> | undefined;

/** Committed runs, and their summaries computed again. */
function recomputedRuns(): Promise<[string, RecomputedSummary][]> {
  recomputed ??= (async () => {
    const runs: [string, RecomputedSummary][] = [];
    for (const run of await committedRuns()) {
      runs.push([run, await recomputeSummary(join(results, run))]);
    }
    return runs;
  })();
  return recomputed;
}

test("committed summaries are what today's code computes from the committed items", async () => {
  let recomputed = 0, kept = 0;
  for (const [run, summary] of await recomputedRuns()) {
    if (update) {
      const text = JSON.stringify(summary.recomputed, null, 2) + "\n";
      await Deno.writeTextFile(join(results, run, "summary.json"), text);
      continue;
    }
    const { metrics, ...labels } = summary.recorded;
    const { metrics: again, ...sameLabels } = summary.recomputed;
    assert.deepEqual(labels, sameLabels);
    assert.deepEqual(
      metrics.map(({ evaluation, model, name }) => `${run}: ${evaluation} ${model} ${name}`),
      again.map(({ evaluation, model, name }) => `${run}: ${evaluation} ${model} ${name}`),
    );
    for (const [i, metric] of metrics.entries()) {
      const { value, stderr, ci95, ...fields } = metric;
      const { value: newValue, stderr: newStderr, ci95: newCi95, ...newFields } = again[i];
      const place = `${run}: ${metric.evaluation} ${metric.model} ${metric.name}`;
      assert.deepEqual(fields, newFields, place);
      const numbers = [value, stderr ?? "none", ...ci95 ?? []];
      const expected = [newValue, newStderr ?? "none", ...newCi95 ?? []];
      assert.equal(numbers.length, expected.length, place);
      // The last digits of an exponential differ between processors.
      numbers.forEach((number, j) => {
        const wanted = expected[j];
        const close = number === wanted ||
          typeof number === "number" && typeof wanted === "number" &&
            Math.abs(number - wanted) <= 1e-12 * Math.max(1, Math.abs(wanted));
        assert.ok(close, `${place} is ${number}, and ${wanted} by its items`);
      });
      const isKept = summary.unrecorded.includes(`${metric.evaluation} ${metric.model}`);
      if (isKept) kept++;
      else recomputed++;
    }
  }
  if (update) return;
  assert.ok(recomputed > 1800 && kept < 100, `${recomputed} recomputed, ${kept} kept`);
});

test("every committed run has the items of each model that results/README.md does not except", async () => {
  const unrecorded = new Set<string>();
  for (const [run, { unrecorded: models }] of await recomputedRuns()) {
    for (const model of models) unrecorded.add(`${run.split("/")[0]}: ${model}`);
  }
  const readme = await Deno.readTextFile(join(results, "README.md"));
  const listed = [...readme.matchAll(/^- `([^`]+)`/gm)].map(([, name]) => name);
  assert.deepEqual(listed.sort(), [...unrecorded].sort());
});
