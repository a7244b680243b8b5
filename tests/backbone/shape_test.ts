import type { BackboneShape } from "../../src/backbone/shape.ts";
import { buildForward, headLogits } from "../../src/longmem/forward_graph.ts";
import { elementCount } from "../../src/tensor.ts";
import { assert, fixturePath, sharedTest } from "../testing.ts";

sharedTest("The graphs of the released sizes have the released parameters", async () => {
  const released: BackboneShape = {
    layers: 24,
    hiddenDim: 1024,
    heads: 16,
    feedForwardDim: 4096,
    vocabSize: 51_200,
  };
  const forward = buildForward({
    backbone: released,
    network: "longmem",
    part: { layers: 12, reductionFactor: 2, memoryBlock: 17 },
    memory: {
      bank: { banks: 1, heads: 16, headDim: 64, capacityChunks: 16_384, chunkTokens: 4 },
      config: {
        capacityTokens: 65_536,
        chunkTokens: 4,
        retrievedTokens: 64,
        storage: "float16",
        bank: "shared",
        eviction: "coarse",
        missingChunks: "zero-slot",
        reset: "epoch",
        index: { kind: "exact" },
      },
      type: "float16",
      outside: false,
    },
    rows: 1,
    contextTokens: 8,
    padded: false,
    blockBytes: 2 ** 21,
  });
  headLogits(forward);
  const inputs = (prefix: string) =>
    new Map(
      [...forward.graph.inputs].filter(([name]) => name.startsWith(prefix)).map((
        [name, { shape }],
      ) => [name.slice(prefix.length), [...shape]]),
    );
  const backbone = inputs("backbone."), sideNet = inputs("sidenet.");
  const count = (shapes: Map<string, number[]>) =>
    [...shapes.values()].reduce((sum, shape) => sum + elementCount(shape), 0);
  assert.equal(count(backbone), 407_072_768);
  assert.equal(count(sideNet), 151_083_024);

  const official = JSON.parse(await Deno.readTextFile(fixturePath("full_size_state_dict.json")));
  assert.deepEqual(backbone, named(official.backbone_state_dict, /^decoder\.model\./));
  const others = /^decoder\.(version$|embed_tokens|pretrained_model|output_projection)/;
  const trained = Object.entries<number[]>(official.longmem_state_dict).filter(([name]) =>
    !others.test(name)
  );
  assert.deepEqual(
    new Map([...sideNet].sort()),
    new Map([...named(Object.fromEntries(trained), /^decoder\./)].sort()),
  );
});

function named(shapes: Record<string, number[]>, prefix: RegExp): Map<string, number[]> {
  return new Map(Object.entries(shapes).map(([name, shape]) => [name.replace(prefix, ""), shape]));
}
