import { initializeBackbone } from "../../src/backbone/initialization.ts";
import { assert, test } from "../testing.ts";
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
