/** Damaged checkpoints: whatever their bytes, reading gives weights or an error of one sentence, in bounded memory. */
import { loadCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { isInputError } from "../../src/errors.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { hashTensors } from "../../src/formats/tensor_hash.ts";
import { Random } from "../../src/random.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import {
  backboneShape,
  backboneWeights,
  fairseqBackboneBytes,
  fairseqLongMemBytes,
} from "./tiny_models.ts";

/** Bytes that mean something to a pickle, a zip archive or JSON. */
const meaningful = [0, 1, 0x22, 0x28, 0x2c, 0x2e, 0x52, 0x5b, 0x71, 0x72, 0x7b, 0x7f, 0x80, 0xff];

/** Changes some bytes: bits, runs of one byte, pieces removed, repeated, moved or cut off. */
function mutate(original: Uint8Array, random: Random): Uint8Array {
  const bytes = Uint8Array.from(original);
  // Structure is at both ends of the files, and small: places near them are taken more often than others.
  const place = () => {
    const distance = Math.floor(bytes.length * random.uniform() ** 3);
    return random.below(2) === 0 ? distance : bytes.length - 1 - distance;
  };
  const at = place(), length = 1 + random.below(random.below(4) === 0 ? 512 : 8);
  const end = Math.min(at + length, bytes.length);
  switch (random.below(7)) {
    case 0:
      bytes[at] ^= 1 << random.below(8);
      return bytes;
    case 1:
      bytes[at] = meaningful[random.below(meaningful.length)];
      return bytes;
    case 2:
      return bytes.fill(meaningful[random.below(meaningful.length)], at, end);
    case 3:
      return bytes.subarray(0, at);
    case 4:
      return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(end)]);
    case 5:
      return Uint8Array.from([...bytes.subarray(0, end), ...bytes.subarray(at)]);
    default:
      bytes.copyWithin(place(), at, end);
      return bytes;
  }
}

/** Most memory beyond what the test began with, in bytes; the files have some ten thousand. */
const allowedBytes = 2 ** 28;

/** Memory of this test file alone, in bytes: other files run beside it in the same process. */
function memoryInUse(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** Reads an original, then mutants of it; returns how many were read, and how many refused. */
async function fuzz(
  path: string,
  original: Uint8Array,
  { seed, mutants }: { seed: string; mutants: number },
): Promise<{ read: number; same: number; refused: number }> {
  const random = new Random(seed);
  const hash = async () => {
    const checkpoint = await loadCheckpoint(path, { shape: { heads: backboneShape.heads } });
    const { weights } = "sideNet" in checkpoint ? checkpoint.backbone : checkpoint;
    const sideNet = "sideNet" in checkpoint ? hashTensors(checkpoint.sideNet.weights) : "";
    return hashTensors(weights!) + sideNet;
  };
  await Deno.writeFile(path, original);
  const expected = await hash();
  const before = memoryInUse();
  const counts = { read: 0, same: 0, refused: 0 };
  for (let n = 0; n < mutants; n++) {
    const bytes = mutate(original, random);
    await Deno.writeFile(path, bytes);
    try {
      if (await hash() === expected) counts.same++;
      counts.read++;
    } catch (error) {
      const { message, stack } = error as Error;
      assert.ok(isInputError(error), `mutant ${n} of "${seed}" gives ${stack}`);
      assert.ok(message.startsWith("Cannot ") && message.includes(path), `mutant ${n}: ${message}`);
      counts.refused++;
    }
    const grown = memoryInUse() - before;
    assert.ok(grown < allowedBytes, `mutant ${n} of "${seed}" took ${grown} bytes`);
  }
  return counts;
}

test("loadCheckpoint() reads or refuses mutants of torch checkpoints, naming the file", () =>
  withFolder(async (folder) => {
    const originals = { backbone: fairseqBackboneBytes(), longmem: fairseqLongMemBytes() };
    for (const [name, original] of Object.entries(originals)) {
      const counts = await fuzz(`${folder}/${name}.pt`, original, { seed: name, mutants: 400 });
      // Weights have checksums, so that a mutant that is read is almost always the same model.
      assert.ok(counts.refused > 200 && counts.same > 5, JSON.stringify(counts));
    }
  }));

test("loadCheckpoint() reads or refuses mutants of safetensors files, naming the file", () =>
  withFolder(async (folder) => {
    const path = `${folder}/backbone.safetensors`;
    await writeSafetensors(path, backboneWeights, {
      heads: `${backboneShape.heads}`,
      made: "here",
    });
    const original = await Deno.readFile(path);
    const counts = await fuzz(path, original, { seed: "safetensors", mutants: 800 });
    assert.ok(counts.refused > 200 && counts.read > 100, JSON.stringify(counts));
  }));
