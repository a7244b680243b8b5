import { createHash } from "node:crypto";
import { hashTensors } from "../../src/formats/tensor_hash.ts";
import { readSafetensors, writeSafetensors } from "../../src/formats/safetensors.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { initializeMemorizing } from "../../src/longmem/networks/memorizing_transformer.ts";
import type { LongMemParts } from "../../src/longmem/parts.ts";
import type { MemoryConfig } from "../../src/memory/config.ts";
import type { Device } from "../../src/runtime/device.ts";
import { deviceTest, testedDevice } from "../graph/devices.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, assertClose, test } from "../testing.ts";
import {
  randomParts,
  randomTokens,
  smallBackbone,
  smallMemory,
  smallParts,
  smallSideNet,
} from "./random_model.ts";

const hnsw = { kind: "hnsw", m: 16, efConstruction: 200, efSearch: 200 } as const;
const parts = smallParts(), V = smallBackbone.vocabSize;

/** A model that has read 40 tokens of each row, of which the bank holds 28: its slots have wrapped around. */
async function reader(device: Device, memory: Partial<MemoryConfig> = {}, rows = 1) {
  const model = new LongMem(device, { ...parts, memory: { ...parts.memory, ...memory } });
  for (const [i, tokens] of [14, 18, 8].entries()) {
    await model.remember(randomTokens(rows * tokens, `document ${i}`), { batch: rows });
  }
  return model;
}

async function logitsOf(model: LongMem, rows = 1): Promise<Float32Array> {
  const tokens = randomTokens(rows * 12, "question");
  return (await model.forward(tokens, { batch: rows, readOnly: true })).logits;
}

deviceTest(
  "restoreMemory() takes a file to the model that wrote it, which goes on alike",
  (device) =>
    withFolder(async (folder) => {
      const all: [Partial<MemoryConfig>, number][] = [
        [{}, 1],
        [{ storage: "float16" }, 2],
        [{ storage: "int8" }, 2],
        [{ bank: "shared", capacityTokens: 100 }, 2],
        [{ index: hnsw }, 1],
      ];
      for (const [memory, rows] of device.kind === "cpu" ? all : all.slice(1, 3)) {
        const model = await reader(device, memory, rows), path = `${folder}/${rows}.memory`;
        const saved = await model.saveMemory(path);
        assert.deepEqual(await Deno.readFile(path), await model.memoryBytes());
        const other = new LongMem(device, { ...parts, memory: model.parts.memory! });
        await other.remember(randomTokens(rows * 20, "something else"), { batch: rows });
        const empty = await logitsOf(other, rows);
        assert.deepEqual(await other.restoreMemory(path), saved);
        const expected = await logitsOf(model, rows);
        assert.deepEqual(await logitsOf(other, rows), expected);
        assert.notDeepEqual(empty, expected);
        assert.deepEqual(other.memoryFillChunks, model.memoryFillChunks);
        assert.deepEqual(other.rememberedTokens, model.rememberedTokens);
        // Appending, and saving that.
        for (const one of [model, other]) {
          await one.remember(randomTokens(rows * 16, "appended"), { batch: rows });
        }
        assert.deepEqual(await logitsOf(other, rows), await logitsOf(model, rows));
        assert.deepEqual(await other.memoryBytes(), await model.memoryBytes());
        await model.close();
        await other.close();
      }
    }),
);

test("a memory file is safetensors that say who wrote it, of which texts, and which tokens it holds", () =>
  withFolder(async (folder) => {
    const model = await reader(await testedDevice("cpu")), path = `${folder}/book.memory`;
    const text = { name: "book.txt", sha256: "0f".repeat(32), start: 0, tokens: 40 };
    await model.saveMemory(path, { tokenizer: { hash: "words" }, texts: [text] });
    assert.deepEqual(model.rememberedTokens, [40]);
    const { metadata, integers, tensors } = await readSafetensors(path);
    assert.deepEqual(
      { ...metadata, memory: JSON.parse(metadata.memory), texts: JSON.parse(metadata.texts) },
      {
        format: "longmem-lab memory",
        version: "1",
        backbone: hashTensors(parts.backbone.weights),
        block: "3",
        tokenizer: "words",
        memory: parts.memory,
        texts: [text],
        tokens: "[40]",
      },
    );
    // Segments of 14, 18 and 8 tokens fill 3, 4 and 2 chunks, of which the bank holds the last 7.
    const segments = [14, 18, 8].map((count, i) => randomTokens(count, `document ${i}`));
    const chunks = segments.flatMap((tokens, i) =>
      Array.from({ length: Math.floor(tokens.length / 4) }, (_, j) => ({
        ids: [...tokens.slice(4 * j, 4 * j + 4)],
        position: [0, 14, 32][i] + 4 * j,
      }))
    ).slice(2);
    const positions = integers.get("bank.0.positions")!.data;
    assert.deepEqual([...positions], chunks.map(({ position }) => position));
    assert.deepEqual(
      [...integers.get("bank.0.ids")!.data],
      chunks.flatMap(({ ids }) => ids),
    );
    const { heads, hiddenDim } = smallBackbone, D = hiddenDim / heads;
    const keys = tensors.get("bank.0.keys")!, means = tensors.get("bank.0.meanKeys")!;
    assert.deepEqual(keys.shape, [7, heads, 4, D]);
    const meanOf = Array.from({ length: 7 * heads * D }, (_, i) => {
      const [row, d] = [Math.floor(i / D), i % D];
      return [0, 1, 2, 3].reduce((sum, j) => sum + keys.data[(row * 4 + j) * D + d] / 4, 0);
    });
    assertClose(means.data, meanOf, { tolerance: 1e-6 });
    await model.close();
  }));

test("restoreMemory() refuses token ids outside the vocabulary, whose hash is right", async () => {
  const model = await reader(await testedDevice("cpu")), bytes = await model.memoryBytes();
  const headerBytes = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
  const [start] = header["bank.0.ids"].data_offsets;
  new DataView(bytes.buffer).setInt32(8 + headerBytes + start + 8, V, true);
  bytes.set(createHash("sha256").update(bytes.subarray(0, -32)).digest(), bytes.length - 32);
  await assert.rejects(model.restoreMemory(bytes), {
    name: "RangeError",
    message: new RegExp(
      `the token id at position 2 must be an integer in .*: current value is ${V}$`,
    ),
  });
  await model.close();
});

test("restoreMemory() refuses the memory of another model, saying all that differs", async () => {
  const device = await testedDevice("cpu");
  const model = await reader(device);
  const bytes = await model.memoryBytes({ tokenizer: { hash: "words" } });
  const refusal = async (
    given: Partial<typeof parts>,
    options: { tokenizer?: { hash: string } } = {},
  ) => {
    const other = new LongMem(device, { ...parts, ...given });
    let message = "none";
    await other.restoreMemory(bytes, options).catch((error) => {
      assert.equal(error.name, "InputError");
      message = error.message;
    });
    await other.close();
    return message;
  };
  assert.equal(await refusal({}), "none");
  assert.equal(await refusal({}, { tokenizer: { hash: "words" } }), "none");
  const otherwise: Partial<MemoryConfig> = { retrievedTokens: 4, missingChunks: "zero-slot" };
  const larger = { ...parts.memory!, ...otherwise, capacityTokens: 60 };
  assert.equal(await refusal({ memory: larger }), "none", "the same chunks, read otherwise");
  const weights = new Map(parts.backbone.weights);
  const [[name, { shape, data }]] = weights;
  weights.set(name, { shape, data: data.map((x, i) => i === 0 ? x + 1e-6 : x) });
  const backbone = { ...parts.backbone, weights };
  assert.match(
    await refusal({ backbone }, { tokenizer: { hash: "pieces" } }),
    new RegExp(
      "^Cannot restore the memory of .* as another model wrote it: SHA-256 of the backbone's weights is " +
        `${hashTensors(parts.backbone.weights)} in the file and ${
          hashTensors(weights)
        } in this model; ` +
        "SHA-256 of the tokenizer is words in the file and pieces in this model$",
    ),
  );
  const others: [Partial<MemoryConfig>, string][] = [
    [{ chunkTokens: 2 }, "memory.chunkTokens is 4 in the file and 2 in this model"],
    [{ storage: "float16" }, "memory.storage is float32 in the file and float16 in this model"],
    [{ bank: "shared" }, "memory.bank is per-row in the file and shared in this model"],
    [
      { capacityTokens: 24 },
      "the file has 7 chunks and memory.capacityTokens of this model is 24, which is room for 6",
    ],
  ];
  for (const [memory, reason] of others) {
    const said = await refusal({ memory: { ...smallMemory, ...memory } });
    assert.ok(said.endsWith(`another model wrote it: ${reason}`), said);
  }
  const sideNet = { ...smallSideNet, memoryBlock: 1 };
  const { sideNet: otherBlock } = randomParts({
    shape: smallBackbone,
    sideNet,
    memory: smallMemory,
  });
  assert.match(
    await refusal({ sideNet: otherBlock }),
    /: the remembered block is 3 in the file and 1 in this model$/,
  );
  await model.close();
});

test("a damaged memory file is refused by its hash, wherever it is, and the memory stays", async () => {
  const model = await reader(await testedDevice("cpu"));
  const bytes = await model.memoryBytes();
  await model.remember(randomTokens(8, "more"));
  const before = await logitsOf(model);
  const headerBytes = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = new TextDecoder().decode(bytes.subarray(0, headerBytes));
  const inHeader = header.indexOf('"storage\\":\\"float32') + 2; // a key that nothing reads any more
  const places = [inHeader, headerBytes, headerBytes + 1000, bytes.length - 40, bytes.length - 1];
  for (const place of places) {
    const damaged = bytes.slice();
    damaged[place] ^= 1;
    await assert.rejects(
      model.restoreMemory(damaged),
      place === inHeader
        ? /Cannot restore the memory of "the bytes of a memory" as its metadata are malformed: memory/
        : {
          name: "InputError",
          message:
            /^Cannot restore the memory of "the bytes of a memory" as it is damaged: current SHA-256 of its bytes is [0-9a-f]{64}, allowed is [0-9a-f]{64}$/,
        },
      `byte ${place}`,
    );
  }
  const labelled = await model.memoryBytes({
    texts: [{ name: "book.txt", sha256: "00".repeat(32), start: 0, tokens: 9 }],
  });
  const name = new TextDecoder("latin1").decode(labelled).indexOf("book.txt");
  labelled[name] = "l".charCodeAt(0);
  await assert.rejects(model.restoreMemory(labelled), /it is damaged/);
  await assert.rejects(model.restoreMemory(bytes.slice(0, -5)), /it is truncated/);
  assert.deepEqual(await logitsOf(model), before);
  await model.close();
});

test("a window that has cached its tokens sees a memory that is restored", async () => {
  const model = await reader(await testedDevice("cpu")), bytes = await model.memoryBytes();
  const window = randomTokens(9, "window");
  const open = async (change: () => Promise<unknown>) => {
    const grown = model.openWindow({ contextTokens: 12 });
    await grown.append(window.slice(0, 8));
    await change();
    const logits = await grown.append(window.slice(8));
    await grown.close();
    return logits;
  };
  const expected = await open(() => Promise.resolve());
  await model.resetMemory();
  await model.remember(randomTokens(20, "something else"));
  const found = await open(() => model.restoreMemory(bytes));
  assertClose(found, expected, { tolerance: 1e-5 });
  await model.close();
});

test("restoreMemory() refuses what is no memory file in a sentence", () =>
  withFolder(async (folder) => {
    const model = await reader(await testedDevice("cpu")), path = `${folder}/memory.safetensors`;
    const { tensors } = (await model.copyMemory())!;
    await writeSafetensors(path, new Map(Object.entries(tensors)));
    await assert.rejects(model.restoreMemory(path), {
      name: "TypeError",
      message:
        /as it is not a memory file, as remember and saveMemory\(\) write it: current format is not given, allowed is "longmem-lab memory"$/,
    });
    const old = await model.copyMemory() as unknown as string;
    await assert.rejects(model.restoreMemory(old), {
      name: "TypeError",
      message: /^Cannot restore the memory from the arrays of an earlier version as/,
    });
    await assert.rejects(model.restoreMemory(`${folder}/none`), { name: "NotFound" });
    const bytes = await model.memoryBytes();
    const text = new TextDecoder("latin1").decode(bytes);
    bytes[text.indexOf('"version":"1"') + 11] = "2".charCodeAt(0);
    await assert.rejects(
      model.restoreMemory(bytes),
      /its version is another: current is 2, allowed is 1$/,
    );
    const { sideNet: _, ...backboneAlone } = parts, { backbone } = parts;
    const refusals: [LongMemParts, RegExp][] = [
      [backboneAlone, /there is no SideNet that would read it$/],
      [{ backbone }, /the model has none$/],
      [{ ...parts, heldTokens: 4 }, /a sliding window holds tokens back from it$/],
      [
        { ...backboneAlone, other: { network: "infllm", shape: { distanceTokens: 1 } } },
        /several blocks have one each$/,
      ],
      [
        { ...backboneAlone, other: initializeMemorizing({ memoryBlock: 3 }, backbone) },
        /it is that of a trained block, not of the frozen backbone$/,
      ],
    ];
    for (const [parts, reason] of refusals) {
      const other = new LongMem(model.device, parts);
      await assert.rejects(other.memoryBytes(), reason);
      await other.close();
    }
    assert.equal((await logitsOf(model)).length, 12 * V);
    await model.close();
  }));
