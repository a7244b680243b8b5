/** A bank in several buffers of a GPU holds, finds and returns the bits of one in a single buffer. */
import { LongMem } from "../../src/longmem/longmem.ts";
import { type MemoryConfig, memoryPart, memoryProtocols } from "../../src/memory/config.ts";
import type { BankTensorName } from "../../src/memory/bank_storage.ts";
import { headRuns } from "../../src/memory/head_runs.ts";
import { MemoryBank } from "../../src/memory/memory_bank.ts";
import { wordsOfVector } from "../../src/memory/packed_vectors.ts";
import { storageTypes } from "../../src/memory/stored_range.ts";
import { Random } from "../../src/random.ts";
import type { Device } from "../../src/runtime/device.ts";
import { randomBackbone, randomSideNet, smallShapes } from "../architectures/small_models.ts";
import { deviceTest, limitedDevice, testedDevice } from "../graph/devices.ts";
import { assert, test } from "../testing.ts";
import {
  inOrder,
  openTrainer,
  randomBatches,
  releasedTraining,
  update,
} from "../training/small_training.ts";
import { randomTokens } from "../longmem/random_model.ts";

const gpuOnly = { kinds: ["webgpu"] } as const;

test("headRuns() cuts a range of heads where tables end", () => {
  assert.deepEqual(headRuns({ start: 5, count: 6 }, 4), [
    { table: 1, row: 1, first: 0, count: 3 },
    { table: 2, row: 0, first: 3, count: 3 },
  ]);
  assert.deepEqual(headRuns({ start: 1, count: 2 }, 4), [{ table: 0, row: 1, first: 0, count: 2 }]);
});

/** Bytes of the largest of the tables of one head. */
function headBytes(
  { storage, chunkTokens: c, capacityTokens, place }: MemoryConfig,
  headDim: number,
): number {
  const ofChunk = place === "file" ? 0 : c * wordsOfVector(storage, headDim);
  return 4 * Math.floor(capacityTokens / c) * Math.max(ofChunk, headDim + 1);
}

for (const storage of storageTypes) {
  deviceTest(
    `a bank of ${storage} in several buffers has the bits of one on the host`,
    async (device) => {
      const host = await testedDevice("cpu");
      const rows = 3, heads = 2, headDim = 7, c = 2, E = heads * headDim;
      for (const bank of ["per-row", "shared"] as const) {
        const config: MemoryConfig = {
          ...{ capacityTokens: 121, chunkTokens: c, retrievedTokens: 4, index: { kind: "exact" } },
          ...memoryProtocols.strict,
          ...{ storage, bank },
        };
        const open = (on: Device, fields: Partial<MemoryConfig> = {}) =>
          new MemoryBank(on, { ...config, ...fields }, { rows, heads, headDim });
        const limited = (most: number, fields: Partial<MemoryConfig> = {}) => {
          const bindingBytes = most * headBytes({ ...config, ...fields }, headDim);
          return open(limitedDevice(device, { bindingBytes }), fields);
        };
        // Of six heads in buffers of three the second bank lies in two; of single heads each lies alone.
        const onGpu = [open(device), limited(4), limited(1)];
        if (Deno.build.os === "linux") onGpu.push(limited(4, { place: "file" }));
        const counts = onGpu.map(({ storage }) => storage.meanKeys.length);
        const wanted = bank === "shared" ? [1, 1, 2, 1] : [1, 2, 6, 2];
        assert.deepEqual(counts, wanted.slice(0, counts.length));
        const onHost = open(host), all = [onHost, ...onGpu], random = new Random(storage);
        const checkAlike = async (name: string) => {
          const expected = await onHost.save(), means = expected.tensors.meanKeys.data;
          for (const bank of onGpu) {
            assert.deepEqual(await bank.save(), expected, name);
            let read = 0;
            for (const table of bank.storage.meanKeys) {
              const data = await table.read();
              assert.deepEqual(data, means.slice(read, read += data.length), name);
            }
            assert.equal(read, means.length);
          }
          return expected;
        };
        for (let pass = 1; pass <= 20; pass++) {
          const tokens = rows * (4 + 2 * random.below(4));
          const [keys, values] = [1, 2].map(() =>
            Float32Array.from({ length: tokens * E }, () => random.normal())
          );
          for (const bank of all) {
            if (pass === 6) bank.reset([1]);
            const on = bank === onHost ? host : device;
            await bank.write(on.tensor(keys, [tokens, E]), on.tensor(values, [tokens, E]));
          }
          if (pass % 10 === 0) await checkAlike(`pass ${pass}`);
        }
        // Chunks around the end of the slots are read, and put elsewhere.
        const last = onHost.shape.banks - 1, count = 9;
        const read = async (of: MemoryBank, name: BankTensorName) => {
          const reader = await of.storage.reader(name, last, { start: 57, count });
          const width = name === "meanKeys" ? headDim : c * headDim;
          const numbers = new Float32Array(count * heads * width);
          for (let i = 0; i < count * heads; i++) {
            reader(i % heads, Math.floor(i / heads), numbers, i * width);
          }
          return numbers;
        };
        const chunks = {
          keys: await read(onHost, "keys"),
          values: await read(onHost, "values"),
          meanKeys: await read(onHost, "meanKeys"),
        };
        assert.ok(chunks.meanKeys.every((x) => x !== 0));
        for (const bank of onGpu) {
          for (const name of ["keys", "values", "meanKeys"] as const) {
            assert.deepEqual(await read(bank, name), chunks[name], name);
          }
        }
        for (const bank of all) bank.storage.put(last, { start: 58, count }, chunks);
        const saved = await checkAlike("put");
        for (const bank of onGpu) {
          bank.reset();
          await bank.restore(saved);
        }
        await checkAlike("restored");
        for (const bank of all) bank.dispose();
      }
    },
    gpuOnly,
  );
}

const cases = [
  { most: 3, fields: { bank: "per-row", storage: "float16" } },
  { most: 1, fields: { bank: "shared", storage: "int8" } },
] as const;

for (const { most, fields } of cases) {
  deviceTest(
    `a model whose queries share heads of ${fields.storage}, ${fields.bank}, computes the same in several buffers`,
    async (device) => {
      const shape = smallShapes().find(({ architecture, settings }) =>
        architecture === "llama" && settings?.keyValueHeads === 2
      )!;
      const backbone = randomBackbone(shape), sideNet = randomSideNet(backbone);
      const memory = memoryPart.fill({
        ...{ capacityTokens: 6000, chunkTokens: 4, retrievedTokens: 8, reset: "epoch" },
        ...fields,
      }, { protocol: "strict" });
      const parts = { backbone, sideNet, memory };
      const blockBytes = most * headBytes(memory, 4);
      const [one, several] = [2 ** 27, blockBytes].map((bindingBytes) =>
        limitedDevice(device, { bindingBytes, blockBytes })
      );
      const isShared = fields.bank === "shared", T = 90;
      const results = async (on: Device, count: number) => {
        const model = new LongMem(on, parts);
        for (let pass = 0; pass < 8; pass++) {
          await model.remember(randomTokens(2 * T, pass), { batch: 2 });
        }
        assert.equal(model.bank!.storage.meanKeys.length, count);
        const forward = async (model: LongMem) => {
          const { logits } = await model.forward(randomTokens(2 * T, "query"), { batch: 2 });
          return logits;
        };
        const bytes = await model.memoryBytes(), saved = await model.copyMemory();
        const logits = await forward(model);
        const explained = isShared &&
          await model.explain(randomTokens(9, "given"), randomTokens(9, "after"), {
            hidden: [{ start: 1000, end: 3000 }],
          });
        await model.restoreMemory(bytes);
        assert.deepEqual(await forward(model), logits);
        await model.close();
        const config = { ...releasedTraining, steps: 3 };
        const trainer = await openTrainer({ device: on, config, seed: 1, parts });
        const next = inOrder(randomBatches(4)), metrics = [];
        for (let i = 0; i < 4; i++) metrics.push(await update(trainer, next));
        await trainer.close();
        return { bytes, saved, logits, explained, metrics };
      };
      const expected = await results(one, 1);
      assert.deepEqual(await results(several, 2), expected);
      assert.ok(expected.logits.every(Number.isFinite));
    },
    gpuOnly,
  );
}
