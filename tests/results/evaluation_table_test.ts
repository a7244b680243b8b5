import type { Metric, Variation } from "../../src/results/records.ts";
import type { RunRecord } from "../../src/results/read_runs.ts";
import { mean, proportionInterval } from "../../src/statistics/estimates.ts";
import { assert, assertClose, test } from "../testing.ts";
import {
  catalogOf,
  metric,
  noSums,
  run,
  type RunChange,
  scoredRun,
  scoreSums,
  tablesOf,
} from "./run_records.ts";

/** Scores of twenty questions: `right` of them are answered, the first ones. */
function answers(right: number): number[] {
  return Array.from({ length: 20 }, (_, i) => i < right ? 1 : 0);
}

function declared(seed: number, fields: object = {}): RunChange {
  return {
    declaration: { name: "novels", seed, corpus: { kind: "chronicle", seed }, ...fields },
    summary: { run: `seed${seed}${JSON.stringify(fields)}` },
  };
}

/** A run of a sweep with one number. */
function metricsRun(name: string, variation: Variation): RunRecord {
  return run({
    declaration: { name: "novels", run: name },
    summary: { run: name, variation, metrics: [metric({})] },
  });
}

test("experimentTables() has a table for each evaluation and part, a row for each model", () => {
  const metrics = [
    metric({}),
    metric({ name: "perplexity <5K" }),
    metric({ model: "longmem", value: 20 }),
    metric({ evaluation: "recall-test", name: "recall all far", higherIsBetter: true }),
    metric({ evaluation: "recall-test", name: "recall person far", higherIsBetter: true }),
    metric({ evaluation: "recall-test", name: "recall far 128-256", higherIsBetter: true }),
  ];
  const [{ tables }] = tablesOf([run({ summary: { metrics } })], noSums);
  assert.deepEqual(
    tables.map(({ evaluation, part, columns, rows }) => [
      evaluation,
      part,
      columns.map(({ header }) => header).join(),
      rows.map(({ model }) => model).join(),
    ]),
    [
      ["perplexity-test", "", "perplexity", "backbone,longmem"],
      ["perplexity-test", "perplexity by length in GPT-2 tokens", "<5K", "backbone"],
      ["recall-test", "", "far facts", "backbone"],
      ["recall-test", "far facts by kind", "person", "backbone"],
      ["recall-test", "far facts by distance in tokens", "128-256", "backbone"],
    ],
  );
});

test("experimentTables() takes runs that differ only in their seed together", () => {
  const runs = [
    scoredRun({ backbone: answers(8), longmem: answers(14) }, declared(2)),
    scoredRun({ backbone: answers(6), longmem: answers(13) }, declared(1)),
    scoredRun({ backbone: answers(7), longmem: answers(15) }, declared(3)),
  ];
  const [{ tables: [{ rows, varied }] }] = tablesOf(runs, scoreSums);
  assert.deepEqual(varied, []);
  assert.deepEqual(rows.map(({ model, runs }) => [model, runs.length]), [
    ["backbone", 3],
    ["longmem", 3],
  ]);
  const [{ cells: [backbone] }, { cells: [longmem] }] = rows;
  assertClose([backbone!.value, longmem!.value], [0.35, 0.7], { tolerance: 1e-12 });
  // 0.3, 0.4, 0.35: s = 0.05; a seed's variance over items is p (1 - p) / 19: 0.21, 0.24, 0.2275 / 19.
  const stderr = Math.sqrt((0.21 + 0.24 + 0.2275) / 3 / 19);
  assertClose([backbone!.seedDeviation!, backbone!.stderr!], [0.05, stderr], { tolerance: 1e-12 });
  const expected = mean([13 - 6, 14 - 8, 15 - 7].map((won) => won / 20));
  assertClose([longmem!.difference!.value], [expected.value], { tolerance: 1e-12 });
  assertClose(longmem!.difference!.overSeeds!, expected.ci95!, { tolerance: 1e-12 });
  assert.deepEqual(backbone!.metrics.map(({ value }) => value), [0.3, 0.4, 0.35]);
});

test("experimentTables() marks the best by intervals where another was asked other items", () => {
  const best = (other: readonly number[], { recorded = true } = {}) => {
    const { summary, samples, ...record } = scoredRun({ backbone: other, longmem: answers(15) });
    const metrics = summary.metrics.map(({ stderr: _stderr, ...metric }) => ({
      ...metric,
      n: 400,
    }));
    const kept = samples.get("quiz")!.filter(({ model }) => recorded || model === "longmem");
    const [{ tables: [{ rows }] }] = tablesOf(
      [{ ...record, summary: { ...summary, metrics }, samples: new Map([["quiz", kept]]) }],
      scoreSums,
    );
    return rows.find(({ model }) => model === "longmem")!.cells[0]!.best;
  };
  // 15 of 20 are 0.75, from 0.54 to 0.96 (t(19) = 2.093); of 16, 2 are at most 0.31 and 9 at most 0.84.
  assert.equal(best(answers(2).slice(0, 16)), true);
  assert.equal(best(answers(9).slice(0, 16)), false);
  assert.equal(best(answers(0).slice(0, 6)), true);
  assert.equal(best(answers(0).slice(0, 5)), false, "of 400 answers, but of five books");
  // A number of which no records are, nor an interval.
  assert.equal(best(answers(9).slice(0, 18), { recorded: false }), true);
  assert.equal(best(answers(11).slice(0, 18), { recorded: false }), false);
});

test("experimentTables() has errors of the records of items, whatever was recorded with the metric", () => {
  const value = 2 ** 1.25;
  const record = run({
    summary: { metrics: [metric({ value, stderr: 0.1, ci95: [2, 3], n: 2 })] },
  });
  const sums = {
    ...{ items: ["a", "b"], numerators: [Math.LN2, 9 * Math.LN2], denominators: [2, 6] },
    exponential: true,
  };
  const [{ tables: [{ rows }], runs }] = tablesOf([record], catalogOf(() => sums));
  const [cell] = rows[0].cells;
  // 5/4 ln 2 a token is 3/2 ln 2 without the first and 1/2 ln 2 without the second.
  const ofLogarithm = Math.sqrt((1 / 16 + 9 / 16) / 2) * Math.LN2;
  assertClose([cell!.stderr!], [value * ofLogarithm], { tolerance: 1e-12 });
  // 64 / 40 documents of one length, so that there is one degree of freedom at least.
  assertClose([Math.log(cell!.ci95![1] / value) / ofLogarithm], [12.7062], { tolerance: 1e-4 });
  assert.equal(runs[0].summary.metrics[0].stderr, cell!.stderr);
  const [{ tables: [{ rows: [recorded] }] }] = tablesOf([record], noSums);
  assert.deepEqual([recorded.cells[0]!.stderr, recorded.cells[0]!.ci95], [0.1, [2, 3]]);
});

test("experimentTables() leaves out numbers that records of items contradict, and says which", () => {
  const runs = [
    run({ summary: { metrics: [metric({ value: 84 }), metric({ model: "longmem" })] } }),
  ];
  const [{ tables, remarks, runs: [{ summary }] }] = tablesOf(runs, {
    ...noSums,
    contradiction: (_run, { model }) => model === "backbone" ? { value: 24, n: 13 } : undefined,
  });
  assert.deepEqual(summary.metrics.map(({ model }) => model), ["longmem"]);
  assert.deepEqual(tables.map(({ rows }) => rows.map(({ model }) => model)), [["longmem"]]);
  assert.equal(remarks.length, 1);
  assert.match(
    remarks[0],
    /^Run m1024-seed1 is left out of perplexity of backbone in perplexity-test, as its files disagree: it is 84 \(n = 13\) by summary.json, 24 \(n = 13\) by samples; without summary.json, `[^`]+` measures it again$/,
  );
  assert.deepEqual(tablesOf(runs, noSums)[0].remarks, []);
});

test("experimentTables() keeps apart runs that differ in more than their seed", () => {
  const runs = [2, 4].flatMap((chunkTokens) =>
    [1, 2].map((seed) => {
      const { summary, ...change } = declared(seed, { memory: { chunkTokens } });
      const variation = { "memory.chunkTokens": chunkTokens, seed };
      return scoredRun({ longmem: answers(10 + chunkTokens + seed) }, {
        ...change,
        summary: { ...summary!, variation },
      });
    })
  );
  const [{ tables: [{ rows, varied }] }] = tablesOf(runs, scoreSums);
  assert.deepEqual(varied, ["chunkTokens"]);
  assert.deepEqual(
    rows.map(({ variation, runs, cells }) => [
      variation.chunkTokens,
      runs.length,
      Number(cells[0]!.value.toFixed(6)),
    ]),
    [["2", 2, 0.675], ["4", 2, 0.775]],
  );
});

test("experimentTables() orders runs by what is swept, and names fields for short", () => {
  const swept = (capacityTokens: number, chunkTokens: number) =>
    metricsRun(`${capacityTokens} ${chunkTokens}`, {
      "evaluations.0.memory.capacityTokens": capacityTokens,
      "memory.chunkTokens": chunkTokens,
    });
  const runs = [swept(1024, 8), swept(128, 8), swept(1024, 16), swept(512, 8)];
  const [{ tables: [{ rows, varied, fields }] }] = tablesOf(runs, noSums);
  assert.deepEqual(varied, ["capacityTokens", "chunkTokens"]);
  assert.equal(fields.capacityTokens, "evaluations.0.memory.capacityTokens");
  assert.deepEqual(rows.map(({ variation }) => Object.values(variation).join(" ")), [
    "128 8",
    "512 8",
    "1024 8",
    "1024 16",
  ]);
});

test("experimentTables() names swept variants by their kinds", () => {
  const runs = [{ kind: "paper" }, { kind: "blocks", blocks: [0, 2] }].map((initialization, i) =>
    metricsRun(`${i}`, { "sidenet.initialization": initialization })
  );
  const [{ tables: [{ rows }] }] = tablesOf(runs, noSums);
  assert.deepEqual(rows.map(({ variation }) => variation.initialization).sort(), [
    "blocks [0,2]",
    "paper",
  ]);
});

test("experimentTables() keeps the whole names of columns that would be called alike", () => {
  const gains = ["backbone", "longmem"].map((model) => metric({ name: `gain over ${model}` }));
  const headers = (metrics: Metric[]) =>
    tablesOf([run({ summary: { metrics } })], noSums)[0].tables[0].columns
      .map(({ header }) => header);
  assert.deepEqual(headers(gains), ["gain over backbone", "gain over longmem"]);
  assert.deepEqual(headers(gains.slice(1)), ["gain"]);
});

test("experimentTables() keeps the whole names of fields of two evaluations", () => {
  const swept = (capacityTokens: number) =>
    metricsRun(`${capacityTokens}`, {
      "evaluations.0.memory.capacityTokens": capacityTokens,
      "evaluations.1.memory.capacityTokens": 2 * capacityTokens,
    });
  const [{ tables: [{ varied }] }] = tablesOf([swept(128), swept(256)], noSums);
  assert.deepEqual(varied, [
    "evaluations.0.memory.capacityTokens",
    "evaluations.1.memory.capacityTokens",
  ]);
});

test("experimentTables() names runs by themselves where nothing else tells them apart", () => {
  const runs = [1, 2].map((steps) => {
    const { summary, ...change } = declared(1, { steps });
    return scoredRun({ longmem: answers(10) }, { ...change, summary: { ...summary! } });
  });
  const [{ tables: [{ rows, varied }] }] = tablesOf(runs, scoreSums);
  assert.deepEqual(varied, ["run"]);
  assert.deepEqual(rows.map(({ variation }) => variation.run), [
    'seed1{"steps":1}',
    'seed1{"steps":2}',
  ]);
});

test("experimentTables() marks the best only where every other is worse by more than noise", () => {
  const best = (scores: Record<string, number[]>) => {
    const [{ tables: [{ rows }] }] = tablesOf([scoredRun(scores)], scoreSums);
    return rows.filter(({ cells }) => cells[0]!.best).map(({ model }) => model);
  };
  const backbone = answers(4);
  assert.deepEqual(best({ backbone, longmem: answers(15) }), ["longmem"]);
  assert.deepEqual(best({ backbone, longmem: answers(5) }), []);
  assert.deepEqual(best({ backbone, longmem: answers(15), other: answers(14) }), []);
  assert.deepEqual(best({ backbone: answers(15), longmem: backbone }), ["backbone"]);
  // The next is worse on every question; the last, on average worse still, by one question alone.
  const next = Array(20).fill(0.9), last = Array.from({ length: 20 }, (_, i) => i ? 1 : -5);
  assert.deepEqual(best({ backbone: next, longmem: Array(20).fill(1) }), ["longmem"]);
  assert.deepEqual(best({ backbone: next, longmem: Array(20).fill(1), last }), []);
  const { summary, ...record } = scoredRun({ backbone, longmem: answers(15) });
  const metrics = summary.metrics.map((metric) => ({ ...metric, higherIsBetter: false }));
  const lower = { ...record, summary: { ...summary, metrics } };
  const [{ tables: [{ rows }] }] = tablesOf([lower], scoreSums);
  assert.deepEqual(rows.map(({ cells }) => cells[0]!.best), [true, false]);
});

test("experimentTables() never takes numbers of two versions of a metric together", () => {
  const path = "results/novels/old";
  const environment = { declarationFile: "experiments/novels.ts" } as never;
  const old = scoredRun({ backbone: answers(20), longmem: answers(1) }, {
    ...declared(1),
    path,
    environment,
    metricVersion: 1,
  });
  const recent = scoredRun({ backbone: answers(5), longmem: answers(16) }, {
    ...declared(2),
    metricVersion: 2,
  });
  const [{ tables, remarks }] = tablesOf([old, recent], scoreSums);
  assert.equal(tables.length, 1);
  const [{ rows, columns }] = tables;
  assert.deepEqual(columns.map(({ metricVersion }) => metricVersion), [2]);
  const [reversed] = tablesOf([recent, old], scoreSums);
  assert.deepEqual(reversed.tables, tables);
  assert.deepEqual(rows.map(({ cells }) => cells[0]!.metrics.length), [1, 1]);
  assertClose([rows[1].cells[0]!.value, rows[1].cells[0]!.difference!.value], [0.8, 0.55], {
    tolerance: 1e-12,
  });
  assert.equal(remarks.length, 1);
  assert.match(
    remarks[0],
    /^Run seed1\{\} is left out of accuracy of quiz: .*`deno task run experiments\/novels.ts` measures it again$/,
  );
  assert.deepEqual(tablesOf([old], scoreSums)[0].remarks, []);
});

test("experimentTables() never takes numbers of two versions of a model together", () => {
  const versions = (seed: number, longmem: number, modelVersion?: number) => {
    const record = scoredRun({ backbone: answers(5), longmem: answers(longmem) }, {
      ...declared(seed),
      metricVersion: 1,
    });
    const [backbone, ours] = record.summary.metrics;
    const gain = { ...backbone, name: "gain over longmem", over: "longmem" };
    const metrics = [backbone, { ...ours, ...(modelVersion && { modelVersion }) }, gain];
    return { ...record, summary: { ...record.summary, metrics } };
  };
  const old = versions(1, 1), recent = versions(2, 16, 2);
  for (const runs of [[old, recent], [recent, old]]) {
    const [{ tables: [{ rows }], remarks }] = tablesOf(runs, scoreSums);
    const counts = rows.map((
      { model, cells },
    ) => [model, ...cells.map((cell) => cell?.metrics.length)]);
    assert.deepEqual(counts, [["backbone", 2, 1], ["longmem", 1, undefined]]);
    assertClose([rows[1].cells[0]!.value], [0.8], { tolerance: 1e-12 });
    assert.deepEqual(remarks.map((remark) => remark.split("; ")[0]), [
      "Run seed1{} is left out of longmem of quiz, gain over longmem of quiz: it was measured by an earlier " +
      "version of the model, whose numbers are not comparable",
    ]);
  }
});

test("experimentTables() judges a gain by its own interval", () => {
  const gain = (model: string, ci95: [number, number], n = 13) =>
    metric({ model, name: "gain over backbone", value: 0.1, ci95, n });
  const metrics = [
    gain("a", [0.05, 0.15]),
    gain("b", [-0.05, 0.25]),
    gain("c", [0.05, 0.15], 3),
  ];
  const [{ tables: [{ rows }] }] = tablesOf([run({ summary: { metrics } })], noSums);
  assert.deepEqual(rows.map(({ cells }) => cells[0]!.difference!.insideNoise), [
    false,
    true,
    true,
  ]);
});

test("experimentTables() claims no gain of fewer works, or documents that gain, than could prove it", () => {
  const gainsOf = (gain: (i: number) => number, works?: number) => {
    const items = Array.from({ length: 24 }, (_, i) => `document ${i}`);
    const numerators = items.map((_, i) => gain(i));
    const catalog = catalogOf(() => ({
      items,
      unit: "documents",
      numerators,
      denominators: items.map(() => 1),
      exponential: false,
      ...(works &&
        { clusters: { names: items.map((_, i) => `work ${i % works}`), unit: "works" } }),
    }));
    const value = mean(numerators).value;
    const metrics = [metric({ model: "a", name: "gain over backbone", value, n: 24 })];
    const [{ tables: [{ rows: [{ cells: [cell] }] }] }] = tablesOf(
      [run({ summary: { metrics } })],
      catalog,
    );
    const { items: count, unit, differing, insideNoise, interval } = cell!.difference!;
    assert.ok(interval![0] > 0, "the interval alone claims it");
    return [count, unit, differing, insideNoise];
  };
  const all = (i: number) => 1 + 0.01 * Math.sin(i);
  assert.deepEqual(gainsOf(all), [24, "documents", 24, false]);
  assert.deepEqual(gainsOf(all, 6), [6, "works", 6, false]);
  assert.deepEqual(gainsOf(all, 5), [5, "works", 5, true]);
  assert.deepEqual(gainsOf((i) => i < 5 ? 1 : 0), [24, "documents", 5, true]);
  assert.deepEqual(gainsOf((i) => i < 6 ? 1 : 0), [24, "documents", 6, false]);
});

test("experimentTables() judges a gain of several seeds by its items and by its seeds", () => {
  const seeds = (values: readonly number[], margin: number) => {
    const runs = values.map((value, i) =>
      run({
        declaration: { seed: i },
        summary: {
          run: `seed${i}`,
          metrics: [
            metric({
              name: "gain over backbone",
              value,
              ci95: [value - margin, value + margin],
            }),
          ],
        },
      })
    );
    return tablesOf(runs, noSums)[0].tables[0].rows[0].cells[0]!.difference!;
  };
  // Seeds: s = 0.01, t(2) = 4.3027.
  const { value, interval, insideNoise } = seeds([0.1, 0.11, 0.09], 0.05);
  const margin = Math.hypot(0.05, 4.3027 * 0.01 / Math.sqrt(3));
  assertClose([value, ...interval!], [0.1, 0.1 - margin, 0.1 + margin], { tolerance: 1e-6 });
  assert.equal(insideNoise, false);
  assert.equal(seeds([0.1, 0.11, 0.09], 0.15).insideNoise, true, "items do not tell");
  assert.equal(seeds([0.1, 0.3, -0.1], 0.05).insideNoise, true, "seeds disagree");
});

test("experimentTables() counts items in the interval of several seeds, which do not tell of other items", () => {
  const runs = ([[0.5, 0.4, 0.7], [0.5, 0.2, 0.7]] as const).map(([value, ...ci95], i) =>
    run({
      declaration: { seed: i },
      summary: { run: `seed${i}`, metrics: [metric({ value, ci95 })] },
    })
  );
  const [{ tables: [{ rows: [{ cells: [cell] }] }] }] = tablesOf(runs, noSums);
  // The seeds agree; items leave 0.1 or 0.3 below and 0.2 above uncertain.
  assertClose([...cell!.ci95!], [0.5 - Math.sqrt((0.01 + 0.09) / 2), 0.7], { tolerance: 1e-12 });
  const apart = runs.map((record, i) => ({
    ...record,
    summary: { ...record.summary, metrics: [metric({ value: 3 + i, ci95: [2 + i, 5 + i] })] },
  }));
  const [{ tables: [{ rows: [row] }] }] = tablesOf(apart, noSums);
  // Half of 3 to 4 is the standard error over seeds, t(1) = 12.7062.
  const overSeeds = 12.7062 / 2;
  assertClose(
    [...row.cells[0]!.ci95!],
    [3.5 - Math.hypot(1, overSeeds), 3.5 + Math.hypot(2, overSeeds)],
    { tolerance: 1e-4 },
  );
});

/** The cell of an accuracy of all or noSums, over so many books. */
function alike(change: Partial<Metric>, books?: number) {
  const certain = metric({
    ...{ name: "accuracy", value: 1, stderr: 0, ci95: [1, 1], n: 96, higherIsBetter: true },
    ...change,
  });
  const seeds = [1, 2].map((seed) =>
    run({ declaration: { seed }, summary: { run: `seed${seed}`, metrics: [certain] } })
  );
  const each = (value: number) => Array<number>(books ?? 0).fill(value);
  const sums = {
    items: each(0).map(String),
    numerators: each(certain.value),
    denominators: each(1),
    exponential: false,
  };
  const cells = (runs: RunRecord[]) =>
    tablesOf(runs, catalogOf(() => books === undefined ? undefined : sums))[0].tables[0]
      .rows[0]
      .cells[0]!;
  return [cells([seeds[0]]), cells(seeds)];
}

test("experimentTables() does not take a proportion of all or none for certain", () => {
  for (const cell of alike({}, 24)) {
    assert.equal(cell.stderr, undefined);
    assert.deepEqual(cell.ci95, proportionInterval(24, 24), "books are independent, not answers");
  }
  const [unknown] = alike({});
  assert.deepEqual(unknown.ci95, proportionInterval(96, 96));
  assert.equal(alike({})[1].seedDeviation, 0);
  const { ci95: _ci95, stderr: _stderr, ...single } = metric({
    name: "recall far >4096",
    value: 0,
  });
  const [{ tables: [table] }] = tablesOf(
    [run({ summary: { metrics: [{ ...single, n: 1 }] } })],
    noSums,
  );
  assert.deepEqual(table.rows[0].cells[0]!.ci95, proportionInterval(0, 1));
});

test("experimentTables() has no interval of a proportion beyond 0 or 1", () => {
  const cells = (name: string) => {
    const runs = [0.9, 0.8].map((value, i) =>
      run({
        declaration: { seed: i },
        summary: {
          run: `seed${i}`,
          metrics: [metric({ name, value, ci95: [value - 1.5, value + 1.5] })],
        },
      })
    );
    return [[runs[0]], runs].map((some) =>
      tablesOf(some, noSums)[0].tables[0].rows[0].cells[0]!.ci95!
    );
  };
  assert.deepEqual(cells("recall all far"), [[0, 1], [0, 1]]);
  const [[low], [ofSeeds]] = cells("accuracy 4096 over backbone");
  assert.ok(low < 0 && ofSeeds < low);
});

test("experimentTables() leaves other numbers that do not vary as they are", () => {
  for (const change of [{ value: 0.5 }, { name: "accuracy 4096 over backbone" }, { stderr: 0.1 }]) {
    const [cell] = alike(change);
    assert.equal(cell.stderr, change.stderr ?? 0, JSON.stringify(change));
    assert.deepEqual(cell.ci95, [1, 1]);
  }
});

test("experimentTables() repeats what the command line said of an unfinished run", () => {
  const interrupted = run({
    path: "my results/novels/m1",
    environment: {
      declarationFile: "experiments/novels.ts",
      assignments: ["adaptation.steps=20", 'sweep={"seed":[1,2]}', "question=What's this?"],
    } as never,
    summary: { state: "interrupted", limit: 3, metrics: [] },
  });
  assert.equal(
    tablesOf([interrupted], noSums)[0].unfinished[0].command,
    `deno task run experiments/novels.ts --set adaptation.steps=20 --set 'sweep={"seed":[1,2]}' ` +
      `--set 'question=What'\\''s this?' --limit 3 --results 'my results'`,
  );
});

test("experimentTables() says which runs declare the same data and have read another", () => {
  const remarks = (
    data: string,
    runs: readonly (readonly [sha256: string, declaration: object])[],
  ) =>
    tablesOf(
      runs.map(([sha256, declaration], i) =>
        run({
          declaration: declaration as never,
          environment: { hashes: { [data]: sha256 } } as never,
          summary: { run: `r${i}` },
        })
      ),
      noSums,
    )[0].remarks;
  const books = { corpus: { folder: "books" }, evaluations: [{ name: "quiz" }] };
  const other = { ...books, corpus: { folder: "other" } };
  assert.deepEqual(
    remarks("corpus test", [["a", books], ["a", { ...books, evaluations: [] }], ["b", books], [
      "c",
      other,
    ]]),
    ['Run r2 has read another "corpus test" than run r0, which declares the same: their numbers are not of the same items'],
  );
  for (const data of ["squad", "questions", "items quiz"]) {
    assert.equal(remarks(data, [["a", books], ["b", books]]).length, 1, data);
    assert.deepEqual(remarks(data, [["a", books], ["b", other]]), []);
    assert.deepEqual(remarks(data, [["a", books], ["b", { ...books, evaluations: [] }]]), []);
  }
  assert.deepEqual(remarks("backbone", [["a", books], ["b", books]]), [], "it is trained");
});

test("experimentTables() says how unfinished runs go on, and where their results are", () => {
  const environment = { declarationFile: "experiments/novels.ts" } as never;
  const runs = [
    run({}),
    run({
      path: "elsewhere/novels/second",
      environment,
      summary: { run: "second", state: "failed", error: "Cannot go on\n at x", metrics: [] },
    }),
  ];
  const [{ unfinished, labels }] = tablesOf(runs, noSums);
  assert.deepEqual(unfinished, [{
    run: "second",
    state: "failed",
    error: "Cannot go on",
    command: "deno task run experiments/novels.ts --results elsewhere",
  }]);
  assert.deepEqual(labels, ["scaled-down"]);
});
