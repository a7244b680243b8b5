import { Ring, slotsOf } from "../../src/memory/ring.ts";
import { assert, test } from "../testing.ts";

test("Ring keeps the newest chunks in order of age, as a list that is shifted does", () => {
  for (const coarse of [false, true]) {
    const capacity = 17, ring = new Ring(capacity);
    const slots: (number | undefined)[] = Array(capacity).fill(undefined); // what a bank would hold
    let list: number[] = [], next = 0;
    const sizes = coarse ? Array(15).fill(3) : [3, 5, 1, 17, 8, 2, 7, 8, 8, 4, 6];
    for (const added of sizes) {
      const drop = coarse
        ? list.length + added >= capacity ? 2 * added : 0
        : Math.max(0, list.length + added - capacity);
      const { dropped, taken } = ring.advance(added, coarse ? { coarseDrop: 2 * added } : {});
      assert.deepEqual(
        Array.from(slotsOf(dropped, capacity), (slot) => slots[slot]),
        list.slice(0, drop),
        "the oldest leave",
      );
      for (const slot of slotsOf(dropped, capacity)) slots[slot] = undefined;
      for (const slot of slotsOf(taken, capacity)) {
        assert.equal(slots[slot], undefined, "only free slots are taken");
        slots[slot] = next++;
      }
      list = [...list.slice(drop), ...Array.from({ length: added }, (_, i) => next - added + i)];
      const stored = slotsOf({ start: ring.first, count: ring.count }, capacity);
      assert.deepEqual(Array.from(stored, (slot) => slots[slot]), list);
    }
    assert.ok(next > 2 * capacity, "it wrapped around");
  }
});

test("Ring.advance() evicts as the released training does", () => {
  const ring = new Ring(16_384), fills: number[] = [];
  for (let step = 0; step < 10; step++) {
    fills.push(ring.count);
    ring.advance(2048, { coarseDrop: 4096 });
  }
  // Specification section 6.
  assert.deepEqual(fills, [0, 2048, 4096, 6144, 8192, 10240, 12288, 14336, 12288, 14336]);
});

test("Ring.advance() fills up to the capacity where eviction is exact", () => {
  const ring = new Ring(8);
  assert.deepEqual(ring.advance(8, {}), {
    dropped: { start: 0, count: 0 },
    taken: { start: 0, count: 8 },
  });
  assert.deepEqual(ring.advance(3, {}), {
    dropped: { start: 0, count: 3 },
    taken: { start: 0, count: 3 },
  });
  assert.deepEqual([ring.first, ring.count], [3, 8]);
});

test("Ring.advance() refuses what does not fit, and stays as it is", () => {
  const ring = new Ring(8);
  ring.advance(3, {});
  assert.throws(() => ring.advance(9, {}), {
    name: "RangeError",
    message: "Cannot cache 9 chunks as they do not fit into a bank of 8",
  });
  assert.throws(() => ring.advance(5, { coarseDrop: 10 }), {
    name: "RangeError",
    message:
      "Cannot cache 5 chunks as coarse eviction would drop two updates of this size, 10 chunks, from a bank of 8: " +
      "current number is 3; smaller batches, a larger bank or a reset would help",
  });
  assert.deepEqual([ring.first, ring.count], [0, 3]);
});

test("Ring.clear() returns what was stored and begins at slot 0", () => {
  const ring = new Ring(8);
  ring.advance(6, {});
  ring.advance(5, {});
  assert.deepEqual(ring.clear(), { start: 3, count: 8 });
  assert.deepEqual([ring.first, ring.count], [0, 0]);
  assert.deepEqual(slotsOf({ start: 6, count: 4 }, 8), Int32Array.of(6, 7, 0, 1));
});
