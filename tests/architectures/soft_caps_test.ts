/** Soft caps of scores and logits, wherever these are computed. */
import { openAttentionProbe } from "../../src/backbone/attention_probe.ts";
import { backbonePrefix } from "../../src/backbone/backbone_graph.ts";
import { buildForward } from "../../src/longmem/forward_graph.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import { compile } from "../../src/runtime/compile.ts";
import type { Device } from "../../src/runtime/device.ts";
import { deviceTest, testedDevice } from "../graph/devices.ts";
import { assert, assertClose } from "../testing.ts";
import { sizes, weightFeeds } from "./projections.ts";
import { randomBackbone, randomIds, randomSideNet, smallShapes } from "./small_models.ts";

const shape = smallShapes().find(({ architecture }) => architecture === "gemma2")!;
const backbone = randomBackbone(shape);
const settings = shape.settings as { scoreSoftCap: number; logitSoftCap: number };

const memory: MemoryConfig = {
  capacityTokens: 32,
  chunkTokens: 4,
  retrievedTokens: 8,
  index: { kind: "exact" },
  ...memoryProtocols.strict,
};

const onHost = { kinds: ["cpu"] } as const;

/** Devices on which graphs do not read the keys of a memory: a host that has them in files, and kernels of a GPU. */
const outside = { kinds: ["wasm", "webgpu"], ignore: Deno.build.os !== "linux" } as const;

deviceTest(
  "keys of a memory outside of graphs meet queries by capped scores, too",
  async (device) => {
    const sideNet = randomSideNet(backbone);
    const logitsOf = async (device: Device, place: "ram" | "file") => {
      await using model = new LongMem(device, { backbone, sideNet, memory: { ...memory, place } });
      await model.remember(randomIds(24, "document"));
      return (await model.forward(randomIds(9, "tokens"), { readOnly: true })).logits;
    };
    const found = await logitsOf(device, device.kind === "wasm" ? "file" : "ram");
    const inGraphs = await logitsOf(await testedDevice("cpu"), "ram");
    assertClose(found, inGraphs, { tolerance: 2e-5 });
  },
  outside,
);

deviceTest("a probe of attention has the probabilities of capped scores", async (device) => {
  const tokens = randomIds(2, "tokens"), { heads: H } = shape;
  const { graph, backbone: { heads: [{ q, k }] } } = buildForward(sizes(device, shape, 2));
  graph.output("q", q);
  graph.output("k", k);
  const session = await compile(device, graph);
  const outputs = await session.run({
    ...weightFeeds(device, backbonePrefix, backbone.weights),
    tokens: device.tensor(tokens, [1, 2]),
  });
  const [queries, keys] = await device.readAll([outputs.q, outputs.k]) as Float32Array[];
  await session.close();
  const [, K, , D] = k.shape, cap = settings.scoreSoftCap;
  const expected = Array.from({ length: H }, (_, h) => {
    const weights = [0, 1].map((j) => {
      let score = 0;
      for (let d = 0; d < D; d++) {
        const key = (Math.floor(h * K / H) * 2 + j) * D + d;
        score += queries[(h * 2 + 1) * D + d] * keys[key];
      }
      return Math.exp(cap * Math.tanh(score / cap));
    });
    return weights[0] / (weights[0] + weights[1]);
  });
  const probe = await openAttentionProbe(device, backbone, { rows: 1, contextTokens: 2 });
  const [ofBlock] = await probe.attention(tokens, [{ row: 0, query: 1, key: 0 }]);
  await probe.close();
  assertClose(ofBlock.map(([probability]) => probability), expected, { tolerance: 1e-5 });
}, onHost);

deviceTest("losses are those of capped logits", async (device) => {
  const tokens = randomIds(9, "tokens"), targets = randomIds(9, "targets");
  const { vocabSize: V } = shape, network = "backbone";
  await using model = new LongMem(device, { backbone });
  const { logits } = await model.forward(tokens, { network });
  const largest = Math.max(...logits.map(Math.abs));
  assert.ok(largest > 0.9 * settings.logitSoftCap && largest < settings.logitSoftCap);
  const expected = [...targets].map((target, t) => {
    const row = logits.subarray(t * V, (t + 1) * V);
    return Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[target];
  });
  assertClose(await model.score(tokens, targets, { network }), expected, { tolerance: 1e-5 });
}, onHost);
