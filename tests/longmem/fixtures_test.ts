/**
 * The official code's own numbers: every tensor of the golden fixtures that a forward pass has, within the tolerances of
 * their description.
 */
import { Graph } from "../../src/graph/graph.ts";
import { gelu, geluTanh } from "../../src/graph/ops/gelu.ts";
import { compile } from "../../src/runtime/compile.ts";
import type { Device } from "../../src/runtime/device.ts";
import { emptyScore } from "../../src/memory/memory_graph.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { assert, assertClose, fixturePath } from "../testing.ts";
import { fixtureMemory, fixtureNetworks, fixtureTest, Golden } from "./fixture_model.ts";
import { type Observation, ObservedModel } from "./observed_model.ts";

/** Hidden states, logits, keys, values, attention outputs, probabilities. */
const tolerance = 2e-5;
const scoreTolerance = 5e-5;
/** With float16 storage: one unit in the last place of a key or value may flip. */
const float16Tolerance = 2e-3;

/** Segments of the fixtures; each has 2 rows of 16 tokens. */
const segments = 7;

fixtureTest("Every inner value of seven segments is the official one", async (device) => {
  const golden = await Golden.read("segments_f32mem.safetensors");
  const model = await observed(device, {});
  for (let s = 0; s < segments; s++) {
    const name = `seg${s}/`;
    const tokens = golden.integers(name + "src_tokens").data;
    const seen = await model.pass(tokens, { rows: 2 });
    const check = (actual: Float32Array, key: string, within = tolerance) =>
      assertClose(actual, golden.floats(name + key).data, { tolerance: within, name: name + key });
    check(stacked(seen, "backbone/hidden_states/", 0), "backbone/hidden_states");
    check(seen.values["backbone/logits"], "backbone/logits");
    check(seen.values.retrieval_q, "backbone/retrieval_q");
    check(seen.values.keys, "backbone/retrieval_k");
    check(seen.values.cachedValues, "backbone/retrieval_v");
    checkSideNet(seen, golden, name, tolerance);
    if (s > 0) {
      checkRetrieval(seen, golden, name, { tolerance, rows: 2 });
      check(joinedHeads(seen.values.query, { B: 2, H: 4, T: 16 }), "memory/query");
      check(seen.retrieved.keys, "memory/retrieved_k");
      check(seen.retrieved.values, "memory/retrieved_v");
      check(seen.values.local_probs, "memory/local_probs");
      check(seen.values.mixed_heads, "memory/mixed_heads");
    }
    await checkBank(model, golden, name, tolerance);
  }
  await model.close();
});

fixtureTest("Float16 storage rounds as the official bank does", async (device) => {
  const golden = await Golden.read("segments_f16mem.safetensors");
  const { data: tokens } = (await Golden.read("data.safetensors")).integers("src_tokens");
  const model = await observed(device, { storage: "float16" });
  for (let s = 0; s < segments; s++) {
    const name = `seg${s}/`;
    const seen = await model.pass(tokens.slice(32 * s, 32 * (s + 1)), { rows: 2 });
    checkSideNet(seen, golden, name, float16Tolerance);
    if (s > 0) {
      checkRetrieval(seen, golden, name, { tolerance: float16Tolerance, rows: 2 });
      assertClose(seen.values.mixed_heads, golden.floats(name + "memory/mixed_heads").data, {
        tolerance: float16Tolerance,
        name: name + "memory/mixed_heads",
      });
    }
    const { keys, values } = await model.contents();
    checkRounded(keys, golden.floats(name + "memory_after/keys").data, name + "keys");
    checkRounded(values, golden.floats(name + "memory_after/vals").data, name + "vals");
  }
  await model.close();
});

fixtureTest(
  "LongMem.forward() and score() give the official logits, losses and fills",
  async (device) => {
    const data = await Golden.read("data.safetensors");
    const golden = await Golden.read("segments_f32mem.safetensors");
    const config = JSON.parse(await Deno.readTextFile(fixturePath("config.json")));
    const model = new LongMem(device, { ...await fixtureNetworks(), memory: fixtureMemory });
    const scorer = new LongMem(device, { ...await fixtureNetworks(), memory: fixtureMemory });
    for (let s = 0; s < segments; s++) {
      const tokens = data.integers("src_tokens").data.slice(32 * s, 32 * (s + 1));
      const targets = data.integers("target").data.slice(32 * s, 32 * (s + 1));
      const { logits } = await model.forward(tokens, { batch: 2 });
      assertClose(logits, golden.floats(`seg${s}/logits`).data, { tolerance, name: `seg${s}` });
      const nll = await scorer.score(tokens, targets, { batch: 2 });
      const { loss_sum: loss, memory_chunks_after: fill } = config.segments_f32mem[s];
      assertClose([nll.reduce((a, b) => a + b, 0)], [loss], {
        tolerance: 2e-4,
        name: `seg${s} loss`,
      });
      assert.deepEqual(model.memoryFillChunks, [fill]);
      assert.deepEqual(scorer.memoryFillChunks, [fill]);
    }
    await model.close();
    await scorer.close();
  },
);

fixtureTest("Edge cases are the official ones", async (device) => {
  const golden = await Golden.read("edge_f32mem.safetensors");
  const sequences = [
    { names: ["underfull_0", "underfull_1"], memory: { retrievedTokens: 32 } },
    { names: ["crossrow_0", "crossrow_1"], memory: {} },
    { names: ["remainder_0", "remainder_1", "remainder_2", "readonly", "padded"], memory: {} },
  ];
  for (const { names, memory } of sequences) {
    const model = await observed(device, memory);
    for (const edge of names) {
      const name = `${edge}/`;
      const { data: tokens, shape: [rows] } = golden.integers(name + "src_tokens");
      const seen = await model.pass(tokens, { rows, readOnly: edge === "readonly" });
      assertClose(
        stacked(seen, "sidenet/hidden_states/", 1, seen.values["backbone/hidden_states/0"]),
        golden.floats(name + "sidenet/hidden_states").data,
        { tolerance, name: name + "sidenet/hidden_states" },
      );
      assertClose(seen.values.logits, golden.floats(name + "logits").data, {
        tolerance,
        name: name + "logits",
      });
      if (golden.has(name + "memory/index")) {
        checkRetrieval(seen, golden, name, { tolerance, rows });
      }
      await checkBank(model, golden, name, tolerance);
    }
    await model.close();
  }
});

fixtureTest("The calls of in-context learning give the official answers", async (device) => {
  const golden = await Golden.read("icl_tiny_f32mem.safetensors");
  const config = JSON.parse(await Deno.readTextFile(fixturePath("config.json"))).icl_tiny;
  const memory = { ...fixtureMemory, chunkTokens: config.chunk_size_override };
  const model = new LongMem(device, { ...await fixtureNetworks(), memory });
  const { data: blocks, shape: [count, T] } = golden.integers("memory_blocks");
  for (let block = 0; block < count; block++) {
    await model.remember(blocks.slice(block * T, (block + 1) * T));
    assert.deepEqual(model.memoryFillChunks, [config.memory_chunks_after_block[block]]);
  }
  for (let query = 0; query < 3; query++) {
    const name = `query${query}/`;
    const tokens = golden.integers(name + "src_tokens").data;
    const { logits } = await model.forward(tokens, { readOnly: true });
    assertClose(logits, golden.floats(name + "logits").data, { tolerance, name: name + "logits" });
    const last = logits.subarray(logits.length - 97);
    assert.equal(last.indexOf(Math.max(...last)), golden.integers(name + "argmax").data[0]);
    const { logits: alone } = await model.forward(tokens, { network: "backbone" });
    assertClose(
      alone.subarray(alone.length - 97),
      golden.floats(name + "backbone_last_logits").data,
      { tolerance, name: name + "backbone_last_logits" },
    );
    assert.deepEqual(model.memoryFillChunks, [config.memory_chunks_after_block.at(-1)]);
  }
  await model.close();
});

fixtureTest("Queries of in-context learning retrieve the official chunks", async (device) => {
  const golden = await Golden.read("icl_tiny_f32mem.safetensors");
  const model = await observed(device, { chunkTokens: 2 });
  const { data: blocks, shape: [count, T] } = golden.integers("memory_blocks");
  for (let block = 0; block < count; block++) {
    await model.pass(blocks.slice(block * T, (block + 1) * T), { rows: 1 });
  }
  for (let query = 0; query < 3; query++) {
    const tokens = golden.integers(`query${query}/src_tokens`).data;
    const seen = await model.pass(tokens, { rows: 1, readOnly: true });
    const { data, shape: [H, B, t, n] } = golden.integers(`query${query}/memory/index`);
    assert.deepEqual(seen.ages, batchFirst(data, { H, B, T: t, n }), `query${query}`);
  }
  await model.close();
}, ["cpu"]);

fixtureTest("Both GELUs are the official ones on a grid", async (device) => {
  const { activations } = JSON.parse(await Deno.readTextFile(fixturePath("misc.json")));
  const grid = Float32Array.from(activations.x as number[]);
  const graph = new Graph();
  const x = graph.input("x", [grid.length]);
  graph.output("sidenet_gelu_erf", gelu(x));
  graph.output("backbone_gelu_new", geluTanh(x));
  const session = await compile(device, graph);
  const outputs = await session.run({ x: device.tensor(grid, [grid.length]) });
  for (const [name, tensor] of Object.entries(outputs)) {
    const actual = await tensor.read() as Float32Array;
    assertClose(actual, activations[name], { tolerance: 2e-6, name });
  }
  await session.close();
});

async function observed(
  device: Device,
  memory: Partial<typeof fixtureMemory>,
): Promise<ObservedModel> {
  const parts = { ...await fixtureNetworks(), memory: { ...fixtureMemory, ...memory } };
  return new ObservedModel(device, parts, 2);
}

/** Values with numbered names, one after the other. */
function stacked(
  { values }: Observation,
  prefix: string,
  from: number,
  ...first: Float32Array[]
): Float32Array {
  const parts = [...first];
  for (let i = from; values[prefix + i]; i++) parts.push(values[prefix + i]);
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

function checkSideNet(seen: Observation, golden: Golden, name: string, within: number): void {
  const embeddings = seen.values["backbone/hidden_states/0"];
  const found = {
    "sidenet/hidden_states": stacked(seen, "sidenet/hidden_states/", 1, embeddings),
    "sidenet/attn_out": stacked(seen, "sidenet/attn_out/", 0),
    "sidenet/features": seen.values["sidenet/features"],
    logits: seen.values.logits,
  };
  for (const [key, actual] of Object.entries(found)) {
    assertClose(actual, golden.floats(name + key).data, { tolerance: within, name: name + key });
  }
}

/** Ids must be exact; scores and probabilities close. */
function checkRetrieval(
  seen: Observation,
  golden: Golden,
  name: string,
  options: { tolerance: number; rows: number },
): void {
  const { data, shape: [H, B, T, n] } = golden.integers(name + "memory/index");
  const index = batchFirst(data, { H, B, T, n });
  assert.deepEqual(seen.ages, index, name + "memory/index");
  const scores = batchFirst(golden.floats(name + "memory/score").data, { H, B, T, n });
  const isStored = (_: number, i: number) => index[i] >= 0;
  assertClose(seen.scores.filter(isStored), scores.filter(isStored), {
    tolerance: scoreTolerance,
    name: name + "memory/score",
  });
  assert.ok(seen.scores.every((score, i) => index[i] >= 0 || score <= emptyScore / 2));
  assertClose(seen.values.memory_probs, golden.floats(name + "memory/memory_probs").data, {
    tolerance: options.tolerance,
    name: name + "memory/memory_probs",
  });
}

async function checkBank(
  model: ObservedModel,
  golden: Golden,
  name: string,
  within: number,
): Promise<void> {
  const { keys, values, meanKeys, count } = await model.contents();
  const expected = golden.floats(name + "memory_after/mean_keys");
  assert.equal(count, expected.shape[1], name + "count");
  for (
    const [key, actual] of [["keys", keys], ["vals", values], ["mean_keys", meanKeys]] as const
  ) {
    const { data } = golden.floats(`${name}memory_after/${key}`);
    assertClose(actual, data, { tolerance: within, name: `${name}memory_after/${key}` });
  }
}

/** Values that are float16, at most one unit in the last place from the official ones, and nearly all the same. */
function checkRounded(actual: Float32Array, expected: Float32Array, name: string): void {
  assert.deepEqual(actual, Float32Array.from(Float16Array.from(actual)), `${name} is float16`);
  assertClose(actual, expected, { tolerance: 2 ** -8, name }); // a unit of values from 4 to 8
  const others = actual.filter((x, i) => x !== expected[i]).length;
  assert.ok(
    others <= actual.length / 100,
    `${name}: ${others} of ${actual.length} round otherwise`,
  );
}

/** [H, B, T, n] -> [B, H, T, n] */
function batchFirst<Data extends Int32Array | Float32Array>(
  data: Data,
  { H, B, T, n }: { H: number; B: number; T: number; n: number },
): Data {
  const result = data.slice() as Data;
  for (let h = 0; h < H; h++) {
    for (let b = 0; b < B; b++) {
      const from = (h * B + b) * T * n;
      result.set(data.subarray(from, from + T * n), (b * H + h) * T * n);
    }
  }
  return result;
}

/** [B, H, T, D] -> [B, T, H*D] */
function joinedHeads(x: Float32Array, { B, H, T }: { B: number; H: number; T: number }) {
  const D = x.length / (B * H * T), joined = new Float32Array(x.length);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      for (let t = 0; t < T; t++) {
        const from = ((b * H + h) * T + t) * D;
        joined.set(x.subarray(from, from + D), ((b * T + t) * H + h) * D);
      }
    }
  }
  return joined;
}
