/** Windows that grow token by token give the logits of passes over all of their tokens. */
import { type BackboneShape, padId } from "../../src/backbone/shape.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { initializeMemorizing } from "../../src/longmem/networks/memorizing_transformer.ts";
import type { SavedBank } from "../../src/memory/memory_bank.ts";
import type { Device } from "../../src/runtime/device.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose } from "../testing.ts";
import { randomParts, randomTokens, smallBackbone, smallMemory } from "./random_model.ts";
import type { Network } from "../../src/longmem/networks.ts";
import type { LongMemParts } from "../../src/longmem/parts.ts";

const onCpu = { kinds: ["cpu"] } as const;
const V = smallBackbone.vocabSize;
const tolerance = 1e-5;

/** Three heads of 7. */
const shape: BackboneShape = { ...smallBackbone, hiddenDim: 21 };
/** The lower layer of two reads the memory: keys and values of the upper one depend on it. */
const sideNet = { layers: 2, reductionFactor: 2, memoryBlock: 1 };
const parts = randomParts({ shape, sideNet, memory: smallMemory });
const { backbone, memory } = parts;

async function withModel(
  device: Device,
  given: LongMemParts,
  use: (model: LongMem) => Promise<void>,
): Promise<void> {
  const model = new LongMem(device, given);
  try {
    await use(model);
  } finally {
    await model.close();
  }
}

/** Logits [V] after the last of some tokens, by a pass over all of them. */
async function passOver(model: LongMem, tokens: Int32Array): Promise<Float32Array> {
  const { logits } = await model.forward(tokens, { readOnly: true });
  return logits.slice(-V);
}

/** Compares a window that begins with 5 tokens and grows until it is full with one pass over all tokens, at every position. */
async function compareGrowth(
  model: LongMem,
  tokens: Int32Array,
  network?: Network,
): Promise<Float32Array> {
  const request = network ? { network } : {};
  const { logits } = await model.forward(tokens, { readOnly: true, ...request });
  const window = model.openWindow({ contextTokens: tokens.length, ...request });
  for (let t = 4; t < tokens.length; t++) {
    const found = await window.append(t === 4 ? tokens.slice(0, 5) : tokens.slice(t, t + 1));
    assertClose(found, logits.slice(t * V, (t + 1) * V), { tolerance, name: `token ${t}` });
  }
  await window.close();
  return logits;
}

/** Few operators, as compiling for a GPU takes most of the time. */
const fewLayers = randomParts({
  shape: { ...shape, layers: 2 },
  sideNet: { layers: 1, reductionFactor: 2, memoryBlock: 1 },
  memory,
});

deviceTest("A window's logits are those of one pass, with a memory and without", async (device) => {
  await withModel(device, fewLayers, async (model) => {
    const tokens = randomTokens(12, "window");
    await compareGrowth(model, tokens, "backbone");
    const empty = await compareGrowth(model, tokens, "longmem");
    await model.remember(randomTokens(24, "document"));
    const logits = await compareGrowth(model, tokens, "longmem");
    assert.deepEqual(model.memoryFillChunks, [6]); // of 7
    assert.notDeepEqual(logits, empty, "the memory changes nothing");
  });
});

const networks: Record<string, { parts: LongMemParts; network: Network }> = {
  "a SideNet of several layers": { parts, network: "longmem" },
  "a SideNet without memory": { parts, network: "sidenet" },
  "a Memorizing Transformer": {
    parts: { backbone, memory, other: initializeMemorizing({ memoryBlock: 2 }, backbone) },
    network: "memorizing-transformer",
  },
  "memories of all blocks": {
    parts: { backbone, memory, other: { network: "infllm", shape: { distanceTokens: 9 } } },
    network: "infllm",
  },
};
for (const [name, { parts, network }] of Object.entries(networks)) {
  deviceTest(`So it is for ${name}`, async (device) => {
    await withModel(device, parts, async (model) => {
      if (network !== "sidenet") await model.remember(randomTokens(24, "document"));
      await compareGrowth(model, randomTokens(12, "window"), network);
    });
  }, onCpu);
}

deviceTest("A window may hold pad tokens, and begin to grow with one", async (device) => {
  await withModel(device, parts, async (model) => {
    const tokens = randomTokens(14, "window");
    for (const pad of [2, 5, 6, 9]) tokens[pad] = padId;
    await compareGrowth(model, tokens, "backbone");
    await compareGrowth(model, tokens, "longmem");
    await model.remember(randomTokens(24, "document"));
    await compareGrowth(model, tokens, "longmem"); // where pad keys are seen
  });
}, onCpu);

deviceTest("A window that is full slides, as does a pass over the last tokens", async (device) => {
  await withModel(device, parts, async (model) => {
    await model.remember(randomTokens(24, "document"));
    for (const contextTokens of [1, 40]) { // 40: whole windows have 32 or 40 tokens
      const tokens = randomTokens(44, "window");
      const window = model.openWindow({ contextTokens });
      for (const [start, end] of [[0, 35], [35, 38], [38, 39], [39, 40], [40, 41], [41, 44]]) {
        assertClose(
          await window.append(tokens.slice(start, end)),
          await passOver(model, tokens.slice(Math.max(0, end - contextTokens), end)),
          { tolerance, name: `window of ${contextTokens}, token ${end - 1}` },
        );
      }
      await window.close();
    }
  });
}, onCpu);

deviceTest("A window sees what the memory holds when a token comes", async (device) => {
  await withModel(device, parts, async (model) => {
    const tokens = randomTokens(12, "window");
    const window = model.openWindow({ contextTokens: 12 });
    await window.append(tokens.slice(0, 6)); // before any other pass
    let saved: SavedBank | undefined;
    const changes = [
      () => model.remember(randomTokens(24, "document")),
      async () => {
        saved = await model.copyMemory();
        await model.remember(randomTokens(8, "more"));
      },
      () => model.resetMemory(),
      () => model.putMemory(saved!),
    ];
    let t = 6;
    for (const change of changes) {
      const before = await passOver(model, tokens.slice(0, t + 1));
      await change();
      const found = await window.append([tokens[t++]]);
      assertClose(found, await passOver(model, tokens.slice(0, t)), { tolerance });
      assert.notDeepEqual(found, before, "the change changes nothing");
    }
  });
}, onCpu);

deviceTest("A token is a pass of one token until the window slides", async (device) => {
  const passes: string[] = [];
  let compiled = 0;
  const noting: Device = {
    ...device,
    async compile(...given) {
      compiled++;
      const session = await device.compile(...given);
      return {
        async run(feeds, into) {
          const outputs = await session.run(feeds, into);
          const returnsKeys = Object.keys(outputs).length > 1;
          passes.push(`${feeds.tokens.shape[1]}${returnsKeys ? " with keys" : ""}`);
          return outputs;
        },
        close: () => session.close(),
      };
    },
  };
  await withModel(noting, parts, async (model) => {
    const window = model.openWindow({ contextTokens: 40 });
    const tokens = randomTokens(44, "window");
    const appended: Promise<Float32Array>[] = [window.append(tokens.slice(0, 30))];
    // None waits for the one before.
    for (let t = 30; t < 42; t++) appended.push(window.append([tokens[t]]));
    const logits = await Promise.all(appended);
    const each = Array<string>(10).fill("1 with keys");
    assert.deepEqual(passes, ["32 with keys", ...each, "40", "40"]);
    assert.equal(compiled, 3);
    assertClose(logits[10], await passOver(model, tokens.slice(0, 40)), { tolerance });
  });
}, onCpu);

deviceTest("A window whose pass has failed stays as it is", async (device) => {
  let fails = false;
  const failing: Device = {
    ...device,
    compile: (...given) =>
      fails ? Promise.reject(new Error("no memory left")) : device.compile(...given),
  };
  await withModel(failing, parts, async (model) => {
    const tokens = randomTokens(8, "window");
    const window = model.openWindow({ contextTokens: 12 });
    await window.append(tokens.slice(0, 6));
    fails = true;
    await assert.rejects(window.append([tokens[7]]), /no memory left/);
    fails = false;
    for (const t of [6, 7]) {
      const expected = await passOver(model, tokens.slice(0, t + 1));
      assertClose(await window.append([tokens[t]]), expected, { tolerance });
    }
  });
}, onCpu);

deviceTest("A window refuses what means nothing, and stays as it is", async (device) => {
  await withModel(device, parts, async (model) => {
    const tokens = randomTokens(8, "window");
    const window = model.openWindow({ contextTokens: 12 });
    await window.append(tokens.slice(0, 6));
    await assert.rejects(window.append([]), /0 tokens and batch 1/);
    await assert.rejects(window.append([V]), /position 0 .* 31/);
    await assert.rejects(window.append([2, 1.5]), /position 1 .* 1\.5/);
    assertClose(await window.append([tokens[6]]), await passOver(model, tokens.slice(0, 7)), {
      tolerance,
    });
    assert.throws(() => model.openWindow({ contextTokens: 0 }), {
      name: "RangeError",
      message: /contextTokens must be an integer from 1: .* 0/,
    });
    const misspelled = { contextTokens: 4, networks: "backbone" } as const;
    assert.throws(() => model.openWindow(misspelled), /option "networks" is unknown.*network/);
    const infllm = { contextTokens: 4, network: "infllm" } as const;
    assert.throws(() => model.openWindow(infllm), /the blocks have no memories/);
    const closed = model.openWindow({ contextTokens: 12 });
    await closed.close();
    await assert.rejects(
      closed.append([2]),
      /^ReferenceError: Cannot use the window as it has been/,
    );
    await model.close();
    await assert.rejects(window.append([tokens[7]]), /the model as it has been closed/);
    await window.close();
  });
}, onCpu);
