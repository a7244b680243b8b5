import { hasInnerPadding, paddingMask, rowRanges } from "../../src/longmem/padding.ts";
import { assert, test } from "../testing.ts";

const sizes = { rows: 2, contextTokens: 4 };

test("rowRanges() takes lengths and masks for what they say", () => {
  assert.equal(rowRanges({}, sizes), undefined);
  assert.deepEqual(rowRanges({ lengths: [4, 1] }, sizes), [
    { start: 0, count: 4 },
    { start: 0, count: 1 },
  ]);
  assert.deepEqual(rowRanges({ lengths: Int32Array.of(0, 2) }, sizes), [
    { start: 0, count: 0 },
    { start: 0, count: 2 },
  ]);
  assert.deepEqual(rowRanges({ mask: [0, 0, 1, 1, 1, 1, 1, 0] }, sizes), [
    { start: 2, count: 2 },
    { start: 0, count: 3 },
  ]);
  assert.deepEqual(rowRanges({ mask: Uint8Array.of(0, 1, 1, 0, 0, 0, 0, 0) }, sizes), [
    { start: 1, count: 2 },
    { start: 0, count: 0 },
  ]);
});

test("rowRanges() refuses what does not fit the batch", () => {
  const refused = [
    [{ lengths: [4, 4], mask: [1, 1, 1, 1, 1, 1, 1, 1] }, /must not both be given/],
    [{ lengths: [4] }, /lengths must be 2 integers from 0 to 4: current value is 4/],
    [{ lengths: [4, 5] }, /lengths must be 2 integers from 0 to 4: current value is 4, 5/],
    [{ lengths: [4, -1] }, /current value is 4, -1/],
    [{ lengths: [4, 1.5] }, /current value is 4, 1.5/],
    [{ mask: [1, 1, 1, 1] }, /mask must be 0 or 1 for each of 8 tokens: current length is 4/],
    [{ mask: [1, 1, 1, 1, 1, 2, 1, 1] }, /mask must be 0 or 1 .*: current value is 2$/],
    [{ mask: [1, 1, 1, 1, 1, 0, 1, 1] }, /padding among the tokens of a row: row 1 has/],
  ] as const;
  for (const [padding, message] of refused) {
    assert.throws(() => rowRanges(padding, sizes), message);
  }
});

test("paddingMask() joins what a caller says and the architecture's padding id", () => {
  const tokens = Int32Array.of(5, 1, 6, 7, 8, 9, 1, 1);
  const rows = [{ start: 0, count: 3 }, { start: 1, count: 3 }];
  assert.deepEqual([...paddingMask(tokens, undefined)], [1, 1, 1, 1, 1, 1, 1, 1]);
  assert.deepEqual([...paddingMask(tokens, 1)], [1, 0, 1, 1, 1, 1, 0, 0]);
  assert.deepEqual([...paddingMask(tokens, undefined, rows)], [1, 1, 1, 0, 0, 1, 1, 1]);
  assert.deepEqual([...paddingMask(tokens, 1, rows)], [1, 0, 1, 0, 0, 1, 0, 0]);
});

test("hasInnerPadding() sees padding before a token of its row alone", () => {
  assert.equal(hasInnerPadding(Uint8Array.of(1, 1, 0, 0, 1, 0, 0, 0), 2), false);
  assert.equal(hasInnerPadding(Uint8Array.of(1, 1, 0, 0, 0, 1, 1, 1), 2), true);
  assert.equal(hasInnerPadding(Uint8Array.of(1, 0, 1, 0, 1, 1, 1, 1), 2), true);
});
