/** SideNets beside Gemma 2 and 3, whose blocks are of two kinds, against the double-precision model. */
import { LongMem } from "../../src/longmem/longmem.ts";
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import { randomBackbone, randomIds, randomSideNet } from "../architectures/small_models.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose } from "../testing.ts";
import { referenceGemmaPass } from "./reference_gemma.ts";
import { flat, ReferenceMemory } from "./reference_model.ts";

const memory: MemoryConfig = {
  capacityTokens: 28,
  chunkTokens: 4,
  retrievedTokens: 8,
  index: { kind: "exact" },
  ...memoryProtocols.strict,
};

const common = {
  keyValueHeads: 2,
  headDim: 6,
  epsilon: 1e-5,
  activation: "gelu-tanh",
  scoreChannels: 9,
  logitSoftCap: 3,
  windowTokens: 4,
  windowedBlocks: [0, 2],
};
const settingsOf = {
  gemma2: { ...common, ropeTheta: 100, scoreSoftCap: 1.5 },
  gemma3: { ...common, ropeTheta: 500, windowRopeTheta: 20 },
};

for (const [architecture, settings] of Object.entries(settingsOf)) {
  for (const memoryBlock of [2, 3]) {
    for (const positions of [undefined, { kind: "distance", tokens: 5 }] as const) {
      const about = `${architecture}, block ${memoryBlock}, at ${
        positions ? "a distance" : "none"
      }`;
      deviceTest(`${about}: LongMem.forward() equals the reference`, async (device) => {
        const sizes = { layers: 4, hiddenDim: 24, heads: 4, feedForwardDim: 28, vocabSize: 31 };
        const backbone = randomBackbone({ architecture, ...sizes, settings });
        const blocks = [memoryBlock - 2, memoryBlock];
        const sideNet = randomSideNet(backbone, {
          shape: { memoryBlock },
          initialization: { kind: "blocks", blocks },
        });
        const parts = { backbone, sideNet }, rows = 2, T = 11;
        const config = { ...memory, ...(positions && { positions }) };
        const model = new LongMem(device, { ...parts, memory: config });
        const remembered = new ReferenceMemory(config, rows);
        for (let pass = 0; pass < 3; pass++) {
          const tokens = randomIds(rows * T, `pass ${pass}`);
          const { logits: alone } = await model.forward(tokens, {
            batch: rows,
            network: "backbone",
          });
          const { logits } = await model.forward(tokens, { batch: rows });
          const expected = referenceGemmaPass(parts, remembered, tokens, { rows, blocks });
          assert.ok(expected.margin > 2e-5, `pass ${pass} has scores that nearly tie`);
          assert.equal(expected.margin < Infinity, pass > 0);
          assertClose(alone, flat(expected.backboneLogits), { tolerance: 3e-5, name: "backbone" });
          assertClose(logits, flat(expected.logits), { tolerance: 3e-5, name: `pass ${pass}` });
        }
        await model.close();
      }, { kinds: ["cpu", "webgpu"] });
    }
  }
}
