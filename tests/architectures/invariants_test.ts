/** What holds of every registered architecture. */
import { architectureOf, bankHeads } from "../../src/backbone/architectures.ts";
import { backbonePrefix } from "../../src/backbone/backbone_graph.ts";
import type { BackboneCheckpoint, BackboneShape } from "../../src/backbone/shape.ts";
import { gradients } from "../../src/graph/gradients.ts";
import { Graph, type Value } from "../../src/graph/graph.ts";
import { reduceSum } from "../../src/graph/ops/reduce_sum.ts";
import { buildForward, headBlocks, headLoss } from "../../src/longmem/forward_graph.ts";
import { loadLongMem } from "../../src/checkpoint/load.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { initializeMemorizing } from "../../src/longmem/networks/memorizing_transformer.ts";
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import { MemoryBank } from "../../src/memory/memory_bank.ts";
import { Random } from "../../src/random.ts";
import { compile } from "../../src/runtime/compile.ts";
import type { Device, Tensors } from "../../src/runtime/device.ts";
import { deviceTest, testedDevices } from "../graph/devices.ts";
import { evaluate64 } from "../graph/evaluate64.ts";
import { assert, assertClose } from "../testing.ts";
import { projections, projectionTensors, sizes, weightFeeds } from "./projections.ts";
import {
  describeShape,
  randomBackbone,
  randomIds,
  randomSideNet,
  shapesByAttention,
  smallShapes,
} from "./small_models.ts";
import type { ForwardOptions } from "../../src/longmem/network.ts";
import type { Network } from "../../src/longmem/networks.ts";
import { sideNetPrefix } from "../../src/longmem/networks/sidenet.ts";
import { lastResiduals, usualLastResidual } from "../../src/longmem/sidenet_shape.ts";

const memory: MemoryConfig = {
  capacityTokens: 32,
  chunkTokens: 4,
  retrievedTokens: 8,
  index: { kind: "exact" },
  ...memoryProtocols.strict,
};
const tolerance = 2e-5;

/**
 * Registers a test of each architecture, or `byAttention` of each kind of attention, on the host's engine; `everywhere`: of shared
 * heads of keys on all.
 */
function architectureTest(
  name: string,
  run: (shape: BackboneShape, device: Device) => Promise<void>,
  { everywhere = false, byAttention = false, ...sizes }: Partial<BackboneShape> & {
    everywhere?: boolean;
    byAttention?: boolean;
  } = {},
): void {
  for (const shape of byAttention ? shapesByAttention(sizes) : smallShapes(sizes)) {
    const shares = shape.architecture === "llama" && shape.settings?.keyValueHeads === 2;
    deviceTest(`${describeShape(shape)}: ${name}`, (device) => run(shape, device), {
      kinds: everywhere && shares ? testedDevices : ["cpu"],
    });
  }
}

/** Settings of rotary positions, where an architecture has them. */
interface RotarySettings {
  readonly rotatedShare?: number;
  readonly ropeScaling?: { readonly magnitude?: number };
}

/** Tokens of a segment: the same in most tests, as each length takes graphs of its own. */
const T = 11;

/** A model, its network with a memory, and the one without. */
interface OpenNetwork {
  readonly network: Network;
  readonly plain: Network;
  readonly model: LongMem;
}

const opened = new Map<string, OpenNetwork[]>();

/** Models with each network, whose memory is empty; tests of a shape share them, as each compiles a graph for every length. */
async function networksOf(device: Device, shape: BackboneShape): Promise<OpenNetwork[]> {
  const key = `${device.kind} ${JSON.stringify(shape)}`;
  const networks = opened.get(key) ?? openNetworks(device, randomBackbone(shape));
  opened.set(key, networks);
  for (const { model } of networks) await model.resetMemory();
  return networks;
}

/** Models with each network; a memory of them is empty. */
function openNetworks(
  device: Device,
  backbone: BackboneCheckpoint,
): OpenNetwork[] {
  const sideNet = randomSideNet(backbone);
  const memorizing = initializeMemorizing({ memoryBlock: 2 }, backbone);
  return [
    {
      network: "longmem",
      plain: "sidenet",
      model: new LongMem(device, { backbone, sideNet, memory }),
    },
    {
      network: "infllm",
      plain: "backbone",
      model: new LongMem(device, {
        backbone,
        memory,
        other: { network: "infllm", shape: { distanceTokens: 16 } },
      }),
    },
    {
      network: "memorizing-transformer",
      plain: "backbone",
      model: new LongMem(device, {
        backbone,
        memory,
        other: memorizing,
      }),
    },
  ];
}

architectureTest(
  "a token changes nothing of what is before it, in any network",
  async (shape, device) => {
    const tokens = randomIds(T, "tokens"), changed = tokens.with(6, 1 + tokens[6] % 29);
    const { vocabSize: V } = shape;
    for (const { network, plain, model } of await networksOf(device, shape)) {
      await model.remember(randomIds(16, "document"));
      for (const each of [network, plain]) {
        const options = { network: each, readOnly: true };
        const { logits } = await model.forward(tokens, options);
        const { logits: others } = await model.forward(changed, options);
        assertClose(others.subarray(0, 6 * V), logits.subarray(0, 6 * V), { tolerance: 1e-6 });
        assert.ok(
          others.subarray(6 * V).every((value, i) => Math.abs(value - logits[6 * V + i]) > 0),
        );
      }
    }
  },
);

architectureTest(
  "an empty memory equals none; a filled one is used, and finite",
  async (shape, device) => {
    const tokens = randomIds(T, "tokens");
    for (const { network, plain, model } of await networksOf(device, shape)) {
      const read = async (network: Network) =>
        (await model.forward(tokens, { network, readOnly: true })).logits;
      const without = await read(plain);
      assertClose(await read(network), without, {
        tolerance,
        name: `${network} of an empty memory`,
      });
      await model.remember(randomIds(16, "document"));
      const found = await read(network);
      assert.ok(found.every(Number.isFinite));
      const moved = Math.max(...found.map((value, i) => Math.abs(value - without[i])));
      assert.ok(moved > 1e-3, `${network}: logits move by ${moved}`);
      await model.resetMemory();
      assertClose(await read(network), without, { tolerance, name: `${network} after a reset` });
    }
  },
);

architectureTest(
  "tokens appended one by one give what the whole segment gives",
  async (shape, device) => {
    const tokens = randomIds(T, "tokens"), { vocabSize: V } = shape;
    for (const { network, plain, model } of await networksOf(device, shape)) {
      await model.remember(randomIds(16, "document"));
      for (const each of [network, plain]) {
        const { logits } = await model.forward(tokens, { network: each, readOnly: true });
        const window = model.openWindow({ contextTokens: 20, network: each });
        for (const [t, id] of tokens.entries()) {
          const last = await window.append([id]);
          const expected = logits.subarray(t * V, (t + 1) * V);
          assertClose(last, expected, { tolerance, name: `${each}, token ${t}` });
        }
        await window.close();
      }
    }
  },
  { byAttention: true }, // official_test.ts appends to backbones of all
);

architectureTest("padding on either side changes no logits", async (shape, device) => {
  const backbone = randomBackbone(shape), { vocabSize: V } = shape;
  const model = new LongMem(device, { backbone, sideNet: randomSideNet(backbone), memory });
  const tokens = randomIds(T, "tokens");
  for (const network of ["backbone", "longmem"] as const) {
    const { logits } = await model.forward(tokens, { network, readOnly: true });
    for (const [before, after] of [[0, 3], [3, 0], [2, 1]]) {
      const padded = Int32Array.of(...Array(before).fill(5), ...tokens, ...Array(after).fill(9));
      const mask = Uint8Array.from(padded, (_, i) => i >= before && i < before + T ? 1 : 0);
      const { logits: all } = await model.forward(padded, { network, readOnly: true, mask });
      const own = all.subarray(before * V, (before + T) * V);
      assertClose(own, logits, { tolerance, name: `${network}, ${before} before, ${after} after` });
    }
  }
  await model.close();
});

architectureTest(
  "a memory keeps the block's keys before rotation, of tokens that are no padding",
  async (shape, device) => {
    const backbone = randomBackbone(shape), sideNet = randomSideNet(backbone);
    const { heads: K, headDim: D } = bankHeads(shape), c = memory.chunkTokens, P = 8;
    const model = new LongMem(device, { backbone, sideNet, memory });
    const written = [randomIds(24, "first"), randomIds(24, "second")];
    await model.remember(written[0], { batch: 1 });
    // 18 of the second, of which 16 fill chunks, between padding.
    const padded = Int32Array.of(5, 5, 5, ...written[1].subarray(0, 18), 5, 5, 5);
    const mask = Uint8Array.from(padded, (_, i) => i >= 3 && i < 21 ? 1 : 0);
    await model.remember(padded, { batch: 1, mask });
    const { rings: [{ first, count }], tensors } = (await model.copyMemory())!;
    assert.equal(count, P); // 6 chunks and 4: the 2 oldest have left
    for (let age = 0; age < P; age++) {
      const chunk = 2 + age; // of the 10 written
      const [segment, start] = chunk < 6 ? [0, chunk * c] : [1, (chunk - 6) * c];
      const { keys, values } = await projections(device, backbone, written[segment], 3);
      for (let h = 0; h < K; h++) {
        const slot = (h * P + (first + age) % P) * c * D;
        for (let i = 0; i < c * D; i++) {
          const from = (start + Math.floor(i / D)) * K * D + h * D + i % D;
          assertClose([tensors.keys.data[slot + i]], [keys[from]], { tolerance });
          assertClose([tensors.values.data[slot + i]], [values[from]], { tolerance });
        }
      }
    }
    await model.close();
  },
  { everywhere: true },
);

architectureTest(
  "queries retrieve the chunks of largest score among the keys of their group",
  async (shape, device) => {
    const backbone = randomBackbone(shape), sideNet = randomSideNet(backbone);
    const { heads: K, headDim: D } = bankHeads(shape), { heads: H } = shape, c = memory.chunkTokens;
    const model = new LongMem(device, { backbone, sideNet, memory });
    const document = randomIds(24, "document"), tokens = randomIds(T, "tokens"), chunks = 6;
    await model.remember(document);
    const found = await model.retrieved(tokens);
    const { keys } = await projections(device, backbone, document, 3);
    const queries = await readerQueries(device, { backbone, sideNet }, tokens); // [1, H, T, D]
    // Channels that turn grow by their magnitude as they meet each other; keys in the memory have not.
    const { rotatedShare = 1, ropeScaling } = (shape.settings ?? {}) as RotarySettings;
    const { magnitude = 1 } = ropeScaling ?? {};
    const growth = (channel: number) => channel < rotatedShare * D ? magnitude ** 2 : 1;
    for (let h = 0; h < H; h++) {
      const group = Math.floor(h * K / H);
      for (let t = 0; t < T; t++) {
        const scores = Array.from({ length: chunks }, (_, chunk) => {
          let score = 0;
          for (let i = 0; i < c * D; i++) {
            const key = keys[(chunk * c + Math.floor(i / D)) * K * D + group * D + i % D];
            score += key / c * growth(i % D) * queries[(h * T + t) * D + i % D];
          }
          return score;
        });
        const best = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a]).slice(0, 2);
        const ages = [...found.ages.subarray((h * T + t) * 2, (h * T + t) * 2 + 2)];
        assert.deepEqual(ages, best.map((chunk) => chunks - 1 - chunk), `head ${h}, token ${t}`);
      }
    }
    await model.close();
  },
  { everywhere: true },
);

architectureTest("layers of a SideNet are blocks of the backbone", async (shape, device) => {
  if (architectureOf(shape).lastStateIsNormed) return; // the official SideNet has another GELU
  const backbone = randomBackbone(shape);
  const blocks = [0, 1, 2, 3];
  const sideNet = randomSideNet(backbone, {
    shape: { layers: 4, reductionFactor: 1, crossNetworkResidual: false },
    initialization: { kind: "blocks", blocks },
    exact: true,
  });
  const model = new LongMem(device, { backbone, sideNet });
  const tokens = randomIds(T, "tokens");
  const { logits } = await model.forward(tokens, { network: "sidenet" });
  const expected = await model.forward(tokens, { network: "backbone" });
  assertClose(logits, expected.logits, { tolerance });
  await model.close();
});

architectureTest(
  "a silent SideNet starts as its backbone, with either last residual, whatever it remembers",
  async (shape, device) => {
    const backbone = randomBackbone(shape), tokens = randomIds(T, "tokens");
    // A norm whose gain is 1 gives what it has already normed once more.
    for (const [name, { data }] of backbone.weights) {
      if (name.startsWith(architectureOf(shape).finalPrefix)) {
        data.fill(name.endsWith("weight") ? 1 : 0);
      }
    }
    for (const lastResidual of lastResiduals) {
      for (const outputScale of [0, 0.25]) {
        const sideNet = randomSideNet(backbone, {
          shape: { lastResidual },
          initialization: { kind: "paper", outputScale },
          exact: true,
        });
        const model = new LongMem(device, { backbone, sideNet, memory });
        await model.remember(randomIds(16, "document"));
        const { logits: expected } = await model.forward(tokens, { network: "backbone" });
        const { logits } = await model.forward(tokens, { readOnly: true });
        if (outputScale === 0) {
          assertClose(logits, expected, { tolerance: 1e-4, name: lastResidual });
        } else {
          const distance = Math.hypot(...logits.map((value, i) => value - expected[i]));
          assert.ok(distance > 0.1, `copies of a quarter differ by ${distance}`);
        }
        await model.close();
      }
    }
  },
);

for (const trains of ["backbone", "sidenet", "silent sidenet"] as const) {
  architectureTest(`gradients of the ${trains} are central differences`, async (shape, device) => {
    const backbone = randomBackbone(shape), isSilent = trains === "silent sidenet";
    const { sideNet: layers } = architectureOf(shape);
    // The silent one has the last residual that is not its architecture's.
    const sideNet = randomSideNet(
      backbone,
      isSilent
        ? {
          shape: {
            lastResidual: usualLastResidual(shape) === "raw" ? "final-norm" : "raw",
          },
          initialization: { kind: "paper", outputScale: 0 },
          exact: true,
        }
        : {},
    );
    const prefix = trains === "backbone" ? backbonePrefix : sideNetPrefix;
    const weights = trains === "backbone" ? backbone.weights : sideNet.weights;
    const options: ForwardOptions = { ...sizes(device, shape, 7), blockBytes: 2 ** 20 };
    const bank = new MemoryBank(device, memory, { rows: 1, ...bankHeads(shape), block: 1 });
    const document = await projectionTensors(device, backbone, randomIds(16, "document"), 1);
    await bank.write(document.keys, document.values);
    const build = () => {
      const forward = buildForward(
        trains === "backbone" ? options : {
          ...options,
          network: "longmem",
          part: sideNet.shape,
          memory: {
            bank: bank.shape,
            config: memory,
            type: bank.storage.tensors.keys!.type,
            outside: false,
          },
        },
      );
      const blocks = headBlocks(forward, options);
      const loss = reduceSum(headLoss(forward, { blocks, frozen: trains !== "backbone" }));
      forward.graph.output("loss", loss);
      return { graph: forward.graph, loss };
    };
    const { graph, loss } = build(), { graph: lossAlone } = build();
    const parameters = new Map<string, Value>();
    for (const name of weights.keys()) parameters.set(name, graph.inputs.get(prefix + name)!);
    gradients(loss, [...parameters.values()]).forEach((gradient, i) => {
      graph.output([...parameters.keys()][i], gradient!);
    });
    const session = await compile(device, graph);
    const tokens = randomIds(8, "tokens");
    const feeds: Tensors = {
      ...weightFeeds(device, backbonePrefix, backbone.weights),
      ...weightFeeds(device, sideNetPrefix, sideNet.weights),
      ...bank.inputs(1),
      tokens: device.tensor(tokens.slice(0, 7), [1, 7]),
      targets: device.tensor(tokens.slice(1), [1, 7]),
    };
    const outputs = await session.run(feeds);
    const inputs = new Map<string, ArrayLike<number>>();
    for (const [name, tensor] of Object.entries(feeds)) {
      inputs.set(name, await tensor.read() as Float32Array);
    }
    const exact = evaluate64(lossAlone, inputs).get("loss")!;
    assertClose(await outputs.loss.read() as Float32Array, exact, {
      tolerance: 1e-4,
      name: "loss",
    });
    const random = new Random("directions");
    for (const name of parameters.keys()) {
      const { data } = weights.get(name)!;
      const gradient = await outputs[name].read() as Float32Array;
      // Nothing flows through a silent layer to what is within it.
      if (
        isSilent && /^layers\./.test(name) &&
        !layers.isOutput(name.replace(/^layers\.\d+\./, ""), shape)
      ) {
        assert.ok(gradient.every((g) => g === 0), `${name} has no gradient`);
        continue;
      }
      const norm = Math.hypot(...gradient);
      const direction = gradient.map((g) =>
        g / (norm || 1) + 0.1 * random.normal() / Math.sqrt(data.length)
      );
      // In double precision, as the step must be so small that every query retrieves the same chunks.
      const step = 1e-5;
      const [after, before] = [step, -step].map((by) => {
        const moved = Float64Array.from(data, (value, i) => value + by * direction[i]);
        return evaluate64(lossAlone, new Map(inputs).set(prefix + name, moved)).get("loss")![0];
      });
      const difference = (after - before) / (2 * step);
      const expected = gradient.reduce((sum, g, i) => sum + g * direction[i], 0);
      // Softmax does not see what all keys have in common, unless they are turned.
      assert.ok(norm > 1e-4 || name.endsWith("attention.k.bias"), `${name} has a gradient`);
      assert.ok(
        Math.abs(difference - expected) <= 1e-5 * norm + 1e-5,
        `${name}: central difference ${difference}, gradient ${expected}`,
      );
    }
    await session.close();
    bank.dispose();
  }, { layers: 2 });
}

architectureTest(
  "a token that is retrieved at its distance is attended to as in the segment",
  async (shape, device) => {
    const { positions } = shape.settings ?? {};
    if (positions !== undefined) return; // learned positions are part of keys and queries, not distances
    const backbone = randomBackbone(shape), { vocabSize: V } = shape;
    const one = { ...memory, chunkTokens: 1, retrievedTokens: 1 };
    for (const distanceTokens of [1, 3]) {
      const model = new LongMem(device, {
        backbone,
        memory: one,
        other: { network: "infllm", shape: { distanceTokens } },
      });
      const [a, b] = randomIds(2, "tokens");
      // Of keys beside each other only the value of the first depends on its distance.
      await model.remember(Int32Array.of(a));
      const { logits } = await model.forward(Int32Array.of(b), {
        network: "infllm",
        readOnly: true,
      });
      const apart = Int32Array.of(a, ...Array(distanceTokens - 1).fill(a), b);
      if (distanceTokens === 1) {
        const { logits: both } = await model.forward(apart, { network: "backbone" });
        assertClose(logits, both.subarray(V), { tolerance });
      } else {
        const nearer = new LongMem(device, {
          backbone,
          memory: one,
          other: { network: "infllm", shape: { distanceTokens: 1 } },
        });
        await nearer.remember(Int32Array.of(a));
        const { logits: near } = await nearer.forward(Int32Array.of(b), {
          network: "infllm",
          readOnly: true,
        });
        const moved = Math.max(...logits.map((value, i) => Math.abs(value - near[i])));
        assert.ok(moved > 1e-3, `logits move by ${moved} with the distance`);
        await nearer.close();
      }
      await model.close();
    }
  },
  { layers: 1 },
);

architectureTest(
  "memory.positions moves what rotary queries read, and nothing else",
  async (shape, device) => {
    const backbone = randomBackbone(shape), sideNet = randomSideNet(backbone);
    const tokens = randomIds(T, "tokens");
    const read = async (positions: MemoryConfig["positions"]) => {
      const model = new LongMem(device, {
        backbone,
        sideNet,
        memory: { ...memory, ...(positions ? { positions } : {}) },
      });
      await model.remember(randomIds(16, "document"));
      const { logits } = await model.forward(tokens, { readOnly: true });
      await model.close();
      return logits;
    };
    const none = await read(undefined);
    assert.deepEqual(await read({ kind: "none" }), none);
    const far = await read({ kind: "distance", tokens: 9 });
    const moved = Math.max(...far.map((value, i) => Math.abs(value - none[i])));
    // The layer that reads is a copy of block 3.
    const batch = { rows: 1, contextTokens: 1, padded: false }, graph = new Graph();
    const queries = graph.input("queries", [1, shape.heads, 1, bankHeads(shape).headDim]);
    const { turn } = architectureOf(shape).positions(graph, shape, batch);
    const rotates = turn !== undefined && turn(queries, 3) !== queries;
    assert.ok(rotates ? moved > 1e-3 : moved === 0, `logits move by ${moved}`);
  },
);

architectureTest("loadLongMem() finds a SideNet for any number of blocks", async (shape) => {
  for (const layers of [1, 3]) {
    const backbone = randomBackbone({ ...shape, layers });
    await using model = await loadLongMem({ backbone, device: "cpu" });
    const { logits } = await model.forward(randomIds(6, "tokens"));
    assert.ok(logits.every(Number.isFinite));
  }
});

/** Queries [1, H, T, D] of the SideNet layer that reads the memory, neither scaled nor turned, beside an empty memory. */
async function readerQueries(
  device: Device,
  { backbone, sideNet }: {
    backbone: BackboneCheckpoint;
    sideNet: ReturnType<typeof randomSideNet>;
  },
  tokens: Int32Array<ArrayBuffer>,
): Promise<Float32Array> {
  const forward = buildForward({
    ...sizes(device, backbone.shape, tokens.length),
    network: "sidenet",
    part: sideNet.shape,
  });
  const { graph } = forward;
  graph.output("query", forward.layers!.get("sidenet.1")!.query); // layer trunc(3 / 2)
  const session = await compile(device, graph);
  const { query } = await session.run({
    ...weightFeeds(device, backbonePrefix, backbone.weights),
    ...weightFeeds(device, sideNetPrefix, sideNet.weights),
    tokens: device.tensor(tokens, [1, tokens.length]),
  });
  await session.close();
  return await query.read() as Float32Array;
}

architectureTest(
  "the input of each block's MLP is what its first projection reads",
  (shape) => {
    const sizes = { rows: 1, contextTokens: 3, padded: false, blockBytes: 2 ** 20 };
    const { graph, backbone } = buildForward({ ...sizes, network: "backbone", backbone: shape });
    const { blockPrefix } = architectureOf(shape);
    for (const [i, input] of backbone.mlpInputs.entries()) {
      const isFirst = (name: string) =>
        name.startsWith(backbonePrefix + blockPrefix(i)) &&
        /\.mlp\.(fc_in|in|gate)\.weight$/.test(name);
      const readers = graph.nodes.filter(({ inputs }) =>
        inputs.some((value) => isFirst(value?.name ?? ""))
      );
      assert.ok(readers.length > 0);
      for (const { inputs } of readers) assert.ok(inputs[0] === input, `block ${i}`);
    }
    assert.equal(backbone.mlpInputs.length, shape.layers);
    return Promise.resolve();
  },
);
