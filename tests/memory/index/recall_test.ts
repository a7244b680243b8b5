import { recallAt } from "./recall.ts";
import { assert, test } from "../../testing.ts";

test("recallAt() is the share of the exact ids found, whatever their order", () => {
  const exact = Int32Array.of(5, 6, 7, 8);
  assert.equal(recallAt(4, Int32Array.of(8, 7, 6, 5), exact), 1);
  assert.equal(recallAt(4, Int32Array.of(8, 1, 2, 5), exact), 0.5);
  assert.equal(recallAt(4, Int32Array.of(1, 2, 3, 4), exact), 0);
});

test("recallAt() looks for an id in the answers to its own query", () => {
  assert.equal(recallAt(2, Int32Array.of(3, 4, 1, 2), Int32Array.of(1, 2, 3, 4)), 0);
});

test("recallAt() leaves missing chunks and empty queries out of the mean", () => {
  // First query: 1 of 1. Second: nothing to find. Third: 0 of 2, although both lists hold -1 elsewhere.
  const exact = Int32Array.of(9, -1, -1, -1, -1, -1, 4, 5, -1);
  const approximate = Int32Array.of(9, -1, -1, 7, -1, -1, -1, -1, -1);
  assert.equal(recallAt(3, approximate, exact), 0.5);
  assert.ok(Number.isNaN(recallAt(1, Int32Array.of(-1), Int32Array.of(-1))));
});

test("recallAt() rejects lists of other shapes", () => {
  assert.throws(() => recallAt(2, new Int32Array(4), new Int32Array(6)), /lengths are 4 and 6/);
  assert.throws(() => recallAt(4, new Int32Array(6), new Int32Array(6)), /multiples of 4/);
  assert.throws(() => recallAt(0, new Int32Array(4), new Int32Array(4)), /n must be a positive/);
});
