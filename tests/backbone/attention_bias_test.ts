import { alibiSlopes, attentionBias, paddedInputs } from "../../src/backbone/attention_bias.ts";
import { Graph } from "../../src/graph/graph.ts";
import type { AttentionBlock } from "../../src/graph/attention_block.ts";
import { compile } from "../../src/runtime/compile.ts";
import type { Device, Tensors } from "../../src/runtime/device.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose, fixturePath, sharedTest, test } from "../testing.ts";

sharedTest("alibiSlopes() gives the official slopes of 1 to 32 heads", async () => {
  const { alibi_slopes: slopes } = await misc();
  for (let heads = 1; heads <= 32; heads++) {
    assertClose(alibiSlopes(heads), slopes[heads], { tolerance: 1e-6, name: `${heads} heads` });
  }
});

sharedTest("paddedInputs() counts positions as the official padded batch", async () => {
  const { attention_mask: mask, bias } = (await misc()).alibi_padded_row_4_heads;
  const tokens = Int32Array.from(mask, (visible) => visible ? 7 : 1);
  const { positions, keyBias } = paddedInputs(tokens, { rows: 1, contextTokens: 6, pad: 1 });
  const found = alibiSlopes(4).flatMap((slope) => Array.from(positions, (p) => slope * p));
  assertClose(found, bias.flat(), { tolerance: 1e-6 });
  assert.deepEqual(Array.from(keyBias, (x) => x === 0 ? 1 : 0), mask);
});

test("paddedInputs() starts again in every row", () => {
  const tokens = Int32Array.of(5, 1, 6, 7, /**/ 1, 5, 6, 1);
  const { positions } = paddedInputs(tokens, { rows: 2, contextTokens: 4, pad: 1 });
  assert.deepEqual([...positions], [0, 0, 1, 2, /**/ 0, 0, 1, 0]);
});

/** Blocks of a batch of 2 rows of 5 tokens. */
const blocks: AttentionBlock[] = [
  { b0: 0, b1: 2, t0: 0, t1: 5 },
  { b0: 0, b1: 2, t0: 2, t1: 4 },
  { b0: 1, b1: 2, t0: 3, t1: 5 },
];

deviceTest(
  "attentionBias() falls by the slope for each token back and hides the future",
  async (device) => {
    const H = 3, slopes = alibiSlopes(H);
    const found = await biases(device, undefined);
    for (const [i, { t0, t1 }] of blocks.entries()) {
      for (const visible of [true, false]) {
        const values = found(i, visible);
        const expected: number[] = [];
        for (let h = 0; h < H; h++) {
          for (let t = t0; t < t1; t++) {
            for (let j = 0; j < t1; j++) expected.push(j <= t ? slopes[h] * (j - t) : -Infinity);
          }
        }
        checkScores(values, expected);
      }
    }
  },
);

deviceTest("attentionBias() hides pad keys, except where they stay visible", async (device) => {
  const H = 3, T = 5, slopes = alibiSlopes(H);
  const tokens = Int32Array.of(4, 5, 1, 6, 7, /**/ 8, 1, 9, 4, 1);
  const { positions } = paddedInputs(tokens, { rows: 2, contextTokens: T, pad: 1 });
  const found = await biases(device, tokens);
  for (const [i, { b0, b1, t0, t1 }] of blocks.entries()) {
    for (const padsVisible of [true, false]) {
      const expected: number[] = [];
      for (let b = b0; b < b1; b++) {
        for (let h = 0; h < H; h++) {
          for (let t = t0; t < t1; t++) {
            for (let j = 0; j < t1; j++) {
              // Row 0 keeps its pads hidden even where the joint attention shows them: its memory is empty.
              const hidden = tokens[b * T + j] === 1 && !(padsVisible && b === 1);
              expected.push(j <= t && !hidden ? slopes[h] * positions[b * T + j] : -Infinity);
            }
          }
        }
      }
      checkScores(found(i, padsVisible), expected);
    }
  }
});

/** The biases of all blocks; those with visible pads have the pads of row 1 visible. */
async function biases(device: Device, tokens: Int32Array | undefined) {
  const graph = new Graph();
  const bias = attentionBias(graph, {
    heads: 3,
    contextTokens: 5,
    rows: 2,
    padded: tokens !== undefined,
  });
  const visible = graph.input("visible", [2, 1, 1, 1]);
  blocks.forEach((block, i) => {
    graph.output(`hidden ${i}`, bias.block(block));
    graph.output(`visible ${i}`, bias.block(block, { padsVisible: visible }));
  });
  const feeds: Tensors = { visible: device.tensor(Float32Array.of(0, 1), [2, 1, 1, 1]) };
  if (tokens) {
    const inputs = paddedInputs(tokens, { rows: 2, contextTokens: 5, pad: 1 });
    feeds.positions = device.tensor(inputs.positions, [2, 5]);
    feeds.keyBias = device.tensor(inputs.keyBias, [2, 5]);
  }
  const session = await compile(device, graph);
  const outputs = await session.run(feeds);
  const arrays = await device.readAll(Object.values(outputs)) as Float32Array[];
  const values = new Map(Object.keys(outputs).map((name, i) => [name, arrays[i]]));
  await session.close();
  return (block: number, padsVisible: boolean) =>
    values.get(`${padsVisible ? "visible" : "hidden"} ${block}`)!;
}

/** Scores, where minus infinity stands for anything that softmax turns into 0 and that is still finite. */
function checkScores(actual: Float32Array, expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  assert.ok(actual.every(Number.isFinite));
  const clipped = Array.from(actual, (x) => x < -1e20 ? -1e20 : x);
  assertClose(clipped, expected.map((x) => Math.max(x, -1e20)), { tolerance: 1e-6 });
}

async function misc() {
  return JSON.parse(await Deno.readTextFile(fixturePath("misc.json")));
}
