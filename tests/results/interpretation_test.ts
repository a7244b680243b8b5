import { perplexityMeasures, perplexityRecord } from "../../src/evaluation/perplexity.ts";
import { tokenLossMeasures } from "../../src/evaluation/token_loss.ts";
import { findings } from "../../src/results/interpretation.ts";
import type { Metric } from "../../src/results/records.ts";
import { assert, test } from "../testing.ts";
import {
  catalogOf,
  metric,
  noSums,
  run,
  scoredRun,
  scoreSums,
  sumScores,
  tablesOf,
} from "./run_records.ts";

/** Scores of twenty questions: `right` of them are answered, the first ones. */
function answers(right: number): number[] {
  return Array.from({ length: 20 }, (_, i) => i < right ? 1 : 0);
}

/** What is found where each model answered so many of twenty questions. */
function found(right: Readonly<Record<string, number>>): string {
  const scores = Object.entries(right).map(([model, count]) => [model, answers(count)]);
  const record = scoredRun(Object.fromEntries(scores));
  const [{ tables: [table] }] = tablesOf([record], scoreSums);
  const [sentence, ...others] = findings(table, scoreSums);
  assert.deepEqual(others, []);
  return sentence;
}

test("findings() puts the main model beside the first other, and names those that it is not told apart from", () => {
  const line = found({ "backbone": 2, "off": 3, "longmem": 18, "other": 17, "another": 19 });
  assert.match(
    line,
    /^quiz: accuracy of the longmem 0\.900 \u00b1 0\.069, vs the backbone 0\.100: \+0\.800 \[0\.\d{3}, 0\.950\], 20 items, better; not told apart from the other, the another$/,
  );
  assert.match(found({ "backbone": 18, "longmem": 2 }), /0\.900: -0\.800 \[.*\], 20 items, worse$/);
  const perplexities = [24, 21].map((value, i) =>
    metric({ model: `m${i}`, value, ci95: [value - 1, value + 1] })
  );
  const [{ tables: [table] }] = tablesOf(
    [run({ summary: { metrics: perplexities } })],
    noSums,
  );
  assert.match(findings(table, noSums)[0], /: -3\.0\d* .*, better$/, "lower is better");
  assert.match(found({ "backbone": 9, "longmem": 10 }), /20 items, inside the noise$/);
  // Without a LongMem the last model is the main one; alone it has nothing to be compared with.
  assert.match(
    found({ "a": 9, "b": 10 }),
    /^quiz: accuracy of the b 0\.50\d* .*, vs the a 0\.45\d*: /,
  );
  assert.equal(found({ "longmem": 10 }), "quiz: accuracy of the longmem 0.50 \u00b1 0.11");
});

test("findings() of few items, or of numbers without records, says so", () => {
  const record = scoredRun({ "backbone": [0, 0], "longmem": [1, 1] });
  const sums = catalogOf((metric, samples) => {
    const found = sumScores(metric, samples);
    return found && { ...found, unit: "books" };
  });
  const [{ tables: [table] }] = tablesOf([record], sums);
  assert.match(
    findings(table, sums)[0],
    /vs the backbone 0\.\S*: \+1\.0, 2 books, too few to tell$/,
  );
  const models = [
    metric({ model: "backbone", value: 24, ci95: [23, 25.5] }),
    metric({ model: "longmem", value: 21, ci95: [20, 21.8] }),
  ];
  const sentence = (metrics: readonly Metric[]) => {
    const [{ tables: [table] }] = tablesOf([run({ summary: { metrics } })], noSums);
    return findings(table, noSums)[0];
  };
  assert.match(
    sentence(models),
    /vs the backbone 24\S*: -3\.0\d* \[-4\.8\d*, -1\.\d+\], not item by item, better$/,
  );
  const { ci95: _ci95, ...single } = models[1];
  assert.match(sentence([models[0], single]), /, vs the backbone 24\.0*$/);
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
  return tablesOf(runs, scoreSums)[0].tables[0];
}

test("findings() of a sweep names the best and the worst setting, by an interval for all pairs", () => {
  const [clear, ...more] = findings(sweep({ 2: [2], 4: [18], 8: [17] }), scoreSums);
  assert.match(
    clear,
    /^quiz, by size: accuracy of the longmem is best at 4 \(0\.900 \u00b1 0\.069\) and worst at 2 \(0\.100 \u00b1 0\.069\): \+0\.80 \[0\.\d\d, 0\.9\d\], 20 items, of all 3 pairs at once$/,
  );
  assert.deepEqual(more, [], "of many settings only the best and the worst are compared");
  const table = sweep({ 2: [2], 4: [18] });
  const columns = table.columns.map((column) => ({ ...column, higherIsBetter: false }));
  assert.match(findings({ ...table, columns }, scoreSums)[0], /is best at 2 .* and worst at 4 /);
  // 6 more of 20 are more than chance of two settings, and not of the extremes of nine.
  const verdict = (sizes: Parameters<typeof sweep>[0]) => findings(sweep(sizes), scoreSums)[0];
  assert.match(verdict({ 1: [6], 2: [12] }), /20 items$/);
  assert.match(
    verdict({ 1: [6], 2: [12], 4: [9], 8: [9], 16: [9], 32: [9], 64: [9], 128: [9], 256: [9] }),
    /20 items, inside the noise, of all 36 pairs at once$/,
  );
});

test("findings() has a line for each of two settings", () => {
  const lines = findings(sweep({ 2: [2, 3], 4: [18, 3] }), scoreSums);
  assert.deepEqual(lines.map((line) => line.split(":")[0]), [
    "quiz, by size",
    "quiz, size 2",
    "quiz, size 4",
  ]);
  assert.match(lines[2], /accuracy of the longmem 0\.900 .*, vs the backbone 0\.150: \+0\.75/);
});

test("findings() and tables compare no losses over different tokens, as of two vocabularies", () => {
  /** Eight documents in 100 tokens of 0.5 nats each, and in so many tokens of 0.4 nats. */
  const compared = (tokens: number, name: "perplexity" | "word perplexity" | "nats") => {
    const catalog = catalogOf((_, samples) => {
      const records = samples.map((sample) => perplexityRecord.parse(sample));
      const noBuckets = Object.fromEntries(
        ["position", "tokenDistance", "bigramDistance"].flatMap((aspect) => [
          [`${aspect}Nats`, []],
          [`${aspect}Tokens`, []],
        ]),
      );
      const measures = name === "nats"
        ? tokenLossMeasures(records.map((record) => ({ ...record, ...noBuckets }) as never))
        : perplexityMeasures(records);
      return measures.find((measure) => measure.name === name)!.sums;
    });
    const runs = [100, tokens].map((tokens, i) => {
      const nats = [0.5, 0.4][i] * tokens;
      const samples = Array.from({ length: 8 }, (_, j) => ({
        ...{ model: "longmem", item: `document ${j}`, bucket: "<5K", words: 50 },
        tokens: tokens + j,
        nats: nats + 0.4 * j,
      }));
      return run({
        declaration: { tokenizer: { i } },
        samples: new Map([["perplexity-test", samples]]),
        summary: {
          run: `v${i}`,
          variation: { "tokenizer.i": i },
          metrics: [
            metric({ model: "longmem", name, value: name === "word perplexity" ? 2 + i : 3 - i }),
          ],
        },
      });
    });
    const [{ tables: [table] }] = tablesOf(runs, catalog);
    const [finding] = findings(table, catalog);
    return {
      finding,
      best: table.rows.map(({ cells: [cell] }) => cell!.best),
      ...table.columns[0],
    };
  };
  for (const name of ["perplexity", "nats"] as const) {
    const other = compared(200, name);
    assert.equal(
      other.finding,
      `perplexity-test, by i: ${name} is not compared, as settings count different tokens`,
    );
    assert.equal(other.meaning, "settings count different tokens, and are not compared");
    assert.deepEqual(other.best, [false, false]);
    const same = compared(100, name);
    assert.match(same.finding, /is best at 1 .* and worst at 0 .*, 8 documents$/);
    assert.equal(same.meaning, undefined);
    assert.deepEqual(same.best, [false, true]);
  }
  assert.match(compared(200, "word perplexity").finding, /is best at 0 .* and worst at 1 /);
});
