import type { BackboneShape } from "../../src/backbone/shape.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import type { MemoryConfig } from "../../src/memory/config.ts";
import { emptyScore } from "../../src/memory/memory_graph.ts";
import {
  randomBackbone,
  randomIds,
  randomSideNet,
  smallShapes,
} from "../architectures/small_models.ts";
import { deviceTest, testedDevice } from "../graph/devices.ts";
import { assert, assertClose, test } from "../testing.ts";
import { randomTokens, smallBackbone, smallMemory, smallParts } from "./random_model.ts";
import { ReferenceMemory, referencePass } from "./reference_model.ts";

const H = smallBackbone.heads, T = 10;
const segment = randomTokens(T + 1, "segment");
const tokens = segment.slice(0, T), targets = segment.slice(1);

/** Negative log-likelihoods of the targets under logits. */
function nllOf(logits: readonly Float64Array[]): number[] {
  return logits.map((row, t) => {
    const largest = Math.max(...row);
    const total = row.reduce((sum, x) => sum + Math.exp(x - largest), 0);
    return largest + Math.log(total) - row[targets[t]];
  });
}

/** Documents of so many tokens; the bank of 7 chunks holds 1, 5 and the last 7 of 9 chunks. */
const documents = [[4], [14, 8], [14, 18, 8]];

deviceTest(
  "explain() agrees with the weights, gates and likelihoods of the f64 reference",
  async (device) => {
    const memories: Partial<MemoryConfig>[] = [
      {},
      { missingChunks: "zero-slot" },
      { storage: "float16", bank: "shared", capacityTokens: 100 },
    ];
    for (const fields of device.kind === "webgpu" ? memories.slice(1) : memories) {
      const parts = smallParts(fields), model = new LongMem(device, parts);
      for (const lengths of documents) {
        await model.resetMemory();
        const memory = new ReferenceMemory(parts.memory, 1), chunkStarts: number[] = [];
        let start = 0;
        for (const [i, count] of lengths.entries()) {
          const document = randomTokens(count, `document ${i}`);
          await model.remember(document);
          referencePass(parts, memory, document, { rows: 1 });
          for (let j = 0; j + 4 <= count; j += 4) chunkStarts.push(start + j);
          start += count;
        }
        const stored = chunkStarts.slice(-memory.banks[0].length);
        const expected = referencePass(parts, memory, tokens, { rows: 1, readOnly: true });
        const found = await model.explain(tokens, targets);
        const { chunks: n, chunkTokens: c } = found;
        assert.deepEqual([found.heads, found.positions, n, c], [H, T, 2, 4]);
        for (let h = 0; h < H; h++) {
          for (let t = 0; t < T; t++) {
            const at = (h * T + t) * n;
            assert.deepEqual(
              [...found.starts.slice(at, at + n)],
              expected.retrieved[t]![h].map((age) => age < 0 ? -1 : stored[age]),
            );
            const weights = found.weights.slice(at * c, (at + n) * c);
            const wanted = expected.memoryWeights[t]![h];
            assertClose(weights, [...wanted, ...Array(n * c - wanted.length).fill(0)], {
              tolerance: parts.memory.storage === "float16" ? 2e-3 : 2e-5,
            });
          }
        }
        const bias = parts.sideNet.weights.get("layers.1.self_attn.memory_bias")!.data;
        const gates = bias.map((x) => 1 / (1 + Math.exp(-x)));
        assertClose(found.gates, gates, { tolerance: 1e-6 });
        const tolerance = parts.memory.storage === "float16" ? 2e-3 : 5e-5;
        assertClose(found.nll, nllOf(expected.logits), { tolerance });
        const without = new ReferenceMemory(parts.memory, 1);
        const alone = referencePass(parts, without, tokens, { rows: 1, readOnly: true });
        assertClose(found.nllWithout, nllOf(alone.logits), { tolerance: 5e-5 });
        assert.ok(found.nll.some((x, t) => Math.abs(x - found.nllWithout[t]) > 1e-3));
      }
      await model.close();
    }
  },
);

/** A model that remembers two chunks, and the same with the second of them alone. */
async function withTwoChunks(
  shape: BackboneShape,
  ids: (count: number, seed: string) => Int32Array,
) {
  const device = await testedDevice("cpu");
  const backbone = randomBackbone(shape), sideNet = randomSideNet(backbone);
  const model = new LongMem(device, { backbone, sideNet, memory: smallMemory });
  await model.remember(ids(8, "document"));
  const saved = (await model.copyMemory())!;
  // The last component of a mean key says whether its slot is empty.
  const [, heads, width, slots] = saved.tensors.meanKeys.shape;
  for (let h = 0; h < heads; h++) {
    saved.tensors.meanKeys.data[(h * width + width - 1) * slots] = emptyScore;
  }
  const second = new LongMem(device, { backbone, sideNet, memory: smallMemory });
  await second.putMemory({ ...saved, rings: [{ first: 1, count: 1 }] });
  return { model, second };
}

test("explain() hides ranges of the memory from a row, as if they were not there", async () => {
  const shapes = smallShapes().filter(({ architecture, settings }) =>
    architecture === "longmem_gpt2" || architecture === "llama" && settings?.keyValueHeads === 2
  );
  assert.equal(shapes.length, 2, "one whose heads of queries share heads of keys");
  for (const shape of shapes) {
    const { model, second } = await withTwoChunks(shape, randomIds);
    const ids = randomIds(T + 1, "segment"), after = ids.slice(1);
    const given = ids.slice(0, T);
    const hidden = [{ start: 0, end: 4 }, { start: 3, end: 4 }, { start: 0, end: 8 }, {
      start: 8,
      end: 20,
    }];
    const { nll, nllWithout, nllHidden } = await model.explain(given, after, { hidden });
    const options = { readOnly: true } as const, close = { tolerance: 2e-5 };
    assertClose(nll, await model.score(given, after, options), close);
    assertClose(nllWithout, await model.score(given, after, { network: "sidenet" }), close);
    const withSecond = await second.score(given, after, options);
    assertClose(nllHidden[0], withSecond, close);
    assertClose(nllHidden[1], withSecond, close);
    assertClose(nllHidden[2], nllWithout, close);
    assertClose(nllHidden[3], nll, close);
    const differs = (a: Float32Array, b: Float32Array) =>
      a.some((x, i) => Math.abs(x - b[i]) > 1e-3);
    assert.ok(
      differs(nll, nllWithout) && differs(nll, withSecond) && differs(nllWithout, withSecond),
    );
    await model.close();
    await second.close();
  }
});

test("explain() of an empty memory reads nothing, and writes nothing", async () => {
  const model = new LongMem(await testedDevice("cpu"), smallParts());
  const { starts, gates, nll, nllWithout } = await model.explain(tokens, targets.slice(-3));
  assert.ok(starts.every((start) => start === -1) && gates.every((gate) => gate === 0));
  assert.equal(nll.length, 3);
  assert.deepEqual(nll, nllWithout);
  assert.deepEqual(model.memoryFillChunks, [0]);
  await assert.rejects(
    model.explain(tokens, targets, { hiden: [] } as never),
    /"hiden" is unknown/,
  );
  await model.close();
});
