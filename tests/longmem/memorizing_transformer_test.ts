import {
  initializeMemorizing,
  type MemorizingPart,
} from "../../src/longmem/networks/memorizing_transformer.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import type { Device } from "../../src/runtime/device.ts";
import { Random } from "../../src/random.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose, test } from "../testing.ts";
import { randomTokens, smallBackbone, smallParts } from "./random_model.ts";
import { referenceBackbone, referenceMemorizing } from "./reference_backbone.ts";
import { ReferenceMemory } from "./reference_model.ts";

const { vocabSize: V, heads: H, hiddenDim: E } = smallBackbone;
const memoryBlock = 2, batch = 2;
const tolerance = 1e-4;
const onCpu = { kinds: ["cpu"] } as const;
const { backbone, memory } = smallParts();

/** Copies of the backbone, and what they could have become by training. */
function trainedBlocks(deviation: number): MemorizingPart {
  const part = initializeMemorizing({ memoryBlock }, backbone);
  const random = new Random("trained");
  for (const { data } of part.weights.values()) {
    for (let i = 0; i < data.length; i++) data[i] += deviation * random.normal();
  }
  return part;
}

function openModel(device: Device, memorizing: MemorizingPart): LongMem {
  return new LongMem(device, {
    backbone,
    memory,
    other: memorizing,
  });
}

/** Logits, and what the memory block would cache, in double precision. */
function reference(memorizing: MemorizingPart, read: ReferenceMemory, tokens: Int32Array) {
  const weight = (name: string) =>
    (memorizing.weights.get(name) ?? backbone.weights.get(name)!).data;
  const gates = memorizing.weights.get(`transformer.h.${memoryBlock}.attn.memory_bias`)!.data;
  const attention = referenceMemorizing(H, memoryBlock, read, gates);
  const pass = referenceBackbone(smallBackbone, weight, tokens, { rows: batch, attention });
  return { logits: pass.logits.flatMap((row) => [...row]), ...pass.projections[memoryBlock] };
}

deviceTest(
  "A Memorizing Transformer reads by a gate what its trained block wrote, as in double precision",
  async (device) => {
    const memorizing = trainedBlocks(0.1);
    for (const pads of [[], [4, 23]]) {
      const model = openModel(device, memorizing);
      const remembered = new ReferenceMemory(memory, batch);
      for (let pass = 0; pass < 4; pass++) {
        if (pass === 2) {
          await model.resetMemory([0]);
          remembered.reset([0]);
        }
        const tokens = randomTokens(24, `pass ${pass}`);
        for (const pad of pads) tokens[pad] = 1;
        const { logits } = await model.forward(tokens, { batch });
        const expected = reference(memorizing, remembered, tokens);
        const scored = (values: ArrayLike<number>) =>
          Array.from(values).filter((_, i) => tokens[Math.floor(i / V)] !== 1);
        assertClose(scored(logits), scored(expected.logits), { tolerance, name: `pass ${pass}` });
        remembered.write(expected.k, expected.v);
      }
      await model.close();
    }
  },
);

deviceTest(
  "What a Memorizing Transformer retrieves are its trained block's own keys",
  async (device) => {
    const tokens = randomTokens(24, "tokens");
    const D = E / H, P = 7, c = memory.chunkTokens;
    const written = async (memorizing: MemorizingPart) => {
      const model = openModel(device, memorizing);
      await model.remember(tokens, { batch });
      const { keys } = (await model.copyMemory())!.tensors;
      await model.close();
      // The first chunk of row 1, head 0: rows of [G*H*P, c*D].
      return keys.data.slice(H * P * c * D, (H * P + 1) * c * D);
    };
    const expected = (memorizing: MemorizingPart) =>
      reference(memorizing, new ReferenceMemory(memory, batch), tokens).k.slice(12, 12 + c)
        .flatMap((row) => [...row.slice(0, D)]);
    const copies = trainedBlocks(0), trained = trainedBlocks(0.1);
    assertClose(await written(copies), expected(copies), { tolerance: 1e-5 });
    assertClose(await written(trained), expected(trained), { tolerance: 1e-5 });
    const [before, after] = [expected(copies), expected(trained)];
    assert.ok(before.some((key, i) => Math.abs(key - after[i]) > 1e-1), "training changes keys");
  },
  onCpu,
);

deviceTest("Untrained copies that remember nothing are the backbone", async (device) => {
  const model = openModel(device, trainedBlocks(0));
  const plain = randomTokens(24, "tokens"), padded = plain.slice();
  padded[5] = padded[23] = 1;
  for (const tokens of [plain, padded]) {
    const { logits: without } = await model.forward(tokens, { batch, network: "backbone" });
    const { logits } = await model.forward(tokens, { batch, readOnly: true });
    assertClose(logits, without, { tolerance: 1e-5 });
  }
  await model.remember(randomTokens(24, "history"), { batch });
  const { logits } = await model.forward(plain, { batch, readOnly: true });
  const { logits: without } = await model.forward(plain, { batch, network: "backbone" });
  assert.ok(logits.some((logit, i) => Math.abs(logit - without[i]) > 1e-2));
  await model.close();
}, onCpu);

test("initializeMemorizing() copies the blocks from the memory's up, and the last LayerNorm", () => {
  const { weights } = initializeMemorizing({ memoryBlock }, backbone);
  const names = [...backbone.weights.keys()].filter((name) => /h\.[23]\.|ln_f/.test(name));
  const gate = "transformer.h.2.attn.memory_bias";
  assert.deepEqual([...weights.keys()].sort(), [...names, gate].sort());
  for (const name of names) {
    assert.deepEqual(weights.get(name), backbone.weights.get(name));
    assert.notEqual(weights.get(name)!.data, backbone.weights.get(name)!.data);
  }
  assert.deepEqual(weights.get(gate), { shape: [H], data: new Float32Array(H) });
  for (const block of [-1, 4, 1.5]) {
    assert.throws(() => initializeMemorizing({ memoryBlock: block }, backbone), {
      name: "RangeError",
      message: `Cannot give block ${block} a memory as the backbone has none: allowed are 0 to 3`,
    });
  }
});
