import { PythonRandom } from "../../src/text/python_random.ts";
import { Golden } from "../longmem/fixture_model.ts";
import { assert, sharedTest, test } from "../testing.ts";

test("PythonRandom gives the numbers of Python", () => {
  // random.seed(seed); [random.getrandbits(32) for _ in range(3)], CPython 3.11.
  const expected: Record<number, number[]> = {
    0: [3626764237, 1654615998, 3255389356],
    1: [577090037, 2444712010, 3639700191],
    4294967295: [2728839433, 2661025012, 872737089],
  };
  for (const [seed, numbers] of Object.entries(expected)) {
    const random = new PythonRandom(Number(seed));
    assert.deepEqual(numbers.map(() => random.nextUint32()), numbers, `seed ${seed}`);
  }
  // The state is renewed after 624 numbers.
  const random = new PythonRandom(7);
  for (let i = 0; i < 2000; i++) random.nextUint32();
  assert.deepEqual([random.nextUint32(), random.nextUint32()], [4083946869, 3368297078]);
});

test("PythonRandom.below() draws as randrange() does, powers of two included", () => {
  const random = new PythonRandom(3);
  assert.deepEqual([1, 2, 3, 4, 5, 8, 1000, 4294967295].map((n) => random.below(n)), [
    0,
    0,
    1,
    3,
    4,
    1,
    620,
    56556069,
  ]);
});

test("PythonRandom.sample() draws from a pool and into a set as Python does, at the sizes where it changes", () => {
  const cases: [population: number, count: number, expected: number[]][] = [
    [21, 5, [14, 17, 20, 18, 16]],
    [22, 5, [14, 17, 16, 18, 6]],
    [85, 6, [57, 71, 59, 84, 65, 75]],
    [86, 6, [57, 71, 59, 65, 75, 24]],
    [277, 22, [
      231,
      238,
      276,
      260,
      97,
      94,
      262,
      243,
      95,
      48,
      228,
      155,
      72,
      46,
      21,
      202,
      274,
      80,
      7,
      32,
      30,
      18,
    ]],
    [9, 9, [7, 8, 3, 4, 5, 1, 0, 6, 2]],
    [5, 0, []],
  ];
  for (const [population, count, expected] of cases) {
    assert.deepEqual(
      new PythonRandom(11).sample(population, count),
      expected,
      `${count} of ${population}`,
    );
  }
});

sharedTest("PythonRandom draws all examples that the released evaluation draws", async () => {
  const golden = await Golden.read("icl_sample_indices.safetensors");
  const sizes = { "SST-2": 6920, "sst-5": 8544, mr: 8662, mpqa: 8606, subj: 8000 };
  let draws = 0;
  for (const [task, size] of Object.entries(sizes)) {
    for (const shots of [20, 4]) {
      const demonstrations = golden.integers(`${task}/demo_index_k${shots}`);
      const memory = golden.integers(`${task}/memory_index_k${shots}`);
      assert.deepEqual([demonstrations.shape, memory.shape], [[6, shots], [6, 2000]]);
      for (let seed = 1; seed <= 6; seed++) {
        const random = new PythonRandom(seed);
        const row = (
          { data }: { data: Int32Array },
          length: number,
        ) => [...data.subarray((seed - 1) * length, seed * length)];
        assert.deepEqual(random.sample(size, shots), row(demonstrations, shots));
        assert.deepEqual(random.sample(size, 2000), row(memory, 2000));
        draws += 2;
      }
    }
  }
  assert.equal(draws, 120);
});
