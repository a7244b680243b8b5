import {
  mean,
  median,
  pairedDifference,
  perplexity,
  proportionInterval,
  ratio,
  ratioDifference,
  signTest,
  standardDeviation,
  sumByCluster,
} from "../../src/statistics/estimates.ts";
import { assert, assertClose, test } from "../testing.ts";
import { fractions, normal } from "./draws.ts";

test("mean() of 2, 4, 6 worked by hand", () => {
  // s^2 = (4 + 0 + 4) / 2 = 4, stderr = 2 / sqrt(3), t(2) = 0.95 sqrt(2 / (1 - 0.95^2)) = 4.3026527
  const { value, stderr, ci95, n } = mean([2, 4, 6]);
  assert.equal(value, 4);
  assert.equal(n, 3);
  const margin = 0.95 * Math.sqrt(2 / (1 - 0.95 ** 2)) * 2 / Math.sqrt(3);
  assertClose([stderr!, ...ci95!], [2 / Math.sqrt(3), 4 - margin, 4 + margin], {
    tolerance: 1e-7,
  });
});

test("mean() of a single value has no uncertainty to tell, of none no value", () => {
  assert.deepEqual(mean([5]), { value: 5, n: 1 });
  assert.throws(() => mean([]), /Cannot divide sums over items as there is nothing to divide by/);
});

test("ratio() of sums worked by hand", () => {
  // R = 12 / 6 = 2; without one of them 10 / 5, 6 / 4, 8 / 3; sqrt(2/3 * (0 + 1/4 + 4/9))
  const { value, stderr, ci95 } = ratio([2, 6, 4], [1, 2, 3]);
  assert.equal(value, 2);
  assertClose([stderr!], [Math.sqrt(2 / 3 * (1 / 4 + 4 / 9))], { tolerance: 1e-12 });
  // 36 / 14 items of equal weight; t(1.5714) = 5.648191 by the incomplete beta function.
  assertClose(ci95!, [2 - 5.648191 * stderr!, 2 + 5.648191 * stderr!], { tolerance: 1e-4 });
});

test("ratio() tells no uncertainty of one item, however many there are that count for nothing", () => {
  // One book of three asks at all, and every answer is right: the others do not make that certain.
  assert.deepEqual(ratio([0, 12, 0], [0, 12, 0]), { value: 1, n: 3 });
  // Nor do they make two others more or less certain.
  const { stderr, ci95 } = ratio([0, 2, 6, 0], [0, 1, 1, 0]);
  assert.deepEqual({ stderr, ci95 }, { stderr: mean([2, 6]).stderr, ci95: mean([2, 6]).ci95 });
});

test("pairedDifference() with weights worked by hand, and equal weights are none", () => {
  const weightedMean = (values: number[], weights: number[]) =>
    pairedDifference(values, values.map(() => 0), { weights });
  // (1 * 1 + 3 * 3) / 4 = 2.5; without one of them 3, 1; sqrt(1/2 * (0.5^2 + 1.5^2))
  const { value, stderr } = weightedMean([1, 3], [1, 3]);
  assert.equal(value, 2.5);
  assertClose([stderr!], [Math.sqrt(1.25)], { tolerance: 1e-12 });
  assert.deepEqual(weightedMean([1, 2, 4], [5, 5, 5]).value, mean([1, 2, 4]).value);
  assertClose([weightedMean([1, 2, 4], [5, 5, 5]).stderr!], [mean([1, 2, 4]).stderr!], {
    tolerance: 1e-12,
  });
});

test("perplexity() is exp of nats per token, long documents counting more", () => {
  const nats = [200 * 3, 100 * 2.1];
  const { value, stderr, ci95, n } = perplexity(nats, [200, 100]);
  const r = ratio(nats, [200, 100]);
  assert.equal(n, 2);
  assertClose([value, stderr!], [Math.exp(2.7), Math.exp(2.7) * r.stderr!], { tolerance: 1e-9 });
  assertClose(ci95!, [Math.exp(r.ci95![0]), Math.exp(r.ci95![1])], { tolerance: 1e-9 });
  assert.ok(ci95![1] - value > value - ci95![0], "the interval is wider above");
});

test("perplexity() of a model that has diverged has no interval that no number holds", () => {
  // 100 and 300 nats a token: r = 200, stderr 100, and 12.7 of them above it, exp(1470).
  const { value, stderr, ci95, n } = perplexity([1000, 3000], [10, 10]);
  assert.deepEqual({ value, ci95, n }, { value: Math.exp(200), ci95: undefined, n: 2 });
  assertClose([stderr! / value], [100], { tolerance: 1e-9 });
  // exp(709) is nearly the largest number.
  assert.deepEqual(perplexity([7000, 7180], [10, 10]), { value: Math.exp(709), n: 2 });
  assert.equal(perplexity([8000, 8000], [10, 10]).value, Infinity);
});

test("perplexity() estimates the spread that new samples of documents have", () => {
  const next = fractions(1);
  const values: number[] = [];
  const stderrs: number[] = [];
  let covered = 0;
  const experiments = 2000, documents = 15;
  // Short documents are harder, so that numerator and denominator are correlated.
  const difficulty = (tokens: number) => 3 - 0.5 * (tokens - 550) / 450;
  let natsTotal = 0, tokensTotal = 0;
  for (let tokens = 100; tokens < 1000; tokens++) {
    natsTotal += tokens * difficulty(tokens);
    tokensTotal += tokens;
  }
  const truth = Math.exp(natsTotal / tokensTotal);
  for (let i = 0; i < experiments; i++) {
    const tokens = Array.from({ length: documents }, () => 100 + Math.floor(next() * 900));
    const nats = tokens.map((t) => t * (difficulty(t) + 0.3 * normal(next)));
    const { value, stderr, ci95 } = perplexity(nats, tokens);
    values.push(value);
    stderrs.push(stderr!);
    if (ci95![0] <= truth && truth <= ci95![1]) covered++;
  }
  const spread = mean(values).stderr! * Math.sqrt(experiments);
  const estimated = mean(stderrs).value;
  assert.ok(Math.abs(estimated / spread - 1) < 0.1, `estimated ${estimated}, found ${spread}`);
  assert.ok(Math.abs(covered / experiments - 0.95) < 0.025, `covered ${covered / experiments}`);
});

test("ratio() holds the truth as often as it says where few items have most of the weight", () => {
  const next = fractions(9), tries = 1000;
  for (const documents of [6, 24]) {
    let held = 0;
    for (let i = 0; i < tries; i++) {
      // Lengths between which e^1.5 is one standard deviation: the longest of 24 is as long as the 12 shortest together, and more.
      const tokens = Array.from({ length: documents }, () => Math.exp(1.5 * normal(next)));
      const [low, high] = ratio(tokens.map((t) => t * (3 + 0.3 * normal(next))), tokens).ci95!;
      if (low <= 3 && high >= 3) held++;
    }
    // The delta method with n - 1 degrees of freedom holds it 770 and 830 times.
    assert.ok(held > 930, `${held} of ${tries}, ${documents} documents`);
  }
});

test("pairedDifference() cancels what is hard for both models", () => {
  // The documents differ by 100, the models by 1, 2, 3.
  const { value, stderr } = pairedDifference([101, 202, 303], [100, 200, 300]);
  assert.equal(value, 2);
  assertClose([stderr!], [1 / Math.sqrt(3)], { tolerance: 1e-12 });
  const weighted = pairedDifference([2, 5], [1, 1], { weights: [3, 1] });
  assert.equal(weighted.value, (3 * 1 + 1 * 4) / 4);
  assert.throws(
    () => pairedDifference([1, 2], [1]),
    /Cannot pair items as their numbers differ: current values are 2 and 1/,
  );
});

test("exp of the weighted paired difference is the ratio of perplexities", () => {
  const tokens = [100, 300, 50], first = [310, 840, 160], second = [290, 850, 150];
  const perToken = (nats: number[]) => nats.map((value, i) => value / tokens[i]);
  const { value } = pairedDifference(perToken(first), perToken(second), { weights: tokens });
  const expected = perplexity(first, tokens).value / perplexity(second, tokens).value;
  assertClose([Math.exp(value)], [expected], { tolerance: 1e-12 });
});

test("standardDeviation() divides by n - 1 or by n", () => {
  assertClose([standardDeviation([1, 2, 3, 6], "sample")], [Math.sqrt(14 / 3)], {
    tolerance: 1e-12,
  });
  assertClose([standardDeviation([1, 2, 3, 6], "population")], [Math.sqrt(14 / 4)], {
    tolerance: 1e-12,
  });
  assert.equal(standardDeviation([5], "population"), 0);
  assert.throws(
    () => standardDeviation([5], "sample"),
    /^RangeError: Cannot take a sample standard deviation as there are too few values: current number is 1$/,
  );
});

test("signTest() is the share of all patterns of signs that are as unequal", () => {
  const patterns = (n: number) =>
    Array.from(
      { length: 2 ** n },
      (_, bits) => Array.from({ length: n }, (_, i) => bits >> i & 1 ? 1 : -1),
    );
  const excess = (signs: readonly number[]) => Math.abs(signs.reduce((a, b) => a + b, 0));
  for (let n = 1; n <= 9; n++) {
    const all = patterns(n);
    for (let positive = 0; positive <= n; positive++) {
      const values = Array.from({ length: n }, (_, i) => (i < positive ? 0.1 : -3) * (i + 1));
      const found = signTest(values);
      const unequal = all.filter((signs) => excess(signs) >= excess(values.map(Math.sign)));
      assert.deepEqual([found.positive, found.n], [positive, n]);
      assertClose([found.p], [unequal.length / all.length], { tolerance: 1e-12 });
    }
  }
  // Zeros are counted as items, not as signs.
  assert.deepEqual(signTest([0, 0, 2]), { positive: 1, n: 3, p: 1 });
  assert.deepEqual(signTest([0, 0]), { positive: 0, n: 2, p: 1 });
  // By clusters: a gains 1, b loses 1.
  assert.deepEqual(signTest([3, -2, -1], { clusters: ["a", "a", "b"] }), {
    positive: 1,
    n: 2,
    p: 1,
  });
  assert.ok(
    signTest(new Array(3000).fill(1)).p >= 0 && signTest(new Array(40).fill(1)).p === 2 ** -39,
  );
});

test("proportionInterval() is Wilson's, and never empty", () => {
  // 8 of 10 by hand: (0.8 + 0.19207) / 1.38415 = 0.71674, and 1.959964 sqrt(0.016 + 0.0096037) / 1.38415 = 0.22658.
  const [low, high] = proportionInterval(8, 10);
  assertClose([low, high], [0.49016, 0.94332], { tolerance: 2e-5 });
  // All of 384 alike: n / (n + z^2), and its mirror image.
  assertClose(proportionInterval(24, 24), [0.86202, 1], { tolerance: 1e-5 });
  assertClose(proportionInterval(0, 24), [0, 0.13798], { tolerance: 1e-5 });
  for (let n = 1; n <= 2000; n++) {
    assert.ok(proportionInterval(n, n)[1] <= 1 && proportionInterval(0, n)[0] >= 0, `${n}`);
  }
  assert.throws(() => proportionInterval(0, 0), /there must be 0 to n successes of n items/);
  assert.throws(() => proportionInterval(3, 2), RangeError);
});

test("median() is the middle, with the order statistics between which it lies 95 % of the time", () => {
  assert.deepEqual(median([5, 1, 4]), { value: 4, n: 3 });
  assert.deepEqual(median([4, 1, 2, 3]), { value: 2.5, n: 4 });
  assert.equal(median([1, 2, 3, 4, 5]).ci95, undefined); // 93.75 % between the outermost
  assert.deepEqual(median([3, 1, 2, 6, 5, 4]).ci95, [1, 6]); // 96.9 %
  assert.deepEqual(median([3, 1, 2, 6, 5, 4, 8, 7]).ci95, [1, 8]); // 93 % without the outermost
  assert.deepEqual(median([3, 1, 2, 6, 5, 4, 8, 7, 9]).ci95, [2, 8]); // 96.1 %
  const many = Float64Array.from({ length: 100 }, (_, i) => i + 1);
  assert.deepEqual(median(many), { value: 50.5, ci95: [40, 61], n: 100 }); // as tables have it
  // Of many, 0.5^n is no number above 0; by the normal distribution 10000 / 2 -+ 1.96 * 50.
  const most = Float64Array.from({ length: 10_000 }, (_, i) => i + 1);
  assert.deepEqual(median(most).ci95, [4902, 5099]);
  assert.throws(() => median([]), RangeError);
});

test("ratioDifference() is the jackknife of two ratios over the same items", () => {
  const [a, b, c, d] = [[3, 8, 2, 9], [4, 10, 3, 12], [5, 1, 0, 6], [20, 2, 0, 9]];
  const first = { numerators: a, denominators: b }, second = { numerators: c, denominators: d };
  const share = (values: number[], of: number[], without?: number) => {
    const total = (list: number[]) => list.reduce((sum, x, i) => i === without ? sum : sum + x, 0);
    return total(values) / total(of);
  };
  const between = (without?: number) => share(a, b, without) - share(c, d, without);
  const squares = a.map((_, i) => (between(i) - between()) ** 2);
  const expected = Math.sqrt(3 / 4 * squares.reduce((sum, square) => sum + square));
  const { value, stderr, ci95, n } = ratioDifference(first, second);
  assertClose([value, stderr!], [between(), expected], { tolerance: 1e-12 });
  assert.equal(n, 4);
  // The second ratio has fewer effective items, 31^2 / 485 = 1.98: less than one degree of freedom, which is taken for one.
  assertClose([(ci95![1] - value) / stderr!], [12.7062], { tolerance: 1e-4 });

  // Where denominators are the same, it is the ratio of differences.
  const same = ratioDifference(first, { numerators: c, denominators: b });
  const paired = ratio(a.map((x, i) => x - c[i]), b);
  assertClose([same.value, same.stderr!, ...same.ci95!], [
    paired.value,
    paired.stderr!,
    ...paired.ci95!,
  ], { tolerance: 1e-12 });
  const clusters = ["x", "y", "x", "z"];
  const summed = { numerators: [5, 8, 9], denominators: [7, 10, 12] };
  assert.deepEqual(
    { ...ratioDifference(first, second, { clusters }), n: 3 },
    ratioDifference(summed, { numerators: [5, 1, 6], denominators: [20, 2, 9] }),
  );
  const one = { numerators: [0, 1, 0, 0], denominators: [0, 2, 0, 0] };
  assert.deepEqual(ratioDifference(first, one), { value: 22 / 29 - 1 / 2, n: 4 });
});

test("ratio() over clusters is the ratio of their sums, but for the number of items", () => {
  const clusters = ["a", "b", "a", "c", "b"];
  const { value, stderr, ci95, n } = ratio([1, 2, 3, 4, 5], [1, 1, 2, 2, 2], { clusters });
  const summed = ratio([4, 7, 4], [3, 3, 2]);
  assert.deepEqual({ value, stderr, ci95 }, {
    value: summed.value,
    stderr: summed.stderr,
    ci95: summed.ci95,
  });
  assert.equal(n, 5);
  assert.deepEqual(sumByCluster([1, 2, 3, 4, 5], clusters), [4, 7, 4]);
  assert.throws(() => sumByCluster([1, 2], ["a"]), /Cannot pair items as their numbers differ/);
  // The same of what is computed from ratios.
  const [nats, tokens] = [[200, 100, 400], [100, 60, 150]];
  const byBook = { clusters: ["a", "a", "b"] };
  assert.equal(
    perplexity(nats, tokens, byBook).stderr,
    perplexity([300, 400], [160, 150]).stderr,
  );
  const paired = pairedDifference([1, 2, 6], [0, 0, 1], { weights: [1, 3, 2], ...byBook });
  assert.equal(paired.stderr, pairedDifference([7 / 4, 5], [0, 0], { weights: [4, 2] }).stderr);
  assert.deepEqual(ratio([1, 2], [1, 1], { clusters: ["a", "a"] }), { value: 1.5, n: 2 });
});

test("ratio() over clusters holds the truth as often as it says, where items of one cluster are alike", () => {
  const tries = 1000, clusters = 12;
  for (const sizes of [() => 6, (next: () => number) => 1 + Math.floor(12 * next())]) {
    const next = fractions(21);
    let held = 0, heldByItems = 0;
    for (let i = 0; i < tries; i++) {
      const values: number[] = [], names: string[] = [];
      for (let cluster = 0; cluster < clusters; cluster++) {
        const common = normal(next);
        for (let item = sizes(next); item > 0; item--) {
          values.push(common + 0.5 * normal(next));
          names.push(String(cluster));
        }
      }
      const ones = values.map(() => 1);
      const holds = ([low, high]: readonly [number, number]) => low <= 0 && high >= 0;
      if (holds(ratio(values, ones, { clusters: names }).ci95!)) held++;
      if (holds(ratio(values, ones).ci95!)) heldByItems++;
    }
    // 950, with a standard deviation of 7.
    assert.ok(held > 925 && held < 980, `${held} of ${tries}`);
    assert.ok(heldByItems < 750, `items that are not independent: ${heldByItems}`);
  }
});
