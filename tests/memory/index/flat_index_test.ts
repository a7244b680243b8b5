import { FlatIndex } from "../../../src/memory/index/flat_index.ts";
import { Random } from "../../../src/random.ts";
import { assert, test } from "../../testing.ts";

test("FlatIndex.search() equals sorting all inner products, lower slots first among equals", () => {
  const D = 5, capacityChunks = 37, R = 20, n = 7;
  const random = new Random("flat");
  // Small integers, so that scores are exact and many are equal.
  const draw = (count: number) =>
    Float32Array.from({ length: count * D }, () => random.below(5) - 2);
  const keys = draw(capacityChunks);
  const index = new FlatIndex({ headDim: D, capacityChunks });
  // Not in order, and in two calls.
  const slots = Int32Array.from({ length: capacityChunks }, (_, i) => (i * 10) % capacityChunks);
  const keysOf = (part: Int32Array) =>
    Float32Array.from([...part].flatMap((slot) => [...keys.subarray(slot * D, slot * D + D)]));
  index.add(slots.slice(0, 20), keysOf(slots.slice(0, 20)));
  index.add(slots.slice(20), keysOf(slots.slice(20)));
  const removed = [0, 3, 4, 36];
  index.remove(Int32Array.from(removed));
  assert.equal(index.size, capacityChunks - removed.length);

  const queries = draw(R);
  const found = new Int32Array(R * n);
  index.search(queries, n, found);
  for (let r = 0; r < R; r++) {
    const scored = [...slots].filter((slot) => !removed.includes(slot)).map((slot) => ({
      slot,
      score: keys.subarray(slot * D, slot * D + D)
        .reduce((sum, value, d) => sum + value * queries[r * D + d], 0),
    }));
    scored.sort((a, b) => b.score - a.score || a.slot - b.slot);
    const expected = scored.slice(0, n).map(({ slot }) => slot);
    assert.deepEqual([...found.subarray(r * n, r * n + n)], expected, `query ${r}`);
  }
});

test("FlatIndex.search() sums in float64", () => {
  const order = (...keys: number[]) => {
    const index = new FlatIndex({ headDim: 3, capacityChunks: 2 });
    index.add(Int32Array.of(0, 1), Float32Array.from(keys));
    const found = new Int32Array(2);
    index.search(Float32Array.of(1, 1, 1), 2, found);
    return [...found];
  };
  // In float32 the first sum is 0, as 1e8 + 1 rounds to 1e8.
  assert.deepEqual(order(1e8, 1, -1e8, 0.5, 0, 0), [0, 1]);
  // In float32 both sums are 1e8 + 8.
  assert.deepEqual(order(1e8, 5, 0, 1e8, 6, 0), [1, 0]);
});

test("FlatIndex copies what it is given", () => {
  const index = new FlatIndex({ headDim: 1, capacityChunks: 2 });
  const slots = Int32Array.of(0, 1), keys = Float32Array.of(2, 1);
  index.add(slots, keys);
  keys.set([0, 5]);
  slots.set([1, 0]);
  const found = new Int32Array(2);
  index.search(Float32Array.of(1), 2, found);
  assert.deepEqual([...found], [0, 1]);
});

test("FlatIndex.key() is the key of a stored chunk and of no other", () => {
  const index = new FlatIndex({ headDim: 2, capacityChunks: 4 });
  index.add(Int32Array.of(3, 1), Float32Array.of(1, 2, 3, 4));
  assert.deepEqual([...index.key(3)], [1, 2]);
  assert.deepEqual([...index.key(1)], [3, 4]);
  index.remove(Int32Array.of(3));
  assert.throws(() => index.key(3), /must be stored: current value is 3/);
  assert.throws(() => index.key(4), /allowed are 0 to 3/);
});

test("FlatIndex rejects sizes that are no counts", () => {
  assert.throws(
    () => new FlatIndex({ headDim: 0, capacityChunks: 4 }),
    /headDim must be a positive integer: current value is 0/,
  );
  assert.throws(
    () => new FlatIndex({ headDim: 2, capacityChunks: 1.5 }),
    /capacityChunks must be a positive integer: current value is 1.5/,
  );
});
