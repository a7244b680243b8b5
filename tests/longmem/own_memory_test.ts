import { loadLongMem } from "../../src/checkpoint/load.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import type { MemoryConfig } from "../../src/memory/config.ts";
import { deviceTest, testedDevice } from "../graph/devices.ts";
import { assert, test } from "../testing.ts";
import { randomTokens, smallBackbone, smallParts } from "./random_model.ts";

const hnsw = { kind: "hnsw", m: 16, efConstruction: 200, efSearch: 200 } as const;

async function logitsOf(model: LongMem, rows = 1): Promise<Float32Array> {
  const tokens = randomTokens(rows * 12, "question");
  return (await model.forward(tokens, { batch: rows, readOnly: true })).logits;
}

deviceTest(
  "withOwnMemory() answers as a model of its own, whatever the others remember",
  async (device) => {
    const all: [Partial<MemoryConfig>, number][] = [
      [{}, 1],
      [{ bank: "per-row", storage: "float16" }, 2],
      [{ index: hnsw }, 1],
    ];
    for (const [memory, rows] of device.kind === "cpu" ? all : all.slice(1, 2)) {
      const parts = smallParts(memory), first = new LongMem(device, parts);
      const texts = ["one", "two", "three"].map((name) => randomTokens(rows * 16, name));
      const alone: Float32Array[] = [];
      for (const text of texts) {
        const model = new LongMem(device, parts);
        await model.remember(text, { batch: rows });
        alone.push(await logitsOf(model, rows));
        await model.close();
      }
      await first.remember(texts[0], { batch: rows });
      const second = await first.withOwnMemory();
      assert.deepEqual(second.memoryFillChunks, []);
      const third = await first.withOwnMemory({ copied: true });
      assert.deepEqual(await logitsOf(third, rows), alone[0]);
      await third.resetMemory();
      // Calls of all three are under way at once.
      const answers = [first, second, third].map(async (model, i) => {
        if (i > 0) await model.remember(texts[i], { batch: rows });
        return await logitsOf(model, rows);
      });
      assert.deepEqual(await Promise.all(answers), alone);
      assert.notDeepEqual(alone[0], alone[1]);
      await second.close();
      assert.deepEqual(await logitsOf(third, rows), alone[2]);
      await first.close();
      await assert.rejects(logitsOf(third, rows), /the model as it has been closed/);
    }
  },
);

test("withOwnMemory() keeps the windows of each model apart", async () => {
  const first = new LongMem(await testedDevice("cpu"), smallParts());
  await first.remember(randomTokens(16, "one"));
  const second = await first.withOwnMemory();
  await second.remember(randomTokens(16, "two"));
  const tokens = randomTokens(6, "window");
  const follow = async (model: LongMem, pause?: () => Promise<unknown>) => {
    const window = model.openWindow({ contextTokens: 8 }), logits: Float32Array[] = [];
    for (const token of tokens) {
      logits.push(await window.append([token]));
      await pause?.();
    }
    await window.close();
    return logits;
  };
  const expected = await follow(first);
  assert.notDeepEqual(await follow(second), expected);
  // Neither the other's passes nor its writes are seen.
  const found = await follow(first, () => second.remember(randomTokens(8, "more")));
  assert.deepEqual(found, expected);
  await first.close();
});

test("a loaded model lends its weights to others with memories of their own", async () => {
  await using model = await loadLongMem({
    backbone: smallParts().backbone,
    memory: { capacityTokens: 28, chunkTokens: 4, retrievedTokens: 8 },
    device: "cpu",
  });
  const tokens = randomTokens(16, "text");
  const other = await (await model.withOwnMemory()).withOwnMemory();
  assert.deepEqual(other.backboneShape, smallBackbone);
  assert.equal(other.memory, model.memory);
  await other.remember(tokens);
  assert.deepEqual(other.memoryFillChunks, [4]);
  assert.deepEqual(model.memoryFillChunks, []);
  await other.close();
  assert.equal((await model.forward(tokens)).logits.length, 16 * smallBackbone.vocabSize);
});
