import type { Metric, RunSummary } from "../../src/results/run_folder.ts";
import { formatTables, readSummaries } from "../../src/results/table.ts";
import { assert, test } from "../testing.ts";

function metric(change: Partial<Metric>): Metric {
  return {
    evaluation: "perplexity-test",
    model: "backbone",
    name: "perplexity",
    value: 24.1234,
    stderr: 0.3456,
    ci95: [23.2, 25.1],
    n: 13,
    unit: "",
    higherIsBetter: false,
    metricVersion: 1,
    ...change,
  };
}

function summary(change: Partial<RunSummary>): RunSummary {
  return {
    state: "completed",
    experiment: "novels",
    run: "m1024-seed1",
    scale: "scaled-down",
    metrics: [metric({}), metric({ model: "longmem", value: 21.5, stderr: 0.012 })],
    ...change,
  };
}

test("formatTables() prints models by metrics, with standard error and n", () => {
  assert.equal(
    formatTables([summary({ question: "Does memory help?" })], "md"),
    `## novels (scaled-down)

Does memory help?

| model    | perplexity-test: perplexity (lower is better) |
| -------- | --------------------------------------------- |
| backbone | 24.12 \u00b1 0.35 (n = 13)                         |
| longmem  | 21.500 \u00b1 0.012 (n = 13)                       |
`,
  );
});

test("formatTables() titles: only the paper's scale goes unlabelled, a limit is told", () => {
  const title = (change: Partial<RunSummary>) =>
    formatTables([summary(change)], "md").split("\n")[0];
  assert.equal(title({ scale: "paper" }), "## novels");
  assert.equal(title({}), "## novels (scaled-down)");
  assert.equal(title({ limit: 2 }), "## novels (scaled-down, limited to 2 items per evaluation)");
});

test("formatTables() gives each run its rows and each metric its column", () => {
  const runs = [
    summary({ metrics: [metric({ unit: "nats", n: 2, total: 13 })] }),
    summary({
      run: "m2048-seed1",
      metrics: [metric({ evaluation: "icl", name: "accuracy", higherIsBetter: true, value: 0.5 })],
    }),
  ];
  const lines = formatTables(runs, "md").split("\n").slice(2).map((line) =>
    line.split("|").map((cell) => cell.trim())
  );
  assert.deepEqual(lines[0].slice(1, -1), [
    "run",
    "model",
    "perplexity-test: perplexity (nats, lower is better)",
    "icl: accuracy (higher is better)",
  ]);
  assert.deepEqual(lines[2].slice(1, -1), [
    "m1024-seed1",
    "backbone",
    "24.12 \u00b1 0.35 (n = 2 of 13)",
    "",
  ]);
  assert.deepEqual(lines[3].slice(1, -1), [
    "m2048-seed1",
    "backbone",
    "",
    "0.50 \u00b1 0.35 (n = 13)",
  ]);
});

test("formatTables() never puts two versions of a metric into one column", () => {
  const runs = [
    summary({ metrics: [metric({})] }),
    summary({ run: "later", metrics: [metric({ metricVersion: 2 })] }),
  ];
  const header = formatTables(runs, "md").split("\n")[2];
  assert.match(
    header,
    /perplexity \(lower is better, version 1\).*perplexity \(lower is better, version 2\)/,
  );
});

test("formatTables() lists what is not completed", () => {
  const runs = [
    summary({}),
    summary({ run: "second", state: "failed", error: "Cannot go on\n  at x", metrics: [] }),
    summary({ run: "third", state: "interrupted", metrics: [] }),
  ];
  const text = formatTables(runs, "md");
  assert.ok(text.endsWith("\n\n- second: failed: Cannot go on\n- third: interrupted\n"), text);
  const none = formatTables([summary({ state: "planned", metrics: [] })], "md");
  assert.equal(none, "## novels (scaled-down)\n\n- m1024-seed1: planned\n");
});

test("formatTables() separates experiments", () => {
  const titles = formatTables([
    summary({}),
    summary({ experiment: "other" }),
    summary({ run: "2" }),
  ], "md")
    .split("\n").filter((line) => line.startsWith("##"));
  assert.deepEqual(titles, ["## novels (scaled-down)", "## other (scaled-down)"]);
});

test("formatTables() prints a value without standard error by its own digits", () => {
  const { stderr: _stderr, ci95: _ci95, ...single } = metric({ n: 1 });
  const cell = (value: number) =>
    formatTables([summary({ metrics: [{ ...single, value }] })], "md").split("\n")[4]
      .split("|")[2].trim();
  assert.equal(cell(24.12345), "24.12 (n = 1)");
  assert.equal(cell(51200.4), "51200 (n = 1)");
  assert.equal(cell(0.0123456), "0.01235 (n = 1)");
});

test("formatTables() as csv has one metric a line, quoted where needed", () => {
  const runs = [summary({ limit: 2, metrics: [metric({ unit: 'nats, "natural"' })] })];
  assert.equal(
    formatTables(runs, "csv"),
    "experiment,scale,run,variation,state,limit,evaluation,model,metric,value,stderr,ci95Low,ci95High,n,total,unit,higherIsBetter,metricVersion\n" +
      'novels,scaled-down,m1024-seed1,,completed,2,perplexity-test,backbone,perplexity,24.1234,0.3456,23.2,25.1,13,,"nats, ""natural""",false,1\n',
  );
});

test("formatTables() as json has the same rows, with every digit", () => {
  const rows = JSON.parse(formatTables([summary({})], "json"));
  assert.equal(rows.length, 2);
  assert.deepEqual(rows[0], {
    experiment: "novels",
    scale: "scaled-down",
    run: "m1024-seed1",
    state: "completed",
    metric: "perplexity",
    evaluation: "perplexity-test",
    model: "backbone",
    value: 24.1234,
    stderr: 0.3456,
    n: 13,
    unit: "",
    higherIsBetter: false,
    metricVersion: 1,
    ci95Low: 23.2,
    ci95High: 25.1,
  });
});

test("readSummaries() finds every run below folders, in order, once", async () => {
  const results = await Deno.makeTempDir();
  try {
    for (const [experiment, run] of [["b", "1"], ["a", "2"], ["a", "1"]]) {
      const folder = `${results}/${experiment}/${run}`;
      await Deno.mkdir(folder, { recursive: true });
      await Deno.writeTextFile(
        `${folder}/summary.json`,
        JSON.stringify(summary({ experiment, run })),
      );
    }
    await Deno.mkdir(`${results}/empty`);
    const found = await readSummaries([results, `${results}/a`]);
    assert.deepEqual(found.map(({ experiment, run }) => experiment + run), ["a1", "a2", "b1"]);
  } finally {
    await Deno.remove(results, { recursive: true });
  }
});

test("formatTables() labels the runs of a sweep by what they vary, where that tells them apart", () => {
  const varied = (run: string, variation: NonNullable<RunSummary["variation"]>) =>
    summary({ run, variation, metrics: [metric({})] });
  const labels = (runs: RunSummary[]) =>
    formatTables(runs, "md").split("\n").filter((line) => line.startsWith("|"))
      .map((line) => line.split("|").slice(1, -2).map((cell) => cell.trim()));
  const runs = [
    varied("a", { "memory.chunkTokens": 4, seed: 1 }),
    varied("b", { "memory.chunkTokens": 4, seed: 2 }),
    varied("c", { "memory.chunkTokens": 8, "memory.index": { kind: "exact" } }),
  ];
  assert.deepEqual(labels(runs).filter((_, i) => i !== 1), [
    ["memory.chunkTokens", "seed", "memory.index", "model"],
    ["4", "1", "", "backbone"],
    ["4", "2", "", "backbone"],
    ["8", "", '{"kind":"exact"}', "backbone"],
  ]);
  const ambiguous = [runs[0], varied("d", { "memory.chunkTokens": 4, seed: 1 })];
  assert.deepEqual(labels(ambiguous).filter((_, i) => i !== 1), [
    ["run", "model"],
    ["a", "backbone"],
    ["d", "backbone"],
  ]);
  const [, line] = formatTables(runs, "csv").split("\n");
  assert.match(line, /^novels,scaled-down,a,memory\.chunkTokens=4 seed=1,completed,/);
});
