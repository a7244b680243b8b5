import { initializeBackbone } from "../../src/backbone/initialization.ts";
import type { BackboneCheckpoint } from "../../src/backbone/shape.ts";
import { readSafetensors } from "../../src/formats/safetensors.ts";
import { writeLongMemFolder } from "../../src/checkpoint/folder.ts";
import {
  defaultSideNetShape,
  loadLongMem,
  type LoadLongMemOptions,
} from "../../src/checkpoint/load.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import type { MemoryConfig } from "../../src/memory/config.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, assertClose, fixturePath, sharedTest, test } from "../testing.ts";
import { randomTokens, smallBackbone, smallParts } from "../longmem/random_model.ts";

const backbone = { shape: smallBackbone, weights: initializeBackbone(smallBackbone, 1) };

sharedTest("loadLongMem() reads official checkpoints and gives the official logits", async () => {
  const golden = await readSafetensors(fixturePath("segments_f16mem.safetensors"));
  const data = await readSafetensors(fixturePath("data.safetensors"));
  for (
    const files of [
      { backbone: fixturePath("backbone.pt"), sidenet: fixturePath("longmem.pt") },
      { backbone: fixturePath("longmem.pt"), sidenet: fixturePath("longmem.pt") },
      {
        backbone: fixturePath("backbone.safetensors"),
        backboneShape: { heads: 4 },
        sidenet: fixturePath("sidenet.safetensors"),
        sideNetShape: { memoryBlock: 5 },
        memory: { capacityTokens: 128, chunkTokens: 4, retrievedTokens: 8 },
      },
    ]
  ) {
    // The sizes of the memory are those of the checkpoint, where it has them.
    const model = await loadLongMem({ ...files, protocol: "released-code", device: "cpu" });
    for (let s = 0; s < 4; s++) {
      const tokens = data.integers.get("src_tokens")!.data.slice(32 * s, 32 * (s + 1));
      const { logits } = await model.forward(tokens, { batch: 2 });
      assertClose(logits, golden.tensors.get(`seg${s}/logits`)!.data, {
        tolerance: 2e-3,
        name: `seg${s}`,
      });
    }
    assert.deepEqual(model.memoryFillChunks, [16], "evicted as officially");
    await model.close();
  }
});

test("loadLongMem() reads what the project writes, and its memory's sizes", async () => {
  const { backbone, sideNet } = smallParts();
  await withFolder(async (folder) => {
    const memory = { capacityTokens: 40, chunkTokens: 2, retrievedTokens: 6 };
    await writeLongMemFolder(folder, { backbone, sideNet, memory });
    const model = await loadLongMem({ backbone: folder, sidenet: folder, device: "cpu" });
    assert.deepEqual(parts(model).memory, {
      ...memory,
      index: { kind: "exact" },
      storage: "float32",
      bank: "per-row",
      eviction: "exact",
      missingChunks: "masked",
      reset: "document",
    });
    const same = await loadLongMem({ backbone, sidenet: sideNet, memory, device: "cpu" });
    const tokens = randomTokens(24, "tokens");
    for (let pass = 0; pass < 2; pass++) {
      const { logits } = await model.forward(tokens, { batch: 2 });
      assert.deepEqual(logits, (await same.forward(tokens, { batch: 2 })).logits);
    }
    await model.close();
    await same.close();

    const other = { shape: smallBackbone, weights: initializeBackbone(smallBackbone, 2) };
    await assert.rejects(loadLongMem({ backbone: other, sidenet: folder, device: "cpu" }), {
      name: "RangeError",
      message: /trained on another backbone/,
    });
  });
});

test("loadLongMem() initialises a SideNet in the paper's proportions", async () => {
  const model = await loadLongMem({ backbone, device: "cpu" });
  const { sideNet, memory } = parts(model);
  assert.deepEqual(sideNet!.shape, { layers: 2, reductionFactor: 2, memoryBlock: 3 });
  assert.deepEqual(
    sideNet!.weights.get("layers.1.fc1.weight"),
    backbone.weights.get("transformer.h.3.mlp.fc_in.weight"),
  );
  assert.equal(memory!.capacityTokens, 65_536);
  assert.equal(memory!.retrievedTokens, 64);
  await model.close();

  const chosen = await loadLongMem({
    backbone,
    sideNetShape: { reductionFactor: 1, memoryBlock: 1, crossNetworkResidual: false },
    initialization: { kind: "random" },
    seed: "x",
    memory: { chunkTokens: 2, retrievedTokens: 6, storage: "float16" },
    protocol: "paper",
    device: "cpu",
    threads: 1,
  });
  assert.deepEqual(parts(chosen).sideNet!.shape, {
    layers: 4,
    reductionFactor: 1,
    memoryBlock: 1,
    crossNetworkResidual: false,
    lastResidual: "raw", // the paper's formula
  });
  assert.equal(parts(chosen).memory!.storage, "float16");
  assert.equal(parts(chosen).memory!.reset, "epoch");
  assert.match(chosen.device.description, /1 thread,/);
  await chosen.close();
});

test("loadLongMem() says what was left to defaults, and moves a memory to another model", async () => {
  const memory = { capacityTokens: 32, chunkTokens: 2, retrievedTokens: 4 };
  const load = () => loadLongMem({ backbone, memory, protocol: "paper", device: "cpu" });
  await using model = await load();
  assert.deepEqual([model.device.kind, model.device.reason], ["cpu", "asked for"]);
  assert.deepEqual(model.backboneShape, smallBackbone);
  const { capacityTokens, eviction, reset } = model.memory;
  assert.deepEqual([capacityTokens, eviction, reset], [32, "exact", "epoch"]);
  await assert.rejects(model.memoryBytes(), {
    name: "InputError",
    message: "Cannot save the memory as nothing has been written to it yet",
  });

  await model.remember(randomTokens(48, "document"), { batch: 2 });
  const saved = structuredClone(await model.memoryBytes());
  await using other = await load();
  await other.restoreMemory(saved);
  assert.deepEqual(other.memoryFillChunks, [12, 12]);
  const question = randomTokens(16, "question"), options = { batch: 2, readOnly: true };
  const { logits } = await model.forward(question, options);
  assert.deepEqual((await other.forward(question, options)).logits, logits);
  await model.resetMemory();
  assert.notDeepEqual((await model.forward(question, options)).logits, logits);
  await using another = await loadLongMem({
    backbone: { shape: smallBackbone, weights: initializeBackbone(smallBackbone, 2) },
    memory,
    protocol: "paper",
    device: "cpu",
  });
  await assert.rejects(another.restoreMemory(saved), { name: "InputError" });
});

test("defaultSideNetShape() caches the block from which the reading layer is initialised", () => {
  const of = (layers: number, reductionFactor?: number) => {
    const shape = { ...smallBackbone, layers };
    return defaultSideNetShape(shape, reductionFactor ? { reductionFactor } : {});
  };
  assert.deepEqual(of(24), { layers: 12, reductionFactor: 2, memoryBlock: 17 }); // the released model
  assert.deepEqual(of(8), { layers: 4, reductionFactor: 2, memoryBlock: 5 }); // the fixtures
  assert.deepEqual(of(12), { layers: 6, reductionFactor: 2, memoryBlock: 9 });
  assert.deepEqual(of(9, 3), { layers: 3, reductionFactor: 3, memoryBlock: 7 });
  assert.deepEqual(of(6, 1), { layers: 6, reductionFactor: 1, memoryBlock: 4 });
  assert.deepEqual(of(2), { layers: 1, reductionFactor: 2, memoryBlock: 1 });
});

test("loadLongMem() closes the device that it opened, and LongMem leaves one that it was given", async () => {
  for (const ownsDevice of [true, false]) {
    const loaded = await loadLongMem({ backbone, device: "cpu" }) as unknown as LongMem;
    let closed = 0;
    const device = { ...loaded.device, close: () => Promise.resolve(void closed++) };
    const model = new LongMem(device, loaded.parts, { ownsDevice });
    await model.close();
    await loaded.close();
    assert.equal(closed, ownsDevice ? 1 : 0);
  }
});

test("loadLongMem() names an option that is wrong, its value and what is allowed", async () => {
  const { sideNet } = smallParts();
  const narrow = {
    ...backbone,
    weights: new Map(backbone.weights).set("lm_head.bias", {
      shape: [3],
      data: new Float32Array(3),
    }),
  };
  const cases: [object, string, RegExp][] = [
    [{ sideNet }, "TypeError", /as sideNet is unknown: .* \(did you mean "sidenet"\?\)/],
    [
      { memory: { retreivedTokens: 8 } },
      "TypeError",
      /as memory.retreivedTokens is unknown: .*\(did you mean "retrievedTokens"\?\)/,
    ],
    [
      { memory: { index: { kind: "exact", m: 3 } } },
      "TypeError",
      /as memory.index.m is unknown: allowed are kind/,
    ],
    [
      { memory: { index: { kind: "hsnw" } } },
      "TypeError",
      /memory.index.kind .* "hsnw", .*did you mean "hnsw"/,
    ],
    [
      { memory: { index: { kind: "hnsw", m: 1 } } },
      "TypeError",
      /memory.index.m has a wrong value: current value is 1, allowed are integers from 2/,
    ],
    [
      { memory: { index: { kind: "hnsw", efSearch: 15 } } },
      "RangeError",
      /memory.index.efSearch must not be below the chunks retrieved: current value is 15, allowed are integers from 16/,
    ],
    [
      { memory: { bank: "per row" } },
      "TypeError",
      /memory.bank has a wrong value: current value is "per row", allowed are shared, per-row \(did you/,
    ],
    [
      { memory: { chunkTokens: 0 } },
      "TypeError",
      /memory.chunkTokens has a wrong value: current value is 0, allowed are positive integers/,
    ],
    [
      { memory: { retrievedTokens: 6 } },
      "RangeError",
      /multiple of memory.chunkTokens: current value is 6, allowed are multiples of 4/,
    ],
    [
      { memory: { capacityTokens: 32 } },
      "RangeError",
      /memory.retrievedTokens must not exceed .* 64, allowed are integers up to 32/,
    ],
    [
      { protocol: "released" },
      "TypeError",
      /protocol has a wrong value: current value is "released", allowed are released-code, strict, paper/,
    ],
    [
      { device: "gpu" },
      "TypeError",
      /device has a wrong value: current value is "gpu", allowed are auto, webgpu, cpu, wasm/,
    ],
    [
      { sideNetShape: { reductionFactor: 3 } },
      "RangeError",
      /"sideNetShape" .* current values are 1 and 3, the backbone has 4/,
    ],
    [
      { sideNetShape: { memoryBlock: 4 } },
      "RangeError",
      /memoryBlock must be .* current value is 4, allowed are 0 to 3/,
    ],
    [
      { sideNetShape: { memoryBlok: 1 } as object },
      "TypeError",
      /sideNetShape.memoryBlok is unknown: .* \(did you mean "memoryBlock"\?\)/,
    ],
    [
      { backboneShape: { layers: 3 } },
      "RangeError",
      /"backbone" as its layers is another one: expected 3, found 4/,
    ],
    [
      { initialization: "random" as unknown as { kind: "random" } },
      "TypeError",
      /initialization has a wrong value: current value is "random", allowed are objects whose kind is/,
    ],
    [
      { seed: NaN },
      "TypeError",
      /seed has a wrong value: current value is NaN, allowed are numbers and texts/,
    ],
    [
      { backbone: { weights: new Map() } as unknown as BackboneCheckpoint },
      "TypeError",
      /Cannot read "backbone" as shape is missing/,
    ],
    [
      { initialization: { kind: "blocks", blocks: [0] } },
      "RangeError",
      /2 layers must copy one block each: current blocks are 0/,
    ],
    [
      { initialization: { kind: "random" }, sidenet: sideNet },
      "TypeError",
      /initialization must be left out/,
    ],
    [{ backbone: undefined }, "TypeError", /backbone must be a path or \{ shape, weights \}/],
    [{ backbone: narrow }, "RangeError", /tensor "lm_head.bias" .* expected \[31\], found \[3\]/],
    [
      { sidenet: 5 },
      "TypeError",
      /sidenet must be a path or \{ shape, weights \}: current value is 5/,
    ],
    [
      { sidenet: { ...sideNet, weights: new Map() } },
      "RangeError",
      /"sidenet" as tensor "layers.0/,
    ],
    [
      { sidenet: { ...sideNet, shape: { ...sideNet.shape, layers: 3 } } },
      "RangeError",
      /"sidenet" as SideNet layers/,
    ],
    [
      { threads: 0 },
      "TypeError",
      /threads .* current value is 0, allowed are integers from 1 to 1024/,
    ],
    [{ threads: 1e5 }, "TypeError", /threads .* current value is 100000/],
    [{ backbone: "nowhere.pt" }, "NotFound", /nowhere.pt/],
  ];
  for (const [options, name, message] of cases) {
    await assert.rejects(
      loadLongMem({ backbone, device: "cpu", ...options } as LoadLongMemOptions),
      { name, message },
      JSON.stringify(options).slice(0, 80),
    );
  }
});

/** What a loaded model is made of. */
function parts(model: unknown): LongMem["parts"] & { memory?: MemoryConfig } {
  return (model as LongMem).parts;
}
