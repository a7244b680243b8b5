import { LongMem } from "../../src/longmem/longmem.ts";
import type { OtherPart } from "../../src/longmem/parts.ts";
import type { MemoryConfig } from "../../src/memory/config.ts";
import type { Device } from "../../src/runtime/device.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose } from "../testing.ts";
import { randomTokens, smallBackbone, smallParts } from "./random_model.ts";
import { referenceBackbone, referenceBlockMemory } from "./reference_backbone.ts";
import { ReferenceMemory } from "./reference_model.ts";

const { vocabSize: V, heads: H, layers } = smallBackbone;
const tolerance = 1e-4;
const onCpu = { kinds: ["cpu"] } as const;

/** Memories of all blocks, whose tokens are read at a distance. */
function partOf(distanceTokens: number): OtherPart {
  return { network: "infllm", shape: { distanceTokens } };
}

/** A backbone whose blocks have memories, with tokens at a distance, on a device. */
function openModel(
  device: Device,
  distanceTokens: number,
  memory: Partial<MemoryConfig> = {},
): LongMem {
  const { backbone, memory: config } = smallParts(memory);
  return new LongMem(device, { backbone, memory: config, other: partOf(distanceTokens) });
}

deviceTest(
  "A block memory is one softmax over segment and retrieved chunks, as in double precision",
  async (device) => {
    const { backbone: { weights }, memory } = smallParts();
    for (
      const bank of device.kind === "cpu" ? ["per-row", "shared"] as const : ["per-row"] as const
    ) {
      for (const [distanceTokens, pads] of [[12, []], [3, [4, 23]]] as const) {
        const config = { ...memory, bank, capacityTokens: 48 };
        const model = openModel(device, distanceTokens, config);
        const memories = Array.from({ length: layers }, () => new ReferenceMemory(config, 2));
        // The third pass overwrites; row 1 forgets before the fourth, where banks are the rows' own.
        for (let pass = 0; pass < 5; pass++) {
          if (pass === 3 && bank === "per-row") {
            await model.resetMemory([1]);
            for (const reference of memories) reference.reset([1]);
          }
          const tokens = randomTokens(24, `pass ${pass}`);
          for (const pad of pads) tokens[pad] = 1;
          const { logits } = await model.forward(tokens, { batch: 2 });
          const expected = referenceBackbone(
            smallBackbone,
            (name) => weights.get(name)!.data,
            tokens,
            { rows: 2, attention: referenceBlockMemory(H, memories, distanceTokens) },
          );
          const scored = (values: ArrayLike<number>) =>
            Array.from(values).filter((_, i) => tokens[Math.floor(i / V)] !== 1);
          const name = `${bank}, distance ${distanceTokens}, pass ${pass}`;
          assertClose(scored(logits), scored(expected.logits.flatMap((row) => [...row])), {
            tolerance,
            name,
          });
          memories.forEach((reference, i) => {
            const { k, v } = expected.projections[i];
            reference.write(k, v);
          });
          assert.deepEqual(
            model.memoryFillChunks,
            memories[0].banks.map((chunks) => chunks.length),
          );
        }
        await model.close();
      }
    }
  },
);

deviceTest("A backbone whose blocks remember nothing is the backbone", async (device) => {
  const model = openModel(device, 5);
  const plain = randomTokens(24, "tokens"), padded = plain.slice();
  padded[5] = padded[23] = 1;
  const batch = 2, readOnly = true;
  for (const tokens of [plain, padded]) {
    const { logits: without } = await model.forward(tokens, { batch, network: "backbone" });
    const { logits } = await model.forward(tokens, { batch, readOnly });
    assertClose(logits, without, { tolerance: 1e-5 });
  }
  await model.remember(randomTokens(24, "history"), { batch });
  const remembering = Float32Array.from((await model.forward(plain, { batch, readOnly })).logits);
  const { logits: without } = await model.forward(plain, { batch, network: "backbone" });
  assert.ok(remembering.some((logit, i) => Math.abs(logit - without[i]) > 1e-2));
  // Reading alone changes nothing; and what is forgotten is as if never read.
  assert.deepEqual((await model.forward(plain, { batch, readOnly })).logits, remembering);
  await model.resetMemory();
  const { logits: forgotten } = await model.forward(plain, { batch, readOnly });
  assertClose(forgotten, without, { tolerance: 1e-5 });
  await model.close();
}, onCpu);

deviceTest("A block memory is not also the SideNet's", async (device) => {
  const { backbone, sideNet, memory } = smallParts();
  assert.throws(
    () => new LongMem(device, { backbone, sideNet, memory, other: partOf(1) }),
    {
      name: "TypeError",
      message:
        /^Cannot have a SideNet beside the part of network "infllm" as both would have the memory$/,
    },
  );
  const model = new LongMem(device, { backbone, memory });
  await assert.rejects(
    model.forward(randomTokens(24, 1), { network: "infllm" }),
    { name: "TypeError", message: 'Cannot run network "infllm" as the blocks have no memories' },
  );
  await model.close();
}, onCpu);
