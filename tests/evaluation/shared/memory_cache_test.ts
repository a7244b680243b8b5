import { EncodedMemories } from "../../../src/evaluation/shared/memory_cache.ts";
import type { ScoredLongMem } from "../../../src/evaluation/shared/language_model.ts";
import { LongMem } from "../../../src/longmem/longmem.ts";
import type { MemoryConfig } from "../../../src/memory/config.ts";
import type { Device } from "../../../src/runtime/device.ts";
import { Random } from "../../../src/random.ts";
import { deviceTest } from "../../graph/devices.ts";
import { assert, assertClose } from "../../testing.ts";
import { smallBackbone, smallMemory, smallSideNet } from "../../training/small_training.ts";

const random = new Random("encoded memories");
const tokens = (length: number) => Int32Array.from({ length }, () => 4 + random.below(9));
const backbone = smallBackbone();
const shared: MemoryConfig = { ...smallMemory, bank: "shared", reset: "epoch" };
const texts = [[tokens(8), tokens(8)], [tokens(8), tokens(6)]];
const asked = tokens(7), targets = tokens(7);

function open(device: Device, memory: Partial<MemoryConfig> = {}, memoryBlock = 3): LongMem {
  const { shape, weights } = smallSideNet(backbone);
  const sideNet = { shape: { ...shape, memoryBlock }, weights };
  return new LongMem(device, { backbone, sideNet, memory: { ...shared, ...memory } });
}

const readOnly = { network: "longmem", readOnly: true } as const;

/** What a model says once it has read a text. */
async function answer(
  model: Pick<ScoredLongMem, "resetMemory" | "remember" | "choose">,
  text: readonly Int32Array[],
): Promise<Float32Array> {
  await model.resetMemory();
  for (const segment of text) await model.remember(segment);
  return (await model.choose(asked, targets, readOnly)).nll;
}

deviceTest(
  "EncodedMemories encodes each text once for all models of a backbone",
  async (device) => {
    const memories = new EncodedMemories(backbone);
    const plain = open(device);
    const expected = [await answer(plain, texts[0]), await answer(plain, texts[1])];
    assert.ok(expected[0].some((nll, i) => Math.abs(nll - expected[1][i]) > 1e-3));
    const first = open(device), second = open(device);
    for (const model of [first, second]) {
      const kept = memories.keep(model);
      for (const text of [0, 1, 0]) {
        assertClose(await answer(kept, texts[text]), expected[text], { tolerance: 1e-5 });
      }
      // Asked first, before anything has made it read.
      await kept.resetMemory();
      for (const segment of texts[1]) await kept.remember(segment);
      const { ages } = await kept.retrieved!(texts[0][0]);
      await answer(plain, texts[1]);
      assert.deepEqual(ages, (await plain.retrieved(texts[0][0])).ages);
      await kept.resetMemory();
      for (const segment of texts[0]) await kept.remember(segment);
      await answer(plain, texts[0]);
      const windows = [kept, plain].map((model) =>
        model.openWindow!({ contextTokens: 8, network: "longmem" })
      );
      const [ofKept, ofPlain] = [await windows[0].append(asked), await windows[1].append(asked)];
      assertClose(ofKept, ofPlain, { tolerance: 1e-5 });
      for (const window of windows) await window.close();
    }
    assert.equal(memories.encoded, 2);

    // Another cut, order, memory or block is another memory.
    const others: [LongMem, readonly Int32Array[]][] = [
      [first, [...texts[0]].reverse()],
      [first, [Int32Array.of(...texts[0][0], ...texts[0][1])]],
      [open(device, { chunkTokens: 4 }), texts[0]],
      [open(device, {}, 2), texts[0]],
    ];
    for (const [i, [model, text]] of others.entries()) {
      await answer(memories.keep(model), text);
      assert.equal(memories.encoded, 3 + i);
    }
    for (const model of new Set([plain, second, ...others.map(([model]) => model)])) {
      await model.close();
    }
  },
);

deviceTest(
  "EncodedMemories passes on what is no text read from an empty memory",
  async (device) => {
    const memories = new EncodedMemories(backbone);
    const model = open(device), plain = open(device);
    const kept = memories.keep(model);
    for (const longmem of [kept, plain]) {
      await longmem.resetMemory();
      await longmem.remember(texts[0][0]);
      await longmem.score(asked, targets, { network: "longmem" }); // writes
      await longmem.remember(texts[1][0]);
    }
    assertClose(
      (await kept.choose(asked, targets, readOnly)).nll,
      (await plain.choose(asked, targets, readOnly)).nll,
      { tolerance: 1e-5 },
    );
    assert.equal(memories.encoded, 1);
    // Nothing read, nothing remembered.
    await kept.resetMemory();
    await plain.resetMemory();
    assertClose(
      (await kept.choose(asked, targets, readOnly)).nll,
      (await plain.choose(asked, targets, readOnly)).nll,
      { tolerance: 1e-5 },
    );
    await model.close();
    await plain.close();
  },
  { kinds: ["cpu"] },
);

deviceTest(
  "EncodedMemories keeps no more than it may, and only those of its backbone",
  async (device) => {
    const model = open(device);
    await answer(model, texts[0]);
    const { tensors } = (await model.copyMemory())!;
    const bytes = Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0);
    const memories = new EncodedMemories(backbone, { maxBytes: 2 * bytes - 1 });
    const kept = memories.keep(model);
    const expected = await answer(model, texts[1]);
    for (const text of [0, 1, 0, 1]) await answer(kept, texts[text]);
    assert.equal(memories.encoded, 3); // the first one once, the second one twice
    assertClose(await answer(kept, texts[1]), expected, { tolerance: 1e-5 });
    assert.throws(
      () => new EncodedMemories(smallBackbone(2)).keep(model),
      /^TypeError: Cannot keep the memories of a model that has another backbone$/,
    );
    const { memory } = model.parts;
    const blocks = new LongMem(device, {
      backbone,
      memory: memory!,
      other: { network: "infllm", shape: { distanceTokens: 1 } },
    });
    assert.equal(memories.keep(blocks), blocks, "memories of several blocks are not kept");
    await assert.rejects(blocks.copyMemory(), /Cannot copy the memories of several blocks$/);
    await blocks.close();
    await model.close();
  },
  { kinds: ["cpu"] },
);
