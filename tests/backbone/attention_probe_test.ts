import { attentionBias } from "../../src/backbone/attention_bias.ts";
import { type AttentionPair, openAttentionProbe } from "../../src/backbone/attention_probe.ts";
import {
  backboneForward,
  backbonePrefix,
  backboneWeights,
} from "../../src/backbone/backbone_graph.ts";
import { Graph } from "../../src/graph/graph.ts";
import { compile } from "../../src/runtime/compile.ts";
import type { Device, Tensors } from "../../src/runtime/device.ts";
import { deviceTest } from "../graph/devices.ts";
import { randomTokens, smallBackbone, smallParts } from "../longmem/random_model.ts";
import { assert, assertClose } from "../testing.ts";

const { layers: L, heads: H, hiddenDim: E } = smallBackbone, D = E / H;

/** A backbone whose MLPs add nothing, so that what a block adds to its input is its attention. */
function attentionOnly() {
  const { backbone } = smallParts();
  for (const [name, { data }] of backbone.weights) if (name.includes("mlp.fc_out")) data.fill(0);
  return backbone;
}

/** Hidden states [N, E] and values [B, H, T, D] of the backbone's pass. */
async function pass(device: Device, tokens: Int32Array<ArrayBuffer>, B: number, T: number) {
  const { shape, weights } = attentionOnly();
  const graph = new Graph();
  const bias = attentionBias(graph, { heads: H, contextTokens: T, rows: B, padded: false });
  const { hiddenStates, heads } = backboneForward(
    graph.input("tokens", [B, T], "int32"),
    backboneWeights(graph, shape),
    shape,
    { rows: B, contextTokens: T, positions: bias, blockBytes: device.blockBytes },
  );
  hiddenStates.forEach((h, i) => graph.output(`h${i}`, h));
  heads.forEach(({ v }, i) => graph.output(`v${i}`, v));
  const session = await compile(device, graph);
  const feeds: Tensors = { tokens: device.tensor(tokens, [B, T]) };
  for (const [name, { data, shape }] of weights) {
    feeds[backbonePrefix + name] = device.tensor(data, shape);
  }
  const outputs = await session.run(feeds);
  const arrays = await device.readAll(Object.values(outputs)) as Float32Array[];
  await session.close();
  return Object.fromEntries(Object.keys(outputs).map((name, i) => [name, arrays[i]]));
}

deviceTest(
  "AttentionProbe's probabilities are those with which blocks mix values",
  async (device) => {
    const B = 2, T = 7, tokens = randomTokens(B * T, "probe");
    const probe = await openAttentionProbe(device, attentionOnly(), { rows: B, contextTokens: T });
    // Every pair, key by key, as a query is asked for one key at a time.
    const mixed = Array.from({ length: L }, () => new Float64Array(B * T * E)); // p v, heads joined
    const total = Array.from({ length: L }, () => new Float64Array(B * T * H));
    const seen = await pass(device, tokens, B, T);
    for (let key = 0; key < T; key++) {
      const pairs: AttentionPair[] = [];
      for (let row = 0; row < B; row++) {
        for (let query = key; query < T; query++) pairs.push({ row, query, key });
      }
      const attention = await probe.attention(tokens, pairs);
      assert.deepEqual([attention.length, attention[0].length], [L, H]);
      attention.forEach((heads, i) =>
        heads.forEach((probabilities, h) =>
          pairs.forEach(({ row, query }, pair) => {
            const n = row * T + query;
            total[i][n * H + h] += probabilities[pair];
            for (let d = 0; d < D; d++) {
              const value = seen[`v${i}`][((row * H + h) * T + key) * D + d];
              mixed[i][n * E + h * D + d] += probabilities[pair] * value;
            }
          })
        )
      );
    }
    await probe.close();
    const { weights } = attentionOnly();
    for (let i = 0; i < L; i++) {
      assertClose(total[i], new Float64Array(B * T * H).fill(1), { tolerance: 1e-5 });
      if (i === L - 1) break; // the last state is normalised
      const out = weights.get(`transformer.h.${i}.attn.out_proj.weight`)!.data;
      const added = new Float64Array(B * T * E), expected = new Float64Array(B * T * E);
      for (let n = 0; n < B * T; n++) {
        for (let e = 0; e < E; e++) {
          const at = n * E + e;
          added[at] = seen[`h${i + 1}`][at] - seen[`h${i}`][at];
          for (let c = 0; c < E; c++) expected[at] += out[e * E + c] * mixed[i][n * E + c];
        }
      }
      assertClose(added, expected, { tolerance: 2e-5, name: `block ${i}` });
    }
  },
);

deviceTest(
  "AttentionProbe gives the same in one block of scores and in several",
  async (device) => {
    const B = 2, T = 130, tokens = randomTokens(B * T, "blocks");
    const pairs = Array.from({ length: B * T }, (_, n) => {
      const query = n % T;
      return { row: Math.floor(n / T), query, key: Math.floor(query * ((7 * n) % 11) / 11) };
    });
    const attention = async (device: Device) => {
      const probe = await openAttentionProbe(device, attentionOnly(), {
        rows: B,
        contextTokens: T,
      });
      const attention = await probe.attention(tokens, pairs);
      await probe.close();
      return attention.flatMap((heads) => heads.flatMap((head) => [...head]));
    };
    const small = Object.assign(Object.create(device) as Device, { blockBytes: 1 });
    assertClose(await attention(small), await attention(device), { tolerance: 1e-6 });
  },
  { kinds: ["cpu"] },
);

deviceTest("AttentionProbe says which pairs cannot be looked up", async (device) => {
  const B = 1, T = 4, tokens = randomTokens(T, "pairs");
  const probe = await openAttentionProbe(device, attentionOnly(), { rows: B, contextTokens: T });
  const impossible = [
    [{ row: 0, query: 1, key: 2 }],
    [{ row: 0, query: 4, key: 2 }],
    [{ row: 1, query: 1, key: 0 }],
    [{ row: 0, query: 1, key: -1 }],
    [{ row: 0, query: 1, key: 0 }, { row: 0, query: 1, key: 1 }],
  ];
  for (const pairs of impossible) {
    const { row, query, key } = pairs.at(-1)!;
    await assert.rejects(probe.attention(tokens, pairs), {
      name: "RangeError",
      message: new RegExp(`current row, query and key are ${row}, ${query}, ${key}$`),
    });
  }
  await probe.close();
}, { kinds: ["cpu"] });
