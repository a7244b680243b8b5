import { Buffer } from "node:buffer";
import { memoryFileParts, openMemoryFile } from "../../src/memory/memory_file.ts";
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import { MemoryBank } from "../../src/memory/memory_bank.ts";
import { Random } from "../../src/random.ts";
import { testedDevice } from "../graph/devices.ts";
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
