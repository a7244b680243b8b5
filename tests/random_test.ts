import { Random, type RandomState } from "../src/random.ts";
import { assert, test } from "./testing.ts";

test("Random.nextUint32() gives the numbers of xoshiro128**", () => {
  // From the definition of the generator, computed by a separate program, for the state 1, 2, 3, 4.
  const random = new Random([1, 2, 3, 4]);
  const expected = [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849];
  assert.deepEqual(expected.map(() => random.nextUint32()), expected);
});

test("Random depends on its seed and on nothing else", () => {
  const first = (seed: number | string) => {
    const random = new Random(seed);
    return [random.nextUint32(), random.nextUint32()];
  };
  assert.deepEqual(first(7), first("7"));
  // The first eight bytes of the state of seed "7" follow from sha256("7") = 7902699be42c8a8e...
  assert.deepEqual(new Random(7).state.slice(0, 2), [0x9b690279, 0x8e8a2ce4]);
  assert.notDeepEqual(first("7/shuffle/0"), first("7/shuffle/1"));
});

test("Random continues from its state", () => {
  const random = new Random("continue");
  for (let i = 0; i < 10; i++) random.normal();
  const copy = new Random(JSON.parse(JSON.stringify(random.state)) as RandomState);
  assert.deepEqual(
    Array.from({ length: 20 }, () => copy.uniform()),
    Array.from({ length: 20 }, () => random.uniform()),
  );
});

test("Random.below() is uniform, also where n does not divide 2^32", () => {
  const random = new Random(1);
  const counts = new Array(6).fill(0);
  for (let i = 0; i < 60_000; i++) counts[random.below(6)]++;
  // Each count has mean 10,000 and standard deviation 91.
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 400, `counts are ${counts}`);
  // 3 * 2^30 leaves remainders below 2^30 twice as likely unless the last quarter of draws is rejected.
  let small = 0;
  for (let i = 0; i < 9_000; i++) if (random.below(3 * 2 ** 30) < 2 ** 30) small++;
  assert.ok(Math.abs(small - 3_000) < 250, `${small} of 9,000 draws lie in the first third`);
});

test("Random.below() rejects bounds without an integer below them", () => {
  for (const n of [0, -1, 1.5, NaN, 2 ** 32 + 1]) {
    assert.throws(() => new Random(1).below(n), { name: "RangeError", message: /in 1 \.\. 2\^32/ });
  }
});

test("Random.uniform() and Random.normal() have the moments of their distributions", () => {
  const random = new Random("moments");
  const moments = (draw: () => number) => {
    let sum = 0, squares = 0;
    const n = 40_000;
    for (let i = 0; i < n; i++) {
      const x = draw();
      sum += x;
      squares += x * x;
    }
    return { mean: sum / n, variance: squares / n - (sum / n) ** 2 };
  };
  const uniform = moments(() => random.uniform());
  assert.ok(Math.abs(uniform.mean - 0.5) < 0.01 && Math.abs(uniform.variance - 1 / 12) < 0.003);
  const normal = moments(() => random.normal());
  assert.ok(Math.abs(normal.mean) < 0.025 && Math.abs(normal.variance - 1) < 0.04);
});

test("Random.shuffle() permutes, and every permutation is as likely", () => {
  const random = new Random(3);
  const counts = new Map<string, number>();
  for (let i = 0; i < 12_000; i++) {
    const key = random.shuffle(["a", "b", "c"]).join("");
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  assert.deepEqual([...counts.keys()].sort(), ["abc", "acb", "bac", "bca", "cab", "cba"]);
  for (const [key, n] of counts) assert.ok(Math.abs(n - 2_000) < 200, `${key} came ${n} times`);
});

test("Random rejects what is not a state", () => {
  assert.throws(() => new Random([0, 0, 0, 0]), RangeError);
  assert.throws(() => new Random([1, 2, 3, -4]), { message: /current value is \[1,2,3,-4\]/ });
  assert.throws(() => new Random([1, 2, 3] as unknown as RandomState), RangeError);
});
