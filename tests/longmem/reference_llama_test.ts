/**
 * A SideNet beside a Llama: the double-precision model, first held against the official numbers of the backbone, then the graphs
 * against it.
 */
import { loadBackboneWeights } from "../../src/checkpoint/checkpoint.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import { goldenPath, GoldenTensors } from "../architectures/golden_models.ts";
import { randomBackbone, randomIds, randomSideNet } from "../architectures/small_models.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose, sharedTest } from "../testing.ts";
import { referenceLlamaPass } from "./reference_llama.ts";
import { flat, ReferenceMemory } from "./reference_model.ts";

const memory: MemoryConfig = {
  capacityTokens: 28,
  chunkTokens: 4,
  retrievedTokens: 8,
  index: { kind: "exact" },
  ...memoryProtocols.strict,
};

sharedTest("referenceLlamaPass() gives the official logits of a Llama", async () => {
  const golden = await GoldenTensors.read("llama");
  const { data: tokens, shape: [rows] } = golden.integers("input_ids");
  const backbone = await loadBackboneWeights(goldenPath("llama"));
  const parts = { backbone, sideNet: randomSideNet(backbone) };
  const pass = referenceLlamaPass(parts, new ReferenceMemory(memory, rows), tokens, { rows });
  const { data } = golden.floats("logits");
  assertClose(flat(pass.backboneLogits), data, { tolerance: 2e-5, name: "logits" });
});

const shape = {
  architecture: "llama",
  layers: 4,
  hiddenDim: 24,
  heads: 6,
  feedForwardDim: 28,
  vocabSize: 31,
  settings: { keyValueHeads: 2, headDim: 4, epsilon: 1e-5, ropeTheta: 100 },
};

deviceTest("LongMem.forward() beside a Llama equals the reference", async (device) => {
  const backbone = randomBackbone(shape), rows = 2, T = 11;
  const parts = { backbone, sideNet: randomSideNet(backbone) };
  const model = new LongMem(device, { ...parts, memory });
  const remembered = new ReferenceMemory(memory, rows);
  for (let pass = 0; pass < 4; pass++) {
    const tokens = randomIds(rows * T, `pass ${pass}`);
    const { logits } = await model.forward(tokens, { batch: rows });
    const expected = referenceLlamaPass(parts, remembered, tokens, { rows });
    assert.ok(expected.margin > 2e-5, `pass ${pass} has scores that nearly tie`);
    assert.equal(
      expected.margin < Infinity,
      pass > 0,
      "the memory is read from the second pass on",
    );
    assertClose(logits, flat(expected.logits), { tolerance: 2e-5, name: `logits of pass ${pass}` });
  }
  assert.deepEqual(model.memoryFillChunks, [7, 7]); // of 8 the oldest has left
  await model.close();
}, { kinds: ["cpu", "wasm", "webgpu"] });
