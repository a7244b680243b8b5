/** What every index promises, told once for all of them. */
import type { ChunkIndex } from "../../../src/memory/index/chunk_index.ts";
import { FlatIndex, type FlatIndexOptions } from "../../../src/memory/index/flat_index.ts";
import { createHnswIndex } from "../../../src/memory/index/hnsw_index.ts";
import { createUsearchIndex } from "../../../src/memory/index/usearch_index.ts";
import { Random } from "../../../src/random.ts";
import { assert, test } from "../../testing.ts";
import { ringSlots } from "./keys.ts";

const indexes: Record<string, (sizes: FlatIndexOptions) => Promise<ChunkIndex>> = {
  FlatIndex: (sizes) => Promise.resolve(new FlatIndex(sizes)),
  HnswIndex: (sizes) => createHnswIndex({ ...sizes, seed: 1 }),
  UsearchIndex: (sizes) => createUsearchIndex({ ...sizes, exactChunks: 0 }),
  "UsearchIndex of few chunks": (sizes) => createUsearchIndex(sizes),
};

/** The best slot of each query [R, D]. */
function best(index: ChunkIndex, queries: Float32Array, D: number): number[] {
  const found = new Int32Array(queries.length / D);
  index.search(queries, 1, found);
  return [...found];
}

for (const [name, create] of Object.entries(indexes)) {
  test(`${name}.search() returns the slot whose key it was found by, after eviction, reuse of slots and clear()`, async () => {
    const D = 16, capacityChunks = 300, step = 70;
    const index = await create({ headDim: D, capacityChunks });
    const random = new Random("slots");
    // Of unit length: the largest inner product with a key is that key's own.
    const draw = () => {
      const key = Float32Array.from({ length: D }, () => random.normal());
      const length = Math.hypot(...key);
      return key.map((value) => value / length);
    };
    const bank = new Map<number, Float32Array>(); // by slot, oldest first
    let next = 0;
    for (let round = 0; round < 40; round++) {
      if (round === 25) {
        index.clear();
        bank.clear();
        assert.equal(index.size, 0);
        assert.deepEqual(best(index, draw(), D), [-1]);
        next = 11;
      }
      const evicted: Float32Array[] = [];
      if (bank.size + step > capacityChunks) {
        const oldest = [...bank.keys()].slice(0, 2 * step);
        index.remove(Int32Array.from(oldest));
        for (const slot of oldest) {
          evicted.push(bank.get(slot)!);
          bank.delete(slot);
        }
      }
      const slots = ringSlots(next, step, capacityChunks);
      next += step;
      for (const slot of slots) bank.set(slot, draw());
      index.add(slots, Float32Array.from([...slots].flatMap((slot) => [...bank.get(slot)!])));

      assert.equal(index.size, bank.size);
      const keys = Float32Array.from([...bank.values()].flatMap((key) => [...key]));
      assert.deepEqual(best(index, keys, D), [...bank.keys()], `round ${round}`);
      for (const key of evicted) {
        const slot = best(index, key, D)[0];
        const score = bank.get(slot)!.reduce((sum, value, d) => sum + value * key[d], 0);
        assert.ok(score < 0.9999, `round ${round}: slot ${slot} answers for a key that has left`);
      }
    }
  });

  test(`${name}.search() orders all chunks and fills up with -1 where fewer than n are stored`, async () => {
    const index = await create({ headDim: 2, capacityChunks: 8 });
    const found = new Int32Array(10).fill(7);
    index.search(Float32Array.of(1, 0, 0, 1), 5, found);
    assert.deepEqual([...found], [-1, -1, -1, -1, -1, -1, -1, -1, -1, -1]);
    index.add(Int32Array.of(2, 5, 6), Float32Array.of(1, 3, 2, 2, 3, 1));
    index.search(Float32Array.of(1, 0, 0, 1), 5, found);
    assert.deepEqual([...found], [6, 5, 2, -1, -1, 2, 5, 6, -1, -1]);
    const many = new Int32Array(100);
    index.search(Float32Array.of(1, 0), 100, many);
    assert.deepEqual([...many], [6, 5, 2, ...new Array(97).fill(-1)]);
    const two = new Int32Array(4);
    index.search(Float32Array.of(1, 0, 0, 1), 2, two);
    assert.deepEqual([...two], [6, 5, 2, 5]);
  });

  test(`${name} can be emptied by remove() and filled again`, async () => {
    const index = await create({ headDim: 1, capacityChunks: 4 });
    for (let round = 0; round < 10; round++) {
      const slots = Int32Array.of(3, 0, 2, 1);
      index.add(slots, Float32Array.of(round, round + 1, round + 2, round + 3));
      assert.deepEqual(best(index, Float32Array.of(1, -1), 1), [1, 3]);
      index.remove(slots);
      assert.equal(index.size, 0);
      assert.deepEqual(best(index, Float32Array.of(1), 1), [-1]);
    }
  });

  test(`${name} refuses what would break the bank, and changes nothing then`, async () => {
    const index = await create({ headDim: 2, capacityChunks: 4 });
    index.add(Int32Array.of(0, 1), Float32Array.of(1, 0, 0, 1));
    const slots = (...values: number[]) => Int32Array.from(values);
    const floats = (...values: number[]) => Float32Array.from(values);
    const refused: [string, () => void, RegExp][] = [
      [
        "slot already taken",
        () => index.add(slots(2, 1), floats(1, 1, 1, 1)),
        /Cannot add chunks as a slot must be free: current value is 1, which is taken/,
      ],
      [
        "slot named twice in add()",
        () => index.add(slots(2, 2), floats(1, 1, 1, 1)),
        /Cannot add chunks as a slot must be free: current value is 2/,
      ],
      [
        "capacity exceeded",
        () => index.add(slots(2, 3, 4), floats(1, 1, 1, 1, 1, 1)),
        /capacity would be exceeded: current values are 2 stored and 3 new, allowed are 4/,
      ],
      [
        "slot outside the bank",
        () => index.add(slots(2, 4), floats(1, 1, 1, 1)),
        /a slot must lie in the bank: current value is 4, allowed are 0 to 3/,
      ],
      [
        "negative slot",
        () => index.add(slots(-1), floats(1, 1)),
        /a slot must lie in the bank: current value is -1, allowed are 0 to 3/,
      ],
      [
        "keys of a wrong dimension",
        () => index.add(slots(2, 3), floats(1, 1, 1, 1, 1, 1)),
        /keys must be \[2, 2\]: current length is 6, allowed is 4/,
      ],
      [
        "key that is not finite",
        () => index.add(slots(2, 3), floats(1, 1, 1, NaN)),
        /the key of slot 3 must be finite: current value is NaN at dimension 1/,
      ],
      [
        "slot not stored",
        () => index.remove(slots(0, 2)),
        /Cannot remove chunks as a slot must be stored: current value is 2, which is free/,
      ],
      [
        "slot named twice in remove()",
        () => index.remove(slots(0, 0)),
        /Cannot remove chunks as a slot must be stored: current value is 0, which is free/,
      ],
      [
        "slot outside the bank",
        () => index.remove(slots(9)),
        /Cannot remove chunks as a slot must lie in the bank: current value is 9/,
      ],
      [
        "queries of a wrong dimension",
        () => index.search(floats(1, 1, 1), 1, new Int32Array(1)),
        /queries must be \[R, 2\]: current length is 3, allowed are multiples of 2/,
      ],
      [
        "out of a wrong shape",
        () => index.search(floats(1, 1, 1, 1), 3, new Int32Array(5)),
        /out must be \[2, 3\]: current length is 5, allowed is 6/,
      ],
      [
        "query that is not finite",
        () => index.search(floats(1, 1, Infinity, 1), 1, new Int32Array(2)),
        /query 1 must be finite: current value is Infinity at dimension 0/,
      ],
      [
        "no chunks asked for",
        () => index.search(floats(1, 1), 0, new Int32Array(0)),
        /n must be a positive integer: current value is 0/,
      ],
    ];
    for (const [what, act, message] of refused) {
      assert.throws(act, { name: "RangeError", message }, what);
      assert.equal(index.size, 2, what);
      assert.deepEqual(best(index, floats(1, 0, 0, 1), 2), [0, 1], what);
    }
    index.add(slots(2, 3), floats(2, 0, 0, 2));
    assert.deepEqual(best(index, floats(1, 0, 0, 1), 2), [2, 3]);
  });
}
