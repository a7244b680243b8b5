import { initializeBackbone } from "../../src/backbone/initialization.ts";
import { withFrozen } from "../../src/runner/models.ts";
import { assert, test } from "../testing.ts";

test("withFrozen() refuses results of what changed a weight", async () => {
  const shape = { layers: 1, hiddenDim: 4, heads: 1, feedForwardDim: 4, vocabSize: 5 };
  const weights = initializeBackbone(shape, 1);
  assert.equal(await withFrozen({ weights }, "adaptation", () => Promise.resolve(7)), 7);
  const changing = () => {
    weights.get("transformer.h.0.attn.v_proj.weight")!.data[3] += 1e-6;
    return Promise.resolve();
  };
  await assert.rejects(withFrozen({ weights }, "adaptation", changing), {
    message: "Cannot trust the results as the frozen backbone has changed during the adaptation",
  });
});
