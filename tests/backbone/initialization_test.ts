import { initializeBackbone } from "../../src/backbone/initialization.ts";
import type { BackboneShape } from "../../src/backbone/shape.ts";
import { assert, assertClose, test } from "../testing.ts";
import { checkMoments, joined } from "./distribution.ts";

test("initializeBackbone() draws the official distributions", () => {
  const shape = { layers: 6, hiddenDim: 64, heads: 4, feedForwardDim: 256, vocabSize: 11 };
  const weights = initializeBackbone(shape, "backbone");
  const matrices = joined(weights, /(proj|fc_in|fc_out|lm_head)\.weight$/);
  checkMoments(matrices, 0.02, "matrices");
  const fourth = matrices.reduce((sum, x) => sum + x ** 4, 0) / matrices.length;
  assert.ok(Math.abs(fourth / 0.02 ** 4 - 3) < 0.2, "kurtosis of the normal distribution");
  assert.ok(joined(weights, /ln_(1|f)\.weight$/).every((x) => x === 1));
  assert.ok(joined(weights, /bias$/).every((x) => x === 0));
  const wte = weights.get("transformer.wte.weight")!.data;
  assert.ok(wte.slice(64, 128).every((x) => x === 0), "embedding of <pad>");
  assert.ok(wte.slice(0, 64).some((x) => x !== 0) && wte.slice(128).every((x) => x !== 0));
  assert.deepEqual(initializeBackbone(shape, "backbone"), weights);
  assert.notDeepEqual(
    initializeBackbone(shape, "other").get("lm_head.weight"),
    weights.get("lm_head.weight"),
  );
});

test("initializeBackbone() refuses sizes that make no backbone", () => {
  const shape = { layers: 2, hiddenDim: 8, heads: 2, feedForwardDim: 32, vocabSize: 11 };
  const cases: [Record<string, unknown>, RegExp][] = [
    [
      { ...shape, layers: -1 },
      /^TypeError: .* shape\.layers has a wrong value: current value is -1/,
    ],
    [{ ...shape, layers: NaN }, /shape\.layers has a wrong value: current value is NaN/],
    [
      { ...shape, vocab: 11 },
      /^TypeError: Cannot initialise a backbone as shape\.vocab is unknown/,
    ],
    [{ ...shape, heads: 3 }, /^RangeError: Cannot initialise a backbone as .* 8 and 3/],
  ];
  for (const [wrong, message] of cases) {
    assert.throws(() => initializeBackbone(wrong as unknown as BackboneShape, 1), message);
  }
});

test('initializeBackbone() draws as wide as each matrix asks where the initialization is "scaled"', () => {
  const shape = { layers: 3, hiddenDim: 32, heads: 4, feedForwardDim: 96, vocabSize: 151 };
  const weights = initializeBackbone(shape, "backbone", { kind: "scaled" });
  // Chronicle findings, section 9: 1/E; 1/fan-in/(2L); 0.1^2; 0.25/E.
  const deviations: [RegExp, number][] = [
    [/[qkv]_proj\.weight$/, Math.sqrt(1 / 32)],
    [/fc_in\.weight$/, Math.sqrt(1 / 32)],
    [/out_proj\.weight$/, Math.sqrt(1 / 32 / 6)],
    [/fc_out\.weight$/, Math.sqrt(1 / 96 / 6)],
    [/lm_head\.weight$/, 0.5 / Math.sqrt(32)],
  ];
  for (const [names, deviation] of deviations) {
    checkMoments(joined(weights, names), deviation, names);
  }
  const wte = weights.get("transformer.wte.weight")!.data;
  const words = Float64Array.from([...wte.slice(0, 32), ...wte.slice(64)]);
  checkMoments(words, 0.1, "embeddings");
  assert.ok(wte.slice(32, 64).every((x) => x === 0), "embedding of <pad>");

  const head = weights.get("lm_head.weight")!.data;
  const expected = head.map((x) => x * Math.sqrt(32) / 0.5 * 0.1).fill(0, 32, 64);
  assertClose(wte, expected, { tolerance: 1e-6, name: "the head has the embeddings' directions" });
  assert.ok(joined(weights, /ln_(1|f)\.weight$/).every((x) => x === 1));
  assert.ok(joined(weights, /bias$/).every((x) => x === 0));
  assert.deepEqual(initializeBackbone(shape, "backbone", { kind: "scaled" }), weights);
});
