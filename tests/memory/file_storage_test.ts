/** A bank whose arrays lie in files holds the same bits as one in RAM. */
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import { MemoryBank } from "../../src/memory/memory_bank.ts";
import type { MemoryDeclaration } from "../../src/memory/config.ts";
import { Random } from "../../src/random.ts";
import { mapScratchFile } from "../../src/system.ts";
import { deviceTest, testedDevice } from "../graph/devices.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { randomTokens, smallParts } from "../longmem/random_model.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, assertClose, test } from "../testing.ts";
import {
  inOrder,
  openSideNet,
  randomBatches,
  smallMemory,
  update,
} from "../training/small_training.ts";

const onLinux = { ignore: Deno.build.os !== "linux" };

const config: MemoryConfig = {
  capacityTokens: 44,
  chunkTokens: 2,
  retrievedTokens: 4,
  index: { kind: "exact" },
  ...memoryProtocols["released-code"],
  bank: "per-row",
};

deviceTest(
  "a memory in a file equals one in RAM, through evictions and resets",
  async (device) => {
    const rows = 2, E = 6;
    for (const storage of device.kind === "cpu" ? storages : storages.slice(0, 2)) {
      const banks = (["ram", "file"] as const).map((place) =>
        new MemoryBank(device, { ...config, storage, place }, { rows, heads: 2, headDim: 3 })
      );
      // The arrays of one of the banks; tests of other files, which share the process, may have more.
      const maps = (await Deno.readTextFile("/proc/self/maps")).split("\n");
      const mapped = maps.filter((line) => /\/longmem-\w{6} \(deleted\)$/.test(line)).length;
      const least = storage === "int8" ? 5 : 3;
      assert.ok(mapped >= least, `${mapped} arrays are in files, expected are ${least}`);
      const [, file] = banks;
      const random = new Random("updates");
      for (let update = 0; update < 12; update++) {
        const tokens = rows * (4 + 2 * random.below(3));
        const draw = () =>
          device.tensor(
            Float32Array.from({ length: tokens * E }, () => random.normal()),
            [tokens, E],
          );
        const keys = draw(), values = draw();
        for (const bank of banks) {
          if (update === 7) bank.reset([1]);
          await bank.write(keys, values, { tokens: new Int32Array(tokens).fill(update) });
        }
        await assertAlike(file, banks[0]);
      }
      assert.ok(file.fillChunks[0] > 10);
      const saved = await file.save();
      file.reset();
      await file.restore(saved);
      assert.deepEqual(await file.save(), saved);
      await assertAlike(file, banks[0]);
      banks.forEach((bank) => bank.dispose());
    }
  },
  onLinux,
);

const storages = ["int8", "float16", "float32"] as const;

/** Asserts that a bank in a file, and what its device finds chunks by, has the bits of one in RAM. */
async function assertAlike(file: MemoryBank, ram: MemoryBank): Promise<void> {
  const [found, expected] = [await file.save(), await ram.save()];
  const inDevice = await file.storage.meanKeys[0].read();
  assert.deepEqual(inDevice, found.tensors.meanKeys.data);
  // The mean of two keys is the same in float32 and float64.
  assert.deepEqual(found, expected);
}

deviceTest("a model reads the same from a memory in a file", async (device) => {
  const parts = smallParts();
  const logitsWith = async (memory: MemoryDeclaration) => {
    const model = new LongMem(device, {
      ...parts,
      memory: { ...parts.memory, ...memory } as MemoryConfig,
    });
    for (const text of ["a", "b", "c"]) await model.remember(randomTokens(14, text), { batch: 1 });
    const { logits } = await model.forward(randomTokens(12, "question"), {
      batch: 1,
      readOnly: true,
    });
    await model.close();
    return logits;
  };
  for (const storage of device.kind === "cpu" ? storages : storages.slice(0, 1)) {
    const ram = await logitsWith({ storage }), file = await logitsWith({ storage, place: "file" });
    if (device.kind === "cpu") assert.deepEqual(file, ram);
    else assertClose(file, ram, { tolerance: 1e-5, name: storage });
    const other = await logitsWith({ storage, place: "file", retrievedTokens: 4 });
    assert.ok(other.some((logit, i) => Math.abs(logit - ram[i]) > 1e-3), "the memory is read");
  }
}, onLinux);

deviceTest("a SideNet is trained with a memory in a file as with one in RAM", async (device) => {
  const metricsWith = async (place: "ram" | "file") => {
    const trainer = await openSideNet(device, {}, { memory: { ...smallMemory, place } });
    const next = inOrder(randomBatches(4)), metrics = [];
    for (let i = 0; i < 4; i++) metrics.push(await update(trainer, next));
    await trainer.close();
    return metrics.flatMap(({ loss, gradientNorm }) => [loss, gradientNorm]);
  };
  const [ram, file] = [await metricsWith("ram"), await metricsWith("file")];
  assertClose(file, ram, { tolerance: device.kind === "cpu" ? 0 : 1e-5, name: "metrics" });
}, onLinux);

test(
  "mapScratchFile() leaves no name in its folder, and zeros after disposal",
  onLinux,
  () =>
    withFolder(async (folder) => {
      const file = mapScratchFile(3 * 2 ** 20, folder);
      const numbers = new Float32Array(file.buffer);
      numbers[numbers.length - 1] = 1.5;
      assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
      file[Symbol.dispose]();
      assert.equal(numbers[numbers.length - 1], 0);
      assert.throws(
        () => mapScratchFile(10, `${folder}/none`),
        /^Error: no file can be made there$/,
      );
      assert.throws(
        () => mapScratchFile(2 ** 52, folder),
        /^Error: (the disk has not so much room|a file may not be so large there)$/,
      );
    }),
);

deviceTest("explain() reads the same from a memory in a file", async (device) => {
  const explained = async (place: "ram" | "file", missingChunks: "masked" | "zero-slot") => {
    const model = new LongMem(device, smallParts({ place, missingChunks }));
    await model.remember(randomTokens(14, "text"), { batch: 1 });
    const segment = randomTokens(11, "question"), hidden = [{ start: 0, end: 4 }];
    const found = await model.explain(segment.slice(0, 10), segment.slice(1), { hidden });
    await model.close();
    return found;
  };
  for (const missingChunks of ["masked", "zero-slot"] as const) {
    const ram = await explained("ram", missingChunks),
      file = await explained("file", missingChunks);
    assert.deepEqual(file.starts, ram.starts);
    for (const name of ["weights", "gates", "nll", "nllWithout"] as const) {
      assertClose(file[name], ram[name], { tolerance: 1e-5, name });
    }
    assertClose(file.nllHidden[0], ram.nllHidden[0], { tolerance: 1e-5 });
    assert.ok(file.nllHidden[0].some((x, t) => Math.abs(x - file.nll[t]) > 1e-3), "it is hidden");
  }
}, onLinux);

test("what graphs of other devices cannot read from files is refused", onLinux, async () => {
  const device = await testedDevice("wasm"), parts = smallParts({ place: "file" });
  const tokens = randomTokens(12, "text");
  const { backbone, memory } = parts, shape = { distanceTokens: 9 };
  const infllm = new LongMem(device, { backbone, memory, other: { network: "infllm", shape } });
  await assert.rejects(infllm.forward(tokens, { network: "infllm" }), {
    name: "InputError",
    message: /^Cannot keep the memories of several blocks in files .* device is wasm; allowed are/,
  });
  await infllm.close();
});

test("a memory that does not fit on the disk is refused in a sentence", onLinux, async () => {
  const device = await testedDevice("cpu");
  const sizes = { ...config, bank: "shared", capacityTokens: 2 ** 34, place: "file" } as const;
  // 2 TiB of keys.
  assert.throws(() => new MemoryBank(device, sizes, { rows: 1, heads: 1, headDim: 64 }), {
    name: "InputError",
    message:
      /^Cannot keep .* GiB of a memory in a file in ".*" as .*; LONGMEM_SCRATCH names another folder$/,
  });
});
