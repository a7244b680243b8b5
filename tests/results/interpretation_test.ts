import { experimentTables } from "../../src/results/evaluation_table.ts";
import { findings } from "../../src/results/interpretation.ts";
import type { Metric } from "../../src/results/records.ts";
import { assert, test } from "../testing.ts";
import { catalogOf, metric, noSums, run, scoredRun, scoreSums, sumScores } from "./run_records.ts";

/** Scores of twenty questions: `right` of them are answered, the first ones. */
function answers(right: number): number[] {
  return Array.from({ length: 20 }, (_, i) => i < right ? 1 : 0);
}

/** What is found where each model answered so many of twenty questions. */
function found(right: Readonly<Record<string, number>>): string {
  const scores = Object.entries(right).map(([model, count]) => [model, answers(count)]);
  const record = scoredRun(Object.fromEntries(scores));
  const [{ tables: [table] }] = experimentTables([record], scoreSums);
  const [sentence, ...others] = findings(table, scoreSums);
  assert.deepEqual(others, []);
  return sentence;
}

test("findings() of a gain that only the document's own memory gives", () => {
  const sentence = found({
    "backbone": 2,
    "longmem": 18,
    "longmem-memory-off": 2,
    "longmem-other-document": 3,
  });
  assert.match(
    sentence,
    /^quiz: LongMem's accuracy is 0\.900, that of the backbone alone 0\.100, with its memory off 0\.100, with another document's memory 0\.150: it is better than the backbone alone \(\+0\.800 \[0\.\d{3}, 0\.950\], 20 items\), and what helps is the memory of the document itself\.$/,
  );
});

test("findings() does not praise a memory whose contents do not matter", () => {
  assert.match(
    found({ "backbone": 2, "longmem": 18, "longmem-other-document": 17 }),
    /but so it is with another document's memory: what the memory holds has not been shown to help\.$/,
  );
  assert.match(
    found({ "backbone": 2, "longmem": 12, "longmem-other-document": 19 }),
    /but better still with another document's memory: what the memory holds does not help\.$/,
  );
  assert.match(
    found({ "backbone": 2, "longmem": 18, "longmem-memory-off": 18 }),
    /but so it is with its memory off: that the memory helps has not been shown\.$/,
  );
  assert.match(
    found({ "backbone": 2, "longmem": 18 }),
    /is better than the backbone alone .*, but no control says whether by its memory\.$/,
  );
});

test("findings() tells of a SideNet without memory that gains as much", () => {
  const models = { "backbone": 2, "longmem": 18, "longmem-memory-off": 2 };
  assert.match(
    found({ ...models, "sidenet-without-memory": 17 }),
    /; a SideNet that never had a memory does no worse, as far as can be told\.$/,
  );
  assert.match(found({ ...models, "sidenet-without-memory": 5 }), /what helps is the memory\.$/);
});

test("findings() of a loss says so, and what the memory does all the same", () => {
  const models = { "backbone": 18, "longmem": 10 };
  assert.match(
    found(models),
    /: it is worse than the backbone alone \(-0\.40 \[-0\.\d\d, -0\.20\], 20 items\)\.$/,
  );
  assert.match(
    found({ ...models, "longmem-other-document": 2 }),
    /worse than the backbone alone .*, although it gains from its memory's being the same document's\.$/,
  );
  assert.match(
    found({ ...models, "longmem-memory-off": 10 }),
    /worse than the backbone alone .*, and with its memory off it does as well, as far as can be told\.$/,
  );
  assert.match(
    found({ ...models, "longmem-memory-off": 17 }),
    /worse than the backbone alone .*, and with its memory off it does better\.$/,
  );
});

test("findings() of noise claims nothing", () => {
  for (const longmem of [11, 10, 9]) {
    assert.match(
      found({ backbone: 10, longmem }),
      /: its difference from the backbone alone \(.*, 20 items\) is inside the noise\.$/,
    );
  }
});

test("findings() of too few items says that, and nothing of the memory", () => {
  const record = scoredRun({
    "backbone": [0, 0],
    "longmem": [1, 1],
    "longmem-other-document": [0, 0],
    "longmem-recent-memory": [0, 0],
  });
  const sums = catalogOf((metric, samples) => {
    const found = sumScores(metric, samples);
    return found && { ...found, unit: "books" };
  });
  const [{ tables: [table] }] = experimentTables([record], sums);
  assert.match(
    findings(table, sums)[0],
    /: whether its difference from the backbone alone \(\+1\.0, 2 books\) is more than chance cannot be told of fewer than 6 books\.$/,
  );
});

test("findings() knows in which direction a metric improves", () => {
  const record = scoredRun({ backbone: answers(18), longmem: answers(2) });
  const metrics = record.summary.metrics.map((metric) => ({ ...metric, higherIsBetter: false }));
  const lower = { ...record, summary: { ...record.summary, metrics } };
  const [{ tables: [table] }] = experimentTables([lower], scoreSums);
  assert.match(findings(table, scoreSums)[0], /it is better than the backbone alone \(-0\.80/);
});

test("findings() tells whether older text helps", () => {
  const models = { "backbone": 2, "longmem": 18, "longmem-other-document": 2 };
  assert.match(
    found({ ...models, "longmem-recent-memory": 8 }),
    /the document itself; it gains from text older than the latest \(\+0\.50 /,
  );
  assert.match(
    found({ ...models, "longmem-recent-memory": 17 }),
    /; that it gains from text older than the latest has not been shown\.$/,
  );
  assert.match(
    found({ "backbone": 2, "longmem": 9, "longmem-recent-memory": 18 }),
    /; text older than the latest does it harm \(-0\.45 /,
  );
});

test("findings() without a LongMem, or without what to compare it with, only tells the numbers", () => {
  assert.equal(
    found({ backbone: 5 }),
    "quiz: The accuracy of the backbone alone is 0.250 \u00b1 0.099 (n = 20).",
  );
  assert.equal(
    found({ "backbone": 5, "sidenet-without-memory": 6 }),
    "quiz: The accuracy of the backbone alone is 0.250 \u00b1 0.099, of a SideNet that never had a memory 0.30 \u00b1 0.11 (n = 20); " +
      "no difference between the best two is known to be more than noise.",
  );
  assert.match(
    found({ "backbone": 2, "mine": 18 }),
    /; the one of mine is the best by more than noise\.$/,
  );
  assert.equal(
    found({ longmem: 18 }),
    "quiz: LongMem's accuracy is 0.900 \u00b1 0.069 (n = 20).",
  );
});

test("findings() without a model of no memory says what LongMem's parts do", () => {
  assert.match(
    found({ "longmem": 18, "longmem-memory-off": 2 }),
    /, with its memory off 0\.100: its memory helps \(\+0\.800 \[0\.\d{3}, 0\.950\], 20 items\)\.$/,
  );
  assert.match(
    found({ "longmem": 18, "longmem-other-document": 18, "untrained-with-memory": 4 }),
    /: that its memory's being the same document's helps has not been shown \(0\.0000 .*\); its training helps \(/,
  );
  assert.match(
    found({ "longmem": 2, "longmem-memory-off": 18 }),
    /: its memory does harm \(-0\.80/,
  );
});

test("findings() without records of items compares the intervals of the numbers", () => {
  const models = [
    metric({ model: "backbone", value: 24, ci95: [23, 25.5] }),
    metric({ model: "longmem", value: 21, ci95: [20, 21.8] }),
  ];
  const sentence = (metrics: readonly Metric[]) => {
    const [{ tables: [table] }] = experimentTables(
      [run({ summary: { metrics } })],
      noSums,
    );
    return findings(table, noSums)[0];
  };
  // -3 - sqrt(1 + 1.5^2) and -3 + sqrt(0.8^2 + 1).
  assert.match(
    sentence(models),
    /: it is better than the backbone alone \(-3\.00 \[-4\.80, -1\.72\], not item by item\)/,
  );
  assert.match(
    sentence([models[0], { ...models[1], value: 23.5, ci95: [22, 25] }]),
    /is inside the noise/,
  );
  assert.match(sentence([models[0], { ...models[1], n: 5 }]), /cannot be told of fewer than 6/);
  const { ci95: _ci95, ...single } = models[1];
  assert.match(sentence([models[0], single]), /alone 24\.12|alone 24\.00\.$/);
});

/** The table of a sweep: for each size, how many of twenty questions LongMem and, where there is one, the backbone answers. */
function sweep(right: Readonly<Record<number, readonly [longmem: number, backbone?: number]>>) {
  const runs = Object.entries(right).map(([size, [longmem, backbone]]) =>
    scoredRun({
      ...(backbone !== undefined && { backbone: answers(backbone) }),
      longmem: answers(longmem),
    }, {
      declaration: { memory: { size } },
      summary: {
        run: `m${size}`,
        variation: { "memory.size": Number(size), "memory.half": Number(size) / 2 },
      },
    })
  );
  return experimentTables(runs, scoreSums)[0].tables[0];
}

test("findings() of a sweep names the best and the worst setting, and whether chance may have made them", () => {
  const [clear, ...more] = findings(sweep({ 2: [2], 4: [18], 8: [17] }), scoreSums);
  assert.match(
    clear,
    /^quiz, by size \(and half with it\): LongMem's accuracy is best at 4 \(0\.900 \u00b1 0\.069\) and worst at 2 \(0\.100 \u00b1 0\.069\); the difference \(\+0\.80 \[0\.\d\d, 0\.9\d\], 20 items, an interval for all 3 differences at once\) is more than chance; 8 does as well, as far as can be told\.$/,
  );
  assert.deepEqual(more, [], "LongMem by itself has nothing to be compared with");
  const [noise, ...others] = findings(sweep({ 2: [10], 4: [12] }), scoreSums);
  assert.match(noise, /the difference \(.*, 20 items\) is inside the noise\.$/);
  assert.deepEqual(others, []);
  const table = sweep({ 2: [2], 4: [18] });
  const columns = table.columns.map((column) => ({ ...column, higherIsBetter: false }));
  assert.match(findings({ ...table, columns }, scoreSums)[0], /is best at 2 .* and worst at 4 /);
});

test("findings() widens the interval of the best and the worst of many", () => {
  // 6 more of 20 are more than chance of two settings, and not of the extremes of five.
  const verdict = (sizes: Parameters<typeof sweep>[0]) => findings(sweep(sizes), scoreSums)[0];
  assert.match(verdict({ 1: [6], 2: [12] }), /is more than chance/);
  assert.match(
    verdict({ 1: [6], 2: [12], 4: [9], 8: [9], 16: [9], 32: [9], 64: [9], 128: [9], 256: [9] }),
    /all 36 differences at once\) is inside the noise\.$/,
  );
});

test("findings() of a sweep of many settings counts those in which LongMem is better", () => {
  const [, settings, ...others] = findings(
    sweep({ 2: [2, 3], 4: [18, 3], 8: [1, 12] }),
    scoreSums,
  );
  assert.equal(
    settings,
    "quiz: by accuracy, LongMem is better than the backbone alone in 1 of 3 (size 4), worse than the backbone alone in " +
      "1 of 3 (size 8), not known to differ from the backbone alone in 1 of 3 (size 2), by intervals for all at once.",
  );
  assert.deepEqual(others, []);
  const [, all] = findings(sweep({ 2: [15, 3], 4: [18, 3], 8: [16, 3] }), scoreSums);
  assert.match(all, /is better than the backbone alone in all 3 settings, by intervals for all/);
  // 6 more of 20 are more than chance where that is said of three settings, and not where it is said of many.
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [i + 1, [9, 3] as const]));
  const { 1: one, 2: two, 3: three } = many;
  const said = (sizes: Parameters<typeof sweep>[0]) => findings(sweep(sizes), scoreSums)[1];
  assert.match(said({ 1: one, 2: two, 3: three }), /is better than .* in all 3 settings/);
  assert.match(said(many), /is not known to differ from .* in all 40 settings/);
});

test("findings() has a sentence for each of two variations", () => {
  const runs = [2, 4].map((size) =>
    run({
      declaration: { memory: { size } },
      summary: {
        run: `m${size}`,
        variation: { "memory.size": size },
        metrics: ["longmem", "backbone"].map((model) =>
          metric({ value: size, name: "recall all far", model })
        ),
      },
    })
  );
  const [{ tables: [table] }] = experimentTables(runs, scoreSums);
  assert.deepEqual(findings(table, scoreSums).map((sentence) => sentence.split(":")[0]), [
    "perplexity-test, by size",
    "perplexity-test, size 2",
    "perplexity-test, size 4",
  ]);
  assert.match(findings(table, scoreSums)[1], /LongMem's recall of far facts is 2\.00/);
});
