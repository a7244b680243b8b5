import { cutDocument } from "../../src/text/segments.ts";
import { assert, test } from "../testing.ts";

const document = (length: number) => ({
  name: "x",
  tokens: Int32Array.from({ length }, (_, i) => i + 10),
  words: 4,
});

test("cutDocument() makes every token but the first a target once, and pads the last segment", () => {
  const { segments, ...counts } = cutDocument(document(6), { contextTokens: 3, pad: 1 });
  assert.deepEqual(counts, { name: "x", targetTokens: 5, words: 4 });
  assert.deepEqual(
    segments.map(({ tokens, targets, targetTokens }) => [[...tokens], [...targets], targetTokens]),
    [[[10, 11, 12], [11, 12, 13], 3], [[13, 14, 1], [14, 15, 1], 2]],
  );
});

test("cutDocument() adds no segment to a document that fills its last one", () => {
  const { segments } = cutDocument(document(7), { contextTokens: 3, pad: 1 });
  assert.deepEqual(segments.map(({ targets }) => [...targets]), [[11, 12, 13], [14, 15, 16]]);
});

test("cutDocument() rejects a document without a target", () => {
  assert.equal(cutDocument(document(2), { contextTokens: 3, pad: 1 }).targetTokens, 1);
  assert.throws(() => cutDocument(document(1), { contextTokens: 3, pad: 1 }), {
    name: "RangeError",
    message:
      'Cannot cut document "x" into segments as it must have two tokens or more: current value is 1',
  });
});
