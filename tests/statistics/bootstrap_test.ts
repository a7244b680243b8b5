import { bootstrapInterval } from "../../src/statistics/bootstrap.ts";
import { effectiveItems, mean } from "../../src/statistics/estimates.ts";
import { assert, assertClose, test } from "../testing.ts";
import { fractions, normal } from "./draws.ts";

test("bootstrapInterval() agrees with the normal interval of a mean of many values", () => {
  const next = fractions(7);
  const values = Array.from({ length: 400 }, () => 10 + 2 * normal(next));
  const meanOf = (indices: Uint32Array) => {
    let total = 0;
    for (const i of indices) total += values[i];
    return total / indices.length;
  };
  const found = bootstrapInterval(values.length, meanOf, { seed: 3 });
  const { ci95, stderr } = mean(values);
  assertClose(found, ci95!, { tolerance: 0.2 * stderr! });
  assert.deepEqual(bootstrapInterval(values.length, meanOf, { seed: 3 }), found);
  assert.notDeepEqual(bootstrapInterval(values.length, meanOf, { seed: 4 }), found);
});

test("bootstrapInterval() of eight items holds the truth as often as it says", () => {
  const next = fractions(5), tries = 1000;
  let held = 0;
  for (let i = 0; i < tries; i++) {
    const values = Array.from({ length: 8 }, () => normal(next));
    const meanOf = (indices: Uint32Array) =>
      indices.reduce((total, index) => total + values[index], 0) / 8;
    const [low, high] = bootstrapInterval(8, meanOf, { seed: i });
    if (low <= 0 && high >= 0) held++;
  }
  // The percentile bootstrap holds it 900 times; a standard deviation of 950 is 7.
  assert.ok(held > 925 && held < 975, `${held} of ${tries}`);
});

test("bootstrapInterval() draws all items equally often, and with replacement", () => {
  const counts = new Float64Array(10);
  let repeated = 0;
  bootstrapInterval(10, (indices) => {
    for (const i of indices) counts[i]++;
    if (new Set(indices).size < 10) repeated++;
    return 0;
  }, { seed: 1 });
  assertClose(counts, new Float64Array(10).fill(2_000), { tolerance: 180 }); // 4 sigma
  assert.ok(repeated > 1_980);
  assert.throws(() => bootstrapInterval(0, () => 0, { seed: 1 }), /Cannot draw from no items/);
});

/** The ratio of sums over the items drawn. */
function ratioOf(values: readonly number[], weights: readonly number[]) {
  return (indices: Uint32Array) => {
    let above = 0, below = 0;
    for (const i of indices) {
      above += weights[i] * values[i];
      below += weights[i];
    }
    return above / below;
  };
}

/** Tokens of eleven documents, of which two have 61 %: 4.4 effective items. */
const unequal = [9, 9, 10, 11, 12, 12, 33, 62, 103, 180, 235];

test("bootstrapInterval() takes enough resamples for its tail, however small that is", () => {
  const statistic = (n: number, weights: readonly number[]) => {
    let calls = 0;
    bootstrapInterval(n, () => calls++, { seed: 1, effective: effectiveItems(weights) });
    return calls;
  };
  const equal = (n: number) => statistic(n, Array(n).fill(1));
  // The tails of 100, 24 and 6 equal items are 2.3 %, 1.7 % and 0.24 %; that of 4.4 effective ones 0.036 %.
  assert.deepEqual([equal(100), equal(24)], [2_000, 2_000]);
  assert.ok(equal(6) > 4_000 && equal(6) < 4_500, `${equal(6)}`);
  assert.ok(statistic(11, unequal) > 25_000, `${statistic(11, unequal)}`);
  // Below 4.2 it would take more than 40,000: there the spread of some is enough.
  assert.equal(statistic(11, [...Array(10).fill(1), 100]), 2_001);
});

test("bootstrapInterval() depends little on its seed where few items have most of the weight", () => {
  const next = fractions(3);
  const values = unequal.map(() => normal(next));
  const widths = [1, 2, 3, 4, 5].map((seed) => {
    const [low, high] = bootstrapInterval(11, ratioOf(values, unequal), {
      seed,
      effective: effectiveItems(unequal),
    });
    return high - low;
  });
  // With 2,000 resamples, the smallest and the largest of them, widths differ by 15 %.
  assert.ok(Math.max(...widths) / Math.min(...widths) < 1.06, widths.join(" "));
});

test("bootstrapInterval() of few effective items holds the truth as often as it says", () => {
  // Effective items 4.4, 3.0 and 1.6; below 4.2 the interval is Student's, of the spread of the resamples.
  const weightings = [
    unequal,
    [1, 1, 1, 1, 1, 1, 30, 30, 30],
    [1, 1, 1, 1, 1, 1, 1, 50, 10],
  ];
  const tries = 300;
  for (const [index, weights] of weightings.entries()) {
    const next = fractions(index + 1);
    let held = 0;
    for (let i = 0; i < tries; i++) {
      const values = weights.map(() => normal(next));
      const [low, high] = bootstrapInterval(weights.length, ratioOf(values, weights), {
        seed: i,
        effective: effectiveItems(weights),
      });
      if (low <= 0 && high >= 0) held++;
    }
    // 95 % of 300 is 285, with a standard deviation of 3.8; more is safe.
    assert.ok(held >= 277, `${held} of ${tries} by weights ${weights}`);
  }
});
