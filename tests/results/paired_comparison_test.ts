import {
  amongSeveral,
  compare,
  compareApart,
  fewestItems,
  holdsZero,
  type ItemSums,
  metricOf,
} from "../../src/results/paired_comparison.ts";
import { pairedDifference, sumByCluster } from "../../src/statistics/estimates.ts";
import { Random } from "../../src/random.ts";
import { assert, assertClose, test } from "../testing.ts";

function scores(values: readonly number[], change: Partial<ItemSums> = {}): ItemSums {
  return {
    items: values.map((_, i) => `item ${i}`),
    numerators: values,
    denominators: values.map(() => 1),
    exponential: false,
    ...change,
  };
}

/** What makes items hard for everybody: far more than any difference between models. */
const difficulty = Array.from({ length: 40 }, (_, i) => 10 * Math.sin(5 * i));

test("metricOf() divides sums, and takes a perplexity from the exponent", () => {
  const sums = scores([2, 6, 4], { denominators: [1, 2, 3] });
  assert.equal(metricOf(sums), 2);
  assert.equal(metricOf(sums, [0, 0, 1]), 10 / 4);
  assert.equal(metricOf({ ...sums, exponential: true }), Math.exp(2));
});

test("compare() finds a small difference between models that scored the same hard items", () => {
  const first = difficulty.map((value, i) => value + 0.1 + 0.05 * Math.cos(3 * i));
  const difference = compare([scores(first)], [scores(difficulty)])!;
  const { value, ci95, stderr } = pairedDifference(first, difficulty);
  assertClose([difference.value], [value], { tolerance: 1e-12 });
  assertClose(difference.overItems!, ci95!, { tolerance: 0.3 * stderr! });
  assert.equal(difference.overSeeds, undefined);
  assert.equal(difference.insideNoise, false);
  assert.deepEqual([difference.items, difference.seeds], [40, 1]);
});

test("compare() calls a difference noise whose interval holds 0, in either direction", () => {
  const other = difficulty.map((value, i) => value + (i % 2 ? 1 : -1) + 0.02);
  assert.equal(compare([scores(other)], [scores(difficulty)])!.insideNoise, true);
  assert.equal(compare([scores(difficulty)], [scores(other)])!.insideNoise, true);
  const worse = compare([scores(difficulty)], [scores(difficulty.map((value) => value + 1))])!;
  assert.equal(worse.insideNoise, false);
  assertClose([worse.value, ...worse.overItems!], [-1, -1, -1], { tolerance: 1e-12 });
});

test("compare() claims nothing of fewer items than could prove it", () => {
  const wins = (n: number) => compare([scores(Array(n).fill(1))], [scores(Array(n).fill(0))])!;
  assert.equal(wins(fewestItems - 1).overItems, undefined);
  assert.equal(wins(fewestItems - 1).insideNoise, true);
  assert.equal(wins(fewestItems).insideNoise, false);
  // All of n on one side: by chance in 2 of 2^n, which must be below 5 %.
  assert.ok(2 / 2 ** fewestItems < 0.05 && 2 / 2 ** (fewestItems - 1) > 0.05);
});

test("compare() claims nothing where models differ on fewer items than could prove it, however many there are", () => {
  const items = 200, none = scores(Array(items).fill(0));
  const wins = (n: number) =>
    compare([scores(Array.from({ length: items }, (_, i) => i < n ? 1 : 0))], [none])!;
  const five = wins(fewestItems - 1);
  assert.equal(five.differing, 5);
  assert.ok(five.overItems![0] > 0, "the bootstrap alone does not know");
  assert.equal(five.insideNoise, true);
  assert.equal(wins(fewestItems).insideNoise, false);
});

test("compare() claims nothing of few items, whatever seeds say", () => {
  const [win, loss] = [scores([1, 1, 1]), scores([0, 0, 0])];
  const difference = compare([win, win, win], [loss, loss, loss])!;
  assert.equal(difference.interval, undefined);
  assert.equal(difference.insideNoise, true);
});

test("compare() adds the squares of what items and seeds leave uncertain", () => {
  const base = scores(difficulty);
  const by = (gain: number) => scores(difficulty.map((value, i) => value + gain + Math.sin(i)));
  const { value, overItems, overSeeds, interval } = compare(
    [by(1), by(1.1), by(0.9)],
    [base, base, base],
  )!;
  for (const side of [0, 1]) {
    const margins = [overItems!, overSeeds!].map((bounds) => bounds[side] - value);
    assert.ok(margins.every((margin) => Math.abs(margin) > 0.1), "both count");
    assertClose([(interval![side] - value) ** 2], [margins[0] ** 2 + margins[1] ** 2], {
      tolerance: 1e-12,
    });
  }
  // Each alone would call it certain.
  const unsure = compare([by(0.5), by(0.6), by(0.4)], [base, base, base])!;
  assert.ok(unsure.overItems![0] > 0 && unsure.overSeeds![0] > 0);
  assert.ok(unsure.interval![0] < Math.min(unsure.overItems![0], unsure.overSeeds![0]));
});

test("compare() draws the items of each seed by themselves where their numbers differ", () => {
  const others = difficulty.map((value, i) => value + 1 + Math.sin(i));
  const seeds = [40, 30].map((n) => ({
    first: scores(others.slice(0, n)),
    second: scores(difficulty.slice(0, n)),
  }));
  const both = compare(seeds.map(({ first }) => first), seeds.map(({ second }) => second))!;
  const widths = seeds.map(({ first, second }) => {
    const [low, high] = compare([first], [second])!.overItems!;
    return high - low;
  });
  const [low, high] = both.overItems!;
  assertClose([high - low], [Math.hypot(...widths) / 2], { tolerance: 0.05 * (high - low) });
  assert.equal(both.items, 30);
});

test("compare() says what items are", () => {
  const books = scores(difficulty, { unit: "books" });
  assert.equal(compare([books], [books])!.unit, "books");
  assert.equal(compare([scores(difficulty)], [scores(difficulty)])!.unit, "items");
});

test("compare() over seeds wants both items and seeds to say so", () => {
  const base = scores(difficulty);
  const by = (gain: number) => scores(difficulty.map((value) => value + gain));
  const steady = compare([by(1), by(1.1), by(0.9)], [base, base, base])!;
  assertClose([steady.value], [1], { tolerance: 1e-12 });
  // s = 0.1, t(2) = 4.3027
  const margin = 4.3027 * 0.1 / Math.sqrt(3);
  assertClose(steady.overSeeds!, [1 - margin, 1 + margin], { tolerance: 1e-4 });
  assert.equal(steady.insideNoise, false);
  // Over items each seed alone is certain, yet seeds disagree.
  const unsteady = compare([by(1), by(3), by(-0.5)], [base, base, base])!;
  assert.ok(unsteady.overItems![0] > 0);
  assert.equal(unsteady.insideNoise, true);
  // Seeds agree, items do not.
  const few = scores(difficulty.map((value, i) => value + (i === 0 ? 40 : 0)));
  const oneItem = compare([few, few, few], [base, base, base])!;
  assert.ok(oneItem.overSeeds![0] > 0);
  assert.equal(oneItem.insideNoise, true);
});

test("compareApart() adds the squares of what two intervals leave uncertain on each side", () => {
  const first = { value: 0.9, ci95: [0.8, 0.95] as const, n: 20 };
  const second = { value: 0.5, ci95: [0.3, 0.6] as const, n: 30 };
  const difference = compareApart(first, second)!;
  assertClose(difference.interval!, [
    0.4 - Math.hypot(0.1, 0.1),
    0.4 + Math.hypot(0.05, 0.2),
  ], { tolerance: 1e-12 });
  assert.deepEqual([difference.insideNoise, difference.items, difference.isApart], [
    false,
    20,
    true,
  ]);
  assert.equal(compareApart({ ...first, n: 5 }, second)!.insideNoise, true);
  assert.equal(compareApart({ ...first, value: 0.5, ci95: [0.4, 0.6] }, second)!.insideNoise, true);
  assert.equal(compareApart(first, { value: 0.5, n: 30 }), undefined);
});

test("amongSeveral() leaves out 5 % of all comparisons together", () => {
  const one = compareApart({ value: 1, ci95: [0, 2], n: 9 }, { value: 0, ci95: [0, 0], n: 9 })!;
  // Student's quantiles of 1 - 0.025 and of 1 - 0.025 / 10 for 8 degrees of freedom: 2.306004 and 3.832519.
  const among = amongSeveral(one, 10);
  assertClose(among.interval!, [1 - 3.832519 / 2.306004, 1 + 3.832519 / 2.306004], {
    tolerance: 1e-4,
  });
  assertClose(amongSeveral(one, 1).interval!, [0, 2], { tolerance: 1e-5 });
  const clear = { ...one, interval: [0.2, 1.8] as const, insideNoise: false };
  assert.deepEqual([1, 10].map((count) => amongSeveral(clear, count).insideNoise), [false, true]);
});

test("amongSeveral() widens what is over two seeds by far more than what is over forty items", () => {
  const base = scores(difficulty);
  const by = (gain: number) => scores(difficulty.map((value, i) => value + gain + Math.sin(i)));
  const one = compare([by(1), by(1.02)], [base, base])!;
  assert.equal(one.insideNoise, false);
  const [low] = amongSeveral(one, 10).interval!;
  // t(39) is 2.0227, and 2.9756 among ten; t(1) 12.7062, and 127.321.
  const margins = [
    (one.overItems![0] - one.value) * 2.9756 / 2.0227,
    (one.overSeeds![0] - one.value) * 127.321 / 12.7062,
  ];
  assertClose([low], [one.value - Math.hypot(...margins)], { tolerance: 1e-3 });
  assert.equal(amongSeveral(one, 10).insideNoise, true);
});

test("compare() claims nothing of numbers that are none", () => {
  // A perplexity that no number holds: infinite less infinite.
  const nats = scores(Array(8).fill(800), { exponential: true });
  assert.equal(compare([nats], [nats])!.insideNoise, true);
  const fewer = scores(difficulty.slice(0, 8).map((value) => 790 + value), { exponential: true });
  assert.equal(compare([nats], [fewer])!.insideNoise, true);
});

test("compare() leaves out draws of items that ask nothing", () => {
  // Six of forty books ask, one of them three times as much: now and then none of them is drawn.
  const denominators = Array.from({ length: 40 }, (_, i) => i < 5 ? 1 : i === 5 ? 3 : 0);
  const all = scores(denominators, { denominators });
  const none = scores(denominators.map(() => 0), { denominators });
  assert.deepEqual(compare([all], [none])!.overItems, [1, 1]);
  assert.deepEqual(compare([none], [all])!.overItems, [-1, -1]);
  assert.equal(compare([none], [all])!.insideNoise, false);
  assert.equal(holdsZero([1, NaN]), true);
});

test("compare() of draws that ask the same questions counts both draws and questions", () => {
  // What each draw gains of 40 questions, and each question of 8 draws: 0.5 on average.
  const draws = Array.from({ length: 8 }, (_, i) => 0.5 + 0.05 * Math.cos(3 * i));
  const crossed = (numerators: readonly number[], questions: readonly number[]) =>
    scores(numerators, { across: scores(questions) });
  const zero = crossed(draws.map(() => 0), difficulty.map(() => 0));
  const gained = difficulty.map((value) => 0.5 + value / 10);
  const both = compare([crossed(draws, gained)], [zero])!;
  const [over, across] = [draws, gained].map((values) =>
    compare([scores(values)], [scores(values.map(() => 0))])!
  );
  assert.ok(over.interval![0] > 0 && both.isCrossed && !over.isCrossed);
  assertClose([both.interval![0]], [
    both.value - Math.hypot(over.interval![0] - over.value, across.interval![0] - both.value),
  ], { tolerance: 1e-12 });
  // Five questions of 40 that differ prove nothing, however many draws agree on them.
  const five = difficulty.map((_, i) => i < 5 ? 4 : 0);
  assert.equal(compare([crossed(draws, five)], [zero])!.insideNoise, true);
  const all = difficulty.map((_, i) => 0.5 + 0.1 * Math.sin(i));
  assert.equal(compare([crossed(draws, all)], [zero])!.insideNoise, false);
});

test("compare() pairs only the same items of the same seeds", () => {
  const base = scores(difficulty);
  const renamed = { ...base, items: base.items.map((item) => `other ${item}`) };
  assert.equal(compare([renamed], [base]), undefined);
  assert.equal(compare([base], [base, base]), undefined);
  assert.equal(compare([scores(difficulty.slice(1))], [base]), undefined);
});

test("compare() claims a difference as seldom as it says where two of eleven documents hold most of the tokens", () => {
  const tokens = [9, 9, 10, 11, 12, 12, 40, 66, 94, 180, 232].map((thousands) => 1000 * thousands);
  const random = new Random(11), tries = 300;
  const model = () => tokens.map((count) => count * (4 + 0.01 * random.normal()));
  let claims = 0;
  for (let i = 0; i < tries; i++) {
    const sums = (): ItemSums => scores(model(), { denominators: tokens, exponential: true });
    if (!compare([sums()], [sums()])!.insideNoise) claims++;
  }
  // It claims 3; with the tail of eleven documents of one length, 19.
  assert.ok(claims <= 15, `${claims} of ${tries}`);
});

test("compare() over clusters of items is compare() of their sums", () => {
  const names = difficulty.map((_, i) => `book ${i % 10}`);
  const clusters = { names, unit: "books" };
  const first = difficulty.map((value, i) => value + 0.1 + Math.cos(3 * i));
  const summed = (values: readonly number[]) =>
    scores(sumByCluster(values, names), {
      items: [...new Set(names)],
      denominators: Array(10).fill(4),
      unit: "books",
    });
  const clustered = compare([scores(first, { clusters })], [scores(difficulty, { clusters })])!;
  assert.deepEqual(clustered, compare([summed(first)], [summed(difficulty)]));
  assert.deepEqual([clustered.items, clustered.unit, clustered.effective], [10, "books", 10]);
  // Six stories of one book and five others are six works: enough to tell, if all agree; five are not.
  const gained = (works: readonly string[]) => {
    const belonging = { clusters: { names: works, unit: "works" } };
    return compare(
      [scores(works.map(() => 1), belonging)],
      [scores(works.map(() => 0), belonging)],
    )!.insideNoise;
  };
  const stories = Array(6).fill("Father Brown");
  assert.equal(gained([...stories, "a", "b", "c", "d", "e"]), false);
  assert.equal(gained([...stories, "a", "b", "c", "d"]), true);
});

test("compare() over clusters claims a difference as seldom as it says", () => {
  const random = new Random(5), tries = 400;
  const names = Array.from({ length: 48 }, (_, i) => `author ${i % 8}`);
  const clusters = { names, unit: "authors" };
  let claims = 0, claimsByItems = 0;
  for (let i = 0; i < tries; i++) {
    const byAuthor = new Map(names.map((name) => [name, random.normal()]));
    const values = names.map((name) => byAuthor.get(name)! + 0.5 * random.normal());
    const zeros = values.map(() => 0);
    const both = (change: Partial<ItemSums>) =>
      !compare([scores(values, change)], [scores(zeros, change)])!.insideNoise;
    if (both({ clusters })) claims++;
    if (i < 100 && both({})) claimsByItems++;
  }
  // 5 % of 400 is 20, with a standard deviation of 4.4.
  assert.ok(claims > 5 && claims < 38, `${claims} of ${tries}`);
  assert.ok(claimsByItems > 25, `items that are not independent: ${claimsByItems} of 100`);
});

test("amongSeveral() widens by the effective number of items, not by how many there are", () => {
  const tokens = [9, 9, 10, 11, 12, 12, 33, 62, 103, 180, 235];
  const nats = (gain: number) => tokens.map((count, i) => count * (gain + 0.1 * Math.sin(7 * i)));
  const one = compare(
    [scores(nats(1), { denominators: tokens })],
    [scores(nats(0).map(() => 0), { denominators: tokens })],
  )!;
  assert.equal(one.items, 11);
  assertClose([one.effective], [4.4], { tolerance: 0.1 });
  const factorOf = (comparisons: number) =>
    (amongSeveral(one, comparisons).interval![0] - one.value) / (one.interval![0] - one.value);
  // By 10 degrees of freedom 1.42, 1.72 and 1.89.
  assertClose([5, 15, 28].map(factorOf), [1.75, 2.47, 2.99], { tolerance: 0.05 });
  // Of numbers measured apart, too, and of items and what they ask by the fewer of both.
  const apart = compareApart(
    { value: 1, ci95: [0.9, 1.1], n: 11, effective: 4.41 },
    { value: 0, ci95: [0, 0], n: 11 },
  )!;
  assertClose([amongSeveral(apart, 15).interval![0]], [1 - 0.1 * 2.47], { tolerance: 2e-3 });
  const crossed = (values: readonly number[]) =>
    scores(values, { across: scores(values.slice(0, 7)) });
  assert.equal(compare([crossed(difficulty)], [crossed(difficulty)])!.effective, 7);
});
