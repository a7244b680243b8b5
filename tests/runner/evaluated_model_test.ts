import type { PromptedModel } from "../../src/evaluation/shared/language_model.ts";
import type { EvaluatedModel } from "../../src/experiment/declaration.ts";
import { initializeMemorizing } from "../../src/longmem/networks/memorizing_transformer.ts";
import type { TrainedModels } from "../../src/evaluation/model_kind.ts";
import { modelKindOf, modelName } from "../../src/evaluation/models.ts";
import type { MemoryConfig } from "../../src/memory/config.ts";
import type { Device } from "../../src/runtime/device.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose } from "../testing.ts";
import {
  randomBatches,
  smallBackbone,
  smallMemory,
  smallSideNet,
} from "../training/small_training.ts";

const onCpu = { kinds: ["cpu"] } as const;
const contextTokens = 8, rows = 2;

/** What the models of a small experiment are made of. */
function smallModels(): TrainedModels {
  const backbone = smallBackbone(), sideNet = smallSideNet(backbone);
  const other = initializeMemorizing({ memoryBlock: 2 }, backbone);
  for (const { data } of other.weights.values()) data.forEach((x, i) => data[i] = x + 0.05);
  const withSideNet = { backbone, sideNet };
  const models = {
    untrained: withSideNet,
    longmem: withSideNet,
    "sidenet-without-memory": withSideNet,
    "memorizing-transformer": { backbone, other },
  };
  return { backbone, models };
}

/** Opens a model for evaluations with segments of 8 tokens, and closes it after use. */
async function withModel<Result>(
  device: Device,
  model: EvaluatedModel,
  use: (model: PromptedModel) => Promise<Result>,
  memory: MemoryConfig = smallMemory,
): Promise<Result> {
  await using opened = await modelKindOf(model).open(model, smallModels(), {
    name: modelName(model),
    contextTokens,
    memory,
    device,
    others: () => [],
  });
  return await use(opened.model);
}

const [first, second, asked] = randomBatches(3).map((batch) => ({ ...batch, rows }));

/** Starts a document in both rows, reads segments, and asks the last one. */
async function answer(model: PromptedModel, read: readonly typeof first[]): Promise<Float32Array> {
  for (let row = 0; row < rows; row++) await model.startDocument(row, row);
  for (const segment of read) await model.read(segment);
  return Float32Array.from((await model.ask(asked)).nll);
}

deviceTest(
  "longmem-recent-memory remembers the segment before, and nothing older",
  async (device) => {
    const asks = (model: EvaluatedModel, read: readonly typeof first[]) =>
      withModel(device, model, (opened) => answer(opened, read));
    const last = await asks("longmem", [second]);
    assertClose(await asks("longmem-recent-memory", [first, second]), last, { tolerance: 1e-5 });
    const both = await asks("longmem", [first, second]);
    assert.ok(both.some((nll, i) => Math.abs(nll - last[i]) > 1e-3), "older text matters");
  },
  onCpu,
);

deviceTest(
  "models with a window remember what has left it, and see the rest",
  async (device) => {
    const asks = (model: "longmem" | "longmem-memory-off" | "memorizing-transformer") => {
      const windowed = { model, windowTokens: 16 };
      return async (read: readonly typeof first[]) =>
        await withModel(device, windowed, (opened) => {
          assert.equal(opened.name, `${model}-window-16`);
          return answer(opened, read);
        });
    };
    const longmem = asks("longmem"), off = asks("longmem-memory-off");
    assertClose(await longmem([second]), await off([second]), { tolerance: 1e-5 });
    const [remembering, forgetting] = [await longmem([first, second]), await off([first, second])];
    assertClose(forgetting, await off([second]), { tolerance: 1e-5 });
    assert.ok(remembering.some((nll, i) => Math.abs(nll - forgetting[i]) > 1e-3), "it remembers");
    const plain = await withModel(device, "longmem", (opened) => answer(opened, [second]));
    assert.ok(plain.some((nll, i) => Math.abs(nll - remembering[i]) > 1e-3), "it has a window");
    const memorizing = asks("memorizing-transformer");
    const [short, long] = [await memorizing([second]), await memorizing([first, second])];
    assert.ok(short.some((nll, i) => Math.abs(nll - long[i]) > 1e-4), "it remembers, too");
  },
  onCpu,
);

deviceTest(
  "a backbone with a window sees as many tokens before a segment as declared",
  async (device) => {
    for (const model of ["backbone-sliding-window", "backbone-full-context"] as const) {
      const asks = (windowTokens: number, read: readonly typeof first[]) =>
        withModel(device, { model, windowTokens }, async (opened) => {
          assert.equal(opened.name, `${model}-${windowTokens}`);
          return await answer(opened, read);
        });
      const last = await asks(24, [second]);
      assertClose(await asks(16, [first, second]), last, { tolerance: 1e-5 });
      const both = await asks(24, [first, second]);
      assert.ok(both.some((nll, i) => Math.abs(nll - last[i]) > 1e-3), "older text matters");
      assertClose(
        await asks(8, [first]),
        await withModel(device, "backbone", (m) => answer(m, [])),
        {
          tolerance: 1e-5,
        },
      );
    }
    const shared = { ...smallMemory, bank: "shared" } as const;
    const { nll } = await withModel(
      device,
      { model: "backbone-full-context", windowTokens: 16 },
      async (opened) => {
        await opened.startDocument(0, 0);
        await opened.read({ tokens: first.tokens.subarray(0, 8), rows: 1 });
        const twice = (ids: Int32Array) =>
          Int32Array.of(...ids.subarray(0, 8), ...ids.subarray(0, 8));
        return await opened.ask({
          tokens: twice(asked.tokens),
          targets: twice(asked.targets),
          rows,
        });
      },
      shared,
    );
    assertClose(nll.slice(8), nll.slice(0, 8), {
      tolerance: 1e-6,
      name: "rows of a shared memory",
    });
  },
  onCpu,
);

deviceTest(
  "infllm reads what it retrieves, at the declared distance, and the backbone otherwise",
  async (device) => {
    const infllm = {
      model: "infllm",
      capacityTokens: 32,
      chunkTokens: 4,
      retrievedTokens: 8,
      distanceTokens: 8,
    } as const;
    const asks = (model: EvaluatedModel, read: readonly typeof first[]) =>
      withModel(device, model, (opened) => answer(opened, read));
    const backbone = await asks("backbone", []);
    assertClose(await asks(infllm, []), backbone, { tolerance: 1e-5 });
    const differs = (a: Float32Array, b: Float32Array) =>
      a.some((nll, i) => Math.abs(nll - b[i]) > 1e-3);
    const remembering = await asks(infllm, [first, second]);
    assert.ok(differs(remembering, backbone), "memory matters");
    const changes = [{ distanceTokens: 0 }, { retrievedTokens: 4 }, { capacityTokens: 8 }];
    for (const change of changes) {
      const other = await asks({ ...infllm, ...change }, [first, second]);
      assert.ok(differs(other, remembering), JSON.stringify(change));
    }
    assert.ok(differs(await asks({ ...infllm, chunkTokens: 2 }, [first, second]), remembering));
  },
  onCpu,
);

deviceTest(
  "knn-lm reads as many tokens as declared, with the declared votes, and the backbone otherwise",
  async (device) => {
    const knnLm = {
      model: "knn-lm",
      capacityTokens: 32,
      retrievedTokens: 4,
      lambda: 0.25,
      temperature: 10,
    } as const;
    const asks = (model: EvaluatedModel, read: readonly typeof first[]) =>
      withModel(device, model, (opened) => answer(opened, read));
    assertClose(await asks(knnLm, []), await asks("backbone", []), { tolerance: 1e-5 });
    const remembering = await asks(knnLm, [first, second]);
    for (
      const change of [
        { capacityTokens: 8 },
        { retrievedTokens: 2 },
        { lambda: 0.5 },
        { temperature: 1 },
      ]
    ) {
      const other = await asks({ ...knnLm, ...change }, [first, second]);
      assert.ok(
        other.some((nll, i) => Math.abs(nll - remembering[i]) > 1e-3),
        JSON.stringify(change),
      );
    }
    const last = await asks({ ...knnLm, capacityTokens: 8 }, [second]);
    assertClose(await asks({ ...knnLm, capacityTokens: 8 }, [first, second]), last, {
      tolerance: 1e-5,
    });
  },
  onCpu,
);

deviceTest(
  "memorizing-transformer answers with its trained blocks from what it has read",
  async (device) => {
    const asks = (model: EvaluatedModel, read: readonly typeof first[]) =>
      withModel(device, model, (opened) => answer(opened, read));
    const differs = (a: Float32Array, b: Float32Array) =>
      a.some((nll, i) => Math.abs(nll - b[i]) > 1e-3);
    const forgetful = await asks("memorizing-transformer", []);
    assert.ok(differs(forgetful, await asks("backbone", [])), "its blocks are not the backbone's");
    assert.ok(differs(await asks("memorizing-transformer", [first]), forgetful), "it remembers");
    const { backbone } = smallModels(), name = "memorizing-transformer";
    const context = { name, contextTokens, memory: smallMemory, device, others: () => [] };
    await assert.rejects(
      async () => await modelKindOf(name).open(name, { backbone, models: {} }, context),
      /^TypeError: Cannot evaluate model "memorizing-transformer" as the experiment trains no such network$/,
    );
  },
  onCpu,
);
