import { metricCatalog } from "../../src/evaluation/metric_catalog.ts";
import { findings } from "../../src/results/interpretation.ts";
import { compare, type ItemSums } from "../../src/results/paired_comparison.ts";
import { findRunRecords, readRunRecord, type RunRecord } from "../../src/results/read_runs.ts";
import { ratio } from "../../src/statistics/estimates.ts";
import { tablesOf } from "./run_records.ts";
import { assert, repositoryPath, test } from "../testing.ts";

const readme = await Deno.readTextFile(repositoryPath("README.md"));
const log = await Deno.readTextFile(repositoryPath("docs/log.md"));

/** Cells of the log's table row that begins with some text. */
function rowOf(begins: string): string[] {
  const rows = log.split("\n").filter((line) => line.startsWith(`| ${begins} `));
  assert.equal(rows.length, 1, `rows that begin with "${begins}"`);
  return rows[0].split("|").slice(1, -1).map((cell) => cell.trim());
}

async function runsOf(experiment: string): Promise<readonly RunRecord[]> {
  const { records, damaged } = await findRunRecords(
    [repositoryPath(`results/${experiment}`)],
    readRunRecord,
  );
  assert.deepEqual(damaged, []);
  return records;
}

/** What runs recorded of a model, a number each. */
function valuesOf(runs: readonly RunRecord[], model: string, name: string): number[] {
  return runs.map(({ summary }) =>
    summary.metrics.find((metric) => metric.model === model && metric.name === name)!.value
  );
}

/** A metric of a run with its error, as tables have it; empty where the model has none. */
function cellOf(
  { summary }: RunRecord,
  { evaluation, model, name, digits = 3 }: {
    evaluation?: string;
    model: string;
    name: string;
    digits?: number;
  },
): string {
  const found = summary.metrics.find((metric) =>
    metric.model === model && metric.name === name &&
    (evaluation === undefined || metric.evaluation === evaluation)
  );
  return found ? `${found.value.toFixed(digits)} \u00b1 ${found.stderr!.toFixed(digits)}` : "";
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Metrics of the table of three seeds, in its columns. */
const seedMetrics = [
  "recall all far",
  "recall person far",
  "recall label far",
  "recall opening far",
  "accuracy 4096",
  "accuracy reviews",
  "perplexity",
];

/** The row of a model in a table. */
function rowWith(table: string, model: string): string {
  return table.split("\n").find((line) => line.startsWith(`| ${model} `))!;
}

/** Cells of a table of three seeds without their errors, in the row of a model. */
function seedCells(table: string, model: string): string[] {
  return rowWith(table, model).split("|").slice(2, -1).map((cell) => cell.trim().split(" ")[0]);
}

test("the log's table of three seeds has the recorded numbers, rounded once", async () => {
  const runs = await runsOf("chronicle_seeds");
  const models = new Set(runs[0].summary.metrics.map(({ model }) => model));
  models.delete("commonest-label");
  assert.equal(models.size, 6);
  // The first row of that name is of this table; the novels' begin alike.
  const table = log.slice(log.indexOf("three seeds on the chronicle"), log.indexOf("ablations on"));
  for (const model of models) {
    const expected = seedMetrics.map((name) => meanOf(valuesOf(runs, model, name)).toFixed(3));
    assert.deepEqual(seedCells(table, model), expected, model);
    rowWith(table, model).split("|").slice(2, -1).forEach((cell, i) => {
      const [, error] = cell.trim().split(" \u00b1 ");
      if (error === undefined) return;
      const squares = runs.map(({ summary: { metrics } }) =>
        metrics.find((metric) => metric.model === model && metric.name === seedMetrics[i])!
          .stderr! ** 2
      );
      assert.equal(error, Math.sqrt(meanOf(squares)).toFixed(3), `${model} ${seedMetrics[i]}`);
    });
  }
});

test("the log's table of backbones of other seeds has the recorded numbers, rounded once", async () => {
  const [shipped] = (await runsOf("chronicle_seeds"))
    .filter(({ summary: { variation = {} } }) => variation.seed === 1);
  const runs = [shipped, ...await runsOf("chronicle_backbones")];
  assert.deepEqual(runs.map(({ summary: { variation = {} } }) => variation.seed), [1, 2, 3]);
  for (const [i, run] of runs.entries()) {
    const far = ["backbone", "untrained-with-memory", "longmem"]
      .map((model) => cellOf(run, { model, name: "recall all far" }));
    const perplexities = ["backbone", "longmem"]
      .map((model) => cellOf(run, { model, name: "perplexity" }));
    assert.deepEqual(rowOf(`chronicle, backbone of seed ${i + 1}`).slice(1), [
      ...far,
      ...perplexities,
      cellOf(run, { model: "longmem", name: "accuracy reviews" }),
    ]);
  }
});

test("README's table of three seeds has the log's numbers and errors", () => {
  const rowsOf = (text: string) => {
    const table = text.slice(text.indexOf("| model                  | far facts"));
    const [head, , ...rows] = table.slice(0, table.indexOf("\n\n")).split("\n").map((line) =>
      line.split("|").slice(1, -1).map((cell) => cell.trim())
    );
    return rows.map((row) => Object.fromEntries(row.map((cell, i) => [head[i], cell])));
  };
  const all = rowsOf(log), shown = rowsOf(readme);
  assert.equal(shown.length, 4);
  for (const { "labels in context": inContext, ...row } of shown) {
    const same = all.find(({ model }) => model === row.model)!;
    assert.deepEqual(same, { ...same, ...row, "in context": inContext }, row.model);
  }
});

test("README shows the finding that the first seed's record has", async () => {
  const [first] = (await runsOf("chronicle_seeds"))
    .filter(({ summary: { variation = {} } }) => variation.seed === 1);
  const [{ tables }] = tablesOf([first], metricCatalog);
  const recall = tables.find(({ evaluation, part }) =>
    evaluation === "recall-test" && part === ""
  )!;
  const [finding] = findings(recall, metricCatalog);
  assert.match(finding, /^recall-test: /);
  const shown = readme.replaceAll(/\s+/g, " ");
  assert.ok(shown.includes(`${finding} `), finding);
});

test("the log's table of baselines has the recorded numbers, rounded once", async () => {
  const [run] = await runsOf("chronicle_baselines");
  const rows = {
    "backbone, window of 128 tokens": "backbone",
    "the same, sliding window of 256": "backbone-sliding-window-256",
    "the same, sliding window of 512": "backbone-sliding-window-512",
    "the same, full context of 1,024": "backbone-full-context-1024",
    "InfLLM-like memory, no training": "infllm-m4096-c4-k64-d128",
    "Memorizing Transformer, trained as long": "memorizing-transformer",
    "LongMem, memory of the segment before alone": "longmem-recent-memory",
  };
  for (const [begins, model] of Object.entries(rows)) {
    const [, ...cells] = rowOf(begins);
    const expected = ["recall all far", "perplexity"].map((name) => cellOf(run, { model, name }));
    assert.deepEqual(cells, expected, model);
  }
});

test("the log's table of searches on the chronicle has the recorded numbers, rounded once", async () => {
  const [run] = await runsOf("chronicle_copying");
  const rows = {
    "what followed the same 4, 3 or 2 tokens: copy": "copy-m4096-n2-4-w0.5",
    "what followed the nearest states: kNN-LM": "knn-lm-m4096-k64-l0.25-t10",
    "LongMem, beside both": "longmem",
  };
  const names = ["all", "person", "label", "opening"].map((kind) => `recall ${kind} far`);
  for (const [begins, model] of Object.entries(rows)) {
    const [, ...cells] = rowOf(begins);
    const expected = [...names, "perplexity"].map((name) => cellOf(run, { model, name }));
    assert.deepEqual(cells, expected, model);
  }
  const [opening] = cellOf(run, { model: "backbone", name: "recall opening far" }).split(" ");
  assert.ok(
    log.replaceAll(/\s+/g, " ").includes(`a search no more than the backbone (${opening})`),
  );
});

test("the log's fair controls on the novels have the recorded numbers, rounded once", async () => {
  const [run] = await runsOf("novels_fair_controls");
  const rows = {
    "novels, controls: backbone": "backbone",
    "novels, controls: sliding window of 512": "backbone-sliding-window-512",
    "novels, controls: full context of 2,048": "backbone-full-context-2048",
    "novels, controls: copy model over 16,384 tokens": "copy-m16384-n2-4-w0.5",
    "novels, controls: SideNet trained without a memory": "sidenet-without-memory",
    "novels, controls: LongMem": "longmem",
    "novels, controls: LongMem, memory of the latest segment": "longmem-recent-memory",
    "novels, controls: LongMem, three other authors' memories": "longmem-other-document-3",
  };
  for (const [begins, model] of Object.entries(rows)) {
    const [, ...cells] = rowOf(begins);
    assert.deepEqual(cells, [
      cellOf(run, { evaluation: "perplexity-test", model, name: "perplexity", digits: 1 }),
      cellOf(run, { evaluation: "perplexity-test", model, name: "gain over backbone", digits: 4 }),
    ], begins);
  }
  const lost = cellOf(run, {
    evaluation: "perplexity-equal-information",
    model: "longmem",
    name: "gain over backbone-full-context-2048",
    digits: 4,
  });
  assert.ok(log.includes(`LongMem loses ${lost.slice(1)}`), lost);
});

test("the log's lists of ablations have the recorded numbers, rounded once", async () => {
  const rows = {
    "memory of 128, 256, 512, 1024, 2048, 4096, 8192 tokens": "ablation_memory_size",
    "chunks of 1, 2, 4, 8, 16 tokens, trained with 4": "ablation_chunk_length_read",
    "chunks of 1, 2, 4, 8, 16 tokens, trained with the same": "ablation_chunk_length",
    "4, 8, 16, 32, 64, 128 tokens retrieved": "ablation_retrieved_tokens",
    "block 0, 1, 2, 3 in memory": "ablation_memory_block",
  };
  for (const [begins, experiment] of Object.entries(rows)) {
    const [, far, perplexity] = rowOf(begins);
    const runs = (await runsOf(experiment)).toSorted((a, b) => sweptOf(a) - sweptOf(b));
    for (const [cell, name] of [[far, "recall all far"], [perplexity, "perplexity"]]) {
      const expected = valuesOf(runs, "longmem", name).map((value) => value.toFixed(3)).join(", ");
      assert.equal(cell, expected, `${experiment} ${name}`);
    }
  }
});

/** The first swept number of a run. */
function sweptOf({ summary: { variation = {} } }: RunRecord): number {
  return Number(Object.values(variation).flat()[0]);
}

test("the log's gains on the novels follow from the recorded documents, over documents and works", async () => {
  const [run] = await runsOf("novels_language_modeling");
  const documents = run.samples.get("perplexity-test")!;
  const of = (model: string) => documents.filter((record) => record.model === model);
  const own = of("longmem"), tokens = own.map((record) => Number(record.tokens));
  const works = own.map(({ item }) => item.replace(/^(Chesterton_FatherBrown).*/, "$1"));
  assert.deepEqual([own.length, new Set(works).size], [11, 6]);
  const digits = (values: readonly number[]) => values.map((value) => value.toFixed(4)).join(", ");
  const sums = (records: typeof own): ItemSums => ({
    items: records.map(({ item }) => item),
    numerators: records.map(({ nats }) => -Number(nats)),
    denominators: tokens,
    exponential: false,
  });
  const section = log.slice(log.indexOf("novels, a negative result"));
  const text = section.replaceAll(/\s+/g, " ");
  for (
    const [begins, control] of [
      ["the same SideNet trained without a memory", "sidenet-without-memory"],
      ["itself with another document's memory", "longmem-other-document"],
    ]
  ) {
    const gained = of(control).map(({ nats }, i) => Number(nats) - Number(own[i].nats));
    const { value, stderr, ci95 } = ratio(gained, tokens);
    const { interval } = compare([sums(own)], [sums(of(control))])!;
    const [, gain, bootstrap, positive] = rowOf(begins);
    assert.equal(gain, `${value.toFixed(4)} \u00b1 ${stderr!.toFixed(4)}`);
    assert.equal(bootstrap, `[${digits(interval!)}]`);
    assert.equal(positive, `${gained.filter((nats) => nats > 0).length} of 11`);
    assert.ok(text.includes(`[${digits(ci95!)}]`), `Student's interval over ${control}`);
    assert.ok(
      text.includes(ratio(gained, tokens, { clusters: works }).stderr!.toFixed(4)),
      `the error over works over ${control}`,
    );
  }
  const off = of("longmem-memory-off"), other = of("longmem-other-document");
  const gainOver = (first: typeof own, second: typeof own) =>
    ratio(second.map(({ nats }, i) => Number(nats) - Number(first[i].nats)), tokens);
  const { value, stderr } = gainOver(own, off);
  assert.ok(text.includes(`${value.toFixed(4)} \u00b1 ${stderr!.toFixed(4)}`));
  assert.ok(text.includes(`regains ${gainOver(other, off).value.toFixed(4)} of them`));
});

test("the table of what experiments took has the recorded times and memory", async () => {
  const page = await Deno.readTextFile(repositoryPath("docs/reproducing.md"));
  const rows = [...page.matchAll(/^\| `(\w+)` +\| (\d+) +\| (\d+) +\| (\d+) +\| (\d+) +\|$/gm)];
  assert.equal(rows.length, 14);
  for (const [, experiment, ...cells] of rows) {
    const environments = (await runsOf(experiment)).map(({ environment }) => environment!);
    const parts = environments.flatMap((environment) => [environment, ...environment.earlier]);
    const seconds = parts.reduce((sum, { wallSeconds }) => sum + wallSeconds!, 0);
    const peak = Math.max(...parts.map(({ peakMemoryBytes }) => peakMemoryBytes!));
    const taken = environments.filter(({ taken }) => taken).length;
    const expected = [environments.length, taken, Math.round(seconds), Math.round(peak / 2 ** 20)];
    assert.deepEqual(cells.map(Number), expected, experiment);
  }
});

test("the log's table of long-context benchmarks has the recorded scores", async () => {
  const runs = await runsOf("benchmarks_chronicle");
  const models = {
    "backbone": "benchmarks: backbone alone",
    "chance": "benchmarks: chance",
    "untrained-with-memory": "benchmarks: SideNet as initialised, with memory",
    "infllm-m4096-c16-k64-d128": "benchmarks: InfLLM",
    "copy-m4096-n2-4-w0.5": "benchmarks: copy",
  };
  for (const [model, begins] of Object.entries(models)) {
    const expected = ["ruler", "babilong"].flatMap((evaluation) =>
      [512, 2048].map((length) => {
        const { value, stderr } = runs[0].summary.metrics.find((metric) =>
          metric.evaluation === evaluation && metric.model === model &&
          metric.name === `score at ${length}`
        )!;
        return `${value.toFixed(3)} ± ${stderr!.toFixed(3)}`;
      })
    );
    assert.deepEqual(rowOf(begins).slice(1), expected);
  }
});
