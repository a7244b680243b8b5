import { Buffer } from "node:buffer";
import {
  memoryFileParts,
  openMemoryFile,
  updateMemoryFile,
  writeMemoryFile,
} from "../../src/memory/memory_file.ts";
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import { MemoryBank } from "../../src/memory/memory_bank.ts";
import { Random } from "../../src/random.ts";
import { testedDevice } from "../graph/devices.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

const config: MemoryConfig = {
  capacityTokens: 5000,
  chunkTokens: 2,
  retrievedTokens: 4,
  index: { kind: "exact" },
  ...memoryProtocols.strict,
};
const labels = { backbone: "ab".repeat(32), block: 3, texts: [] };

test("a bank goes to its file and back in slices of 16 MiB at most", async () => {
  const device = await testedDevice("cpu");
  const open = () => new MemoryBank(device, config, { rows: 1, heads: 2, headDim: 512 });
  const bank = open(), random = new Random("keys");
  const row = Float32Array.from({ length: 2 ** 16 }, () => random.normal());
  // 5,600 tokens of 1,024 numbers: the oldest have left, and keys are more than a slice.
  for (const [start, tokens] of [[0, 3000], [3000, 2600]]) {
    const numbers = Float32Array.from({ length: tokens * 1024 }, (_, i) => row[(i * 7) & 0xffff]);
    const ids = Int32Array.from({ length: tokens }, (_, i) => start + i);
    const tensor = device.tensor(numbers, [tokens, 1024]);
    await bank.write(tensor, tensor, { tokens: ids });
  }
  const parts = await Array.fromAsync(memoryFileParts("bank", bank, labels));
  assert.ok(parts.length > 5 && parts.every(({ length }) => length <= 2 ** 24), `${parts.length}`);
  const bytes = await new Blob(parts).bytes();
  using file = await openMemoryFile(bytes);
  const { banks } = file.description;
  assert.deepEqual(banks, [{ chunks: 2500, tokens: 5600 }]);
  const slices = await Array.fromAsync(file.slices(0));
  assert.ok(slices.length > 1 && slices.every(({ keys }) => keys.byteLength <= 2 ** 24));
  const other = open();
  await other.load([{ ...banks[0], slices: file.slices(0) }]);
  const again = await Array.fromAsync(memoryFileParts("bank", other, labels));
  assert.equal(Buffer.compare(await new Blob(again).bytes(), bytes), 0);
  // The oldest chunk is that of tokens 600 and 601.
  assert.deepEqual([...other.transcripts![0].idsOf(0)], [600, 601]);
  assert.equal(other.transcripts![0].positionOf(0), 600);
  bank.dispose();
  other.dispose();
});

test("a bank that cannot be read to its end is empty afterwards", async () => {
  const device = await testedDevice("cpu");
  const bank = new MemoryBank(device, config, { rows: 1, heads: 1, headDim: 2 });
  const tensor = device.tensor(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), [4, 2]);
  await bank.write(tensor, tensor, { tokens: Int32Array.of(1, 2, 3, 4) });
  const empty = await new MemoryBank(device, config, { rows: 1, heads: 1, headDim: 2 }).save();
  const slice = (key: number) => ({
    first: 0,
    keys: Float32Array.of(key, 0, 0, 0),
    values: new Float32Array(4),
    meanKeys: new Float32Array(2),
    ids: new Int32Array(2),
    positions: new Int32Array(1),
  });
  async function* slices(last: number) {
    await Promise.resolve();
    yield slice(1);
    yield { ...slice(last), first: 1 };
  }
  await assert.rejects(
    bank.load([{ chunks: 2, tokens: 4, slices: slices(Infinity) }]),
    /Cannot restore a memory as one of its keys must be finite: current value is Infinity/,
  );
  assert.deepEqual(bank.fillChunks, [0]);
  assert.deepEqual((await bank.save()).tensors, empty.tensors);
  await bank.load([{ chunks: 2, tokens: 4, slices: slices(2) }]);
  assert.deepEqual(bank.fillChunks, [2]);
  bank.dispose();
});

/** A bank of two rows with a memory each, and what writes 6 tokens of each to it. */
async function smallBank(capacityTokens: number) {
  const device = await testedDevice("cpu");
  const memory: MemoryConfig = { ...config, capacityTokens, storage: "float16" };
  const bank = new MemoryBank(device, memory, { rows: 2, heads: 2, headDim: 3 });
  const write = async (update: number) => {
    const random = new Random(`update ${update}`);
    const draw = () =>
      device.tensor(Float32Array.from({ length: 72 }, () => random.normal()), [12, 6]);
    const tokens = Int32Array.from({ length: 12 }, (_, i) => 100 * update + i);
    await bank.write(draw(), draw(), { tokens });
  };
  return { bank, write };
}

const text = (update: number) => ({
  name: `text ${update}`,
  sha256: `${update}`.repeat(64),
  start: 6 * update,
  tokens: 6,
});

async function contentOf(file: Awaited<ReturnType<typeof openMemoryFile>>) {
  const chunks = { keys: [], values: [], meanKeys: [], ids: [], positions: [] };
  const names = Object.keys(chunks) as (keyof typeof chunks)[];
  for (const bank of [0, 1]) {
    let first = 0;
    for await (const slice of file.slices(bank)) {
      assert.equal(slice.first, first);
      first += slice.positions.length;
      for (const name of names) (chunks[name] as number[]).push(...slice[name]);
    }
  }
  return { description: file.description, chunks };
}

test("chunks are added at the end of a memory file, which then reads as if written at once", () =>
  withFolder(async (folder) => {
    const path = `${folder}/small.memory`, { bank, write } = await smallBank(24);
    const labelsOf = (texts: number) => ({
      ...labels,
      texts: Array.from({ length: texts }, (_, i) => text(i)),
    });
    const wholeOf = async (texts: number) =>
      await new Blob(await Array.fromAsync(memoryFileParts(path, bank, labelsOf(texts)))).bytes();
    await write(0);
    await Deno.writeFile(path, await wholeOf(1));
    for (const update of [1, 2]) {
      const before = await Deno.readFile(path);
      await write(update);
      assert.ok((await updateMemoryFile(path, bank, labelsOf(update + 1))).isAdded);
      const after = await Deno.readFile(path);
      assert.deepEqual(after.subarray(0, before.length), before);
      using file = await openMemoryFile(path),
        whole = await openMemoryFile(await wholeOf(update + 1));
      assert.deepEqual(await contentOf(file), await contentOf(whole));
      assert.equal(file.description.banks[1].chunks, 3 * (update + 1));

      // A process that was killed on the way: the first 8 bytes of the part are still zero.
      using old = await openMemoryFile(before);
      const added = after.length - before.length;
      for (const left of [1, 7, 8, 9, added >> 1, added]) {
        const cut = after.slice(0, before.length + left);
        cut.fill(0, before.length, before.length + 8);
        using file = await openMemoryFile(cut);
        assert.deepEqual(await contentOf(file), await contentOf(old));
        // Adding again writes over what is left, also of a longer addition.
        await Deno.writeFile(
          path,
          Uint8Array.of(...cut, ...new Uint8Array(left < 8 ? 0 : 99).fill(7)),
        );
        assert.ok((await updateMemoryFile(path, bank, labelsOf(update + 1))).isAdded);
        using again = await openMemoryFile(path);
        assert.deepEqual(await contentOf(again), await contentOf(whole));
      }
      // Damage after the last write is no such cut.
      await assert.rejects(openMemoryFile(after.slice(0, -1)), /it is truncated/);
      const damaged = after.slice();
      damaged[after.length - 40] ^= 1;
      await assert.rejects(openMemoryFile(damaged), /it is damaged: current SHA-256/);
      await Deno.writeFile(path, after);
    }
    // A part of another file.
    const first = await wholeOf(3);
    await assert.rejects(
      openMemoryFile(Uint8Array.of(...first, ...first)),
      /one of its parts does not continue the one before: current SHA-256 of that is not given/,
    );
    // The bank is full: the oldest chunks leave, so that the file is not the beginning of the memory.
    await write(3);
    assert.ok((await updateMemoryFile(path, bank, labelsOf(4))).isAdded);
    await write(4);
    assert.equal((await updateMemoryFile(path, bank, labelsOf(5))).isAdded, false);
    assert.deepEqual(await Deno.readFile(path), await wholeOf(5));
    bank.dispose();
  }));

test("an addition that fails leaves the file as it was, without what it has written", () =>
  withFolder(async (folder) => {
    const path = `${folder}/small.memory`, { bank, write } = await smallBank(24);
    await write(0);
    const hash = await writeMemoryFile(path, bank, labels);
    const before = await Deno.readFile(path);
    assert.equal(hash, Buffer.from(before.subarray(-32)).toString("hex"));
    await write(1);
    const { storage } = bank, reader = storage.reader.bind(storage);
    storage.reader = (name, ...range) =>
      name === "values" ? Promise.reject(new Error("it is lost")) : reader(name, ...range);
    await assert.rejects(updateMemoryFile(path, bank, labels), /it is lost/);
    assert.deepEqual(await Deno.readFile(path), before);
    storage.reader = reader;
    assert.ok((await updateMemoryFile(path, bank, labels)).isAdded);
    bank.dispose();
  }));

test("of several processes that add to a memory file one does, and the others fail", () =>
  withFolder(async (folder) => {
    const path = `${folder}/small.memory`, { bank, write } = await smallBank(24);
    await write(0);
    const hash = await writeMemoryFile(path, bank, labels);
    await write(1);
    {
      using other = await Deno.open(path, { write: true });
      await other.lock(true);
      await assert.rejects(updateMemoryFile(path, bank, labels), {
        name: "InputError",
        message: `Cannot write "${path}" as another process is writing it`,
      });
    }
    const added = await updateMemoryFile(path, bank, labels, hash);
    const file = await Deno.readFile(path);
    assert.equal(added.hash, Buffer.from(file.subarray(-32)).toString("hex"));
    // Who has read the file before would drop what was added since.
    await write(2);
    await assert.rejects(updateMemoryFile(path, bank, labels, hash), {
      name: "InputError",
      message: new RegExp(
        `another process has changed it since it was read: .* ${added.hash}, allowed is ${hash}$`,
      ),
    });
    assert.deepEqual(await Deno.readFile(path), file);
    bank.dispose();
  }));

test("a memory file to which a process adds while it is opened reads as before or as after", () =>
  withFolder(async (folder) => {
    const path = `${folder}/small.memory`, { bank, write } = await smallBank(24), { open } = Deno;
    await write(0);
    await writeMemoryFile(path, bank, labels);
    const before = await Deno.readFile(path);
    await write(1);
    await updateMemoryFile(path, bank, labels);
    const after = await Deno.readFile(path);
    const half = after.slice(0, (before.length + after.length) >> 1);
    half.fill(0, before.length, before.length + 8);
    const end = before.length;
    for (
      const { first, then, at, read } of [
        { first: half, then: after, at: 0, read: after },
        { first: half, then: after, at: end, read: after },
        { first: half, then: before, at: 0, read: before },
        { first: before, then: after, at: 0, read: after },
      ]
    ) {
      await Deno.writeFile(path, first);
      Deno.open = async (...args) => {
        const file = await open(...args), seek = file.seek.bind(file);
        // The size is known by now, and nothing has been read from there.
        file.seek = async (offset, whence) => {
          if (offset === at) await Deno.writeFile(path, then);
          return await seek(offset, whence);
        };
        return file;
      };
      try {
        using file = await openMemoryFile(path), whole = await openMemoryFile(read);
        assert.deepEqual(await contentOf(file), await contentOf(whole));
      } finally {
        Deno.open = open;
      }
    }
    bank.dispose();
  }));

test("chunks of another text are not added to a memory file", () =>
  withFolder(async (folder) => {
    const path = `${folder}/small.memory`,
      [one, other] = [await smallBank(24), await smallBank(24)];
    await one.write(0);
    await other.write(1);
    await other.write(2);
    await Deno.writeFile(
      path,
      await Array.fromAsync(memoryFileParts(path, one.bank, labels)).then((parts) =>
        new Blob(parts).bytes()
      ),
    );
    const update = async (bank: MemoryBank, by: typeof labels) => {
      assert.equal((await updateMemoryFile(path, bank, by)).isAdded, false);
      const parts = await Array.fromAsync(memoryFileParts(path, bank, by));
      assert.deepEqual(await Deno.readFile(path), await new Blob(parts).bytes());
    };
    await update(other.bank, labels);
    await writeMemoryFile(path, one.bank, labels);
    await one.write(1);
    await update(one.bank, { ...labels, backbone: "cd".repeat(32) });
  }));
