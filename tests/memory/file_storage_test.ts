/** A bank whose arrays lie in files holds the same bits as one in RAM. */
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import { MemoryBank } from "../../src/memory/memory_bank.ts";
import type { MemoryDeclaration } from "../../src/memory/config.ts";
import { Random } from "../../src/random.ts";
import { mapScratchFile } from "../../src/system.ts";
import { testedDevice } from "../graph/devices.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { randomTokens, smallParts } from "../longmem/random_model.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

const onLinux = { ignore: Deno.build.os !== "linux" };

const config: MemoryConfig = {
  capacityTokens: 44,
  chunkTokens: 2,
  retrievedTokens: 4,
  index: { kind: "exact" },
  ...memoryProtocols["released-code"],
  bank: "per-row",
};

test("a memory in a file equals one in RAM, through evictions and resets", onLinux, async () => {
  const device = await testedDevice("cpu"), rows = 2, E = 6;
  for (const storage of ["int8", "float16", "float32"] as const) {
    const banks = (["ram", "file"] as const).map((place) =>
      new MemoryBank(device, { ...config, storage, place }, { rows, heads: 2, headDim: 3 })
    );
    // The arrays of one of the banks.
    const maps = (await Deno.readTextFile("/proc/self/maps")).split("\n");
    assert.equal(
      maps.filter((line) => /\/longmem-\w{6} \(deleted\)$/.test(line)).length,
      storage === "int8" ? 5 : 3,
    );
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
      const [ram, file] = await Promise.all(banks.map((bank) => bank.save()));
      assert.deepEqual(file, ram);
    }
    assert.ok(banks[1].fillChunks[0] > 10);
    const [, file] = banks, saved = await file.save();
    file.reset();
    await file.restore(saved);
    assert.deepEqual(await file.save(), saved);
    banks.forEach((bank) => bank.dispose());
  }
});

test("a model reads the same logits from a memory in a file", onLinux, async () => {
  const device = await testedDevice("cpu"), parts = smallParts();
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
  for (const storage of ["int8", "float16", "float32"] as const) {
    const ram = await logitsWith({ storage });
    assert.deepEqual(await logitsWith({ storage, place: "file" }), ram);
  }
});

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

test("a memory in a file needs the device cpu", async () => {
  const device = await testedDevice("wasm");
  assert.throws(
    () => new MemoryBank(device, { ...config, place: "file" }, { rows: 1, heads: 1, headDim: 2 }),
    {
      name: "InputError",
      message:
        /current memory\.place is "file" and device is wasm; allowed are memory\.place "ram"/,
    },
  );
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
