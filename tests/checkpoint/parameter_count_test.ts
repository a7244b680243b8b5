import { parameterCount } from "../../src/checkpoint/parameter_count.ts";
import { memoryLayer, sideNetTensorShapes } from "../../src/longmem/sidenet_shape.ts";
import { assert, fixturePath, sharedTest, test } from "../testing.ts";
import { backboneTensorShapes } from "../../src/backbone/architectures.ts";

/** The released model (specification section 1). */
const released = {
  layers: 24,
  hiddenDim: 1024,
  heads: 16,
  feedForwardDim: 4096,
  vocabSize: 51_200,
};
const releasedSideNet = { layers: 12, reductionFactor: 2, memoryBlock: 17 };

test("parameterCount() gives the released model's 407,072,768 + 151,083,024 parameters", () => {
  const backbone = parameterCount(backboneTensorShapes(released));
  const sideNet = parameterCount(sideNetTensorShapes(releasedSideNet, released));
  assert.equal(backbone, 407_072_768);
  assert.equal(sideNet, 151_083_024);
  assert.equal(backbone + sideNet, 558_155_792);
  assert.equal(memoryLayer(releasedSideNet), 8);
});

sharedTest("names and shapes of the released model are the official ones", async () => {
  const official = JSON.parse(await Deno.readTextFile(fixturePath("full_size_state_dict.json")));
  const backbone = backboneTensorShapes(released);
  const expected: Record<string, number[]> = {};
  for (const [name, shape] of backbone) expected["decoder.model." + name] = shape;
  assert.equal(Object.keys(expected).length, 245);
  assert.deepEqual(expected, official["backbone_state_dict"]);

  const longMem: Record<string, number[]> = {
    "decoder.version": [1],
    "decoder.embed_tokens.weight": backbone.get("transformer.wte.weight")!,
    "decoder.output_projection.weight": backbone.get("lm_head.weight")!,
  };
  for (const [name, shape] of Object.entries(expected)) {
    longMem["decoder.pretrained_model." + name] = shape;
  }
  for (const [name, shape] of sideNetTensorShapes(releasedSideNet, released)) {
    longMem["decoder." + name] = shape;
  }
  assert.equal(Object.keys(longMem).length, 371);
  assert.deepEqual(longMem, official["longmem_state_dict"]);
});
