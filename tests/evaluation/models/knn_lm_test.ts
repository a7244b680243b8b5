import { knnModel } from "../../../src/evaluation/models/knn_lm.ts";
import { fillModel, modelName } from "../../../src/evaluation/models.ts";
import type { PromptedModel, SegmentRows } from "../../../src/evaluation/shared/language_model.ts";
import { LongMem } from "../../../src/longmem/longmem.ts";
import { memoryOfSizes, memoryPart } from "../../../src/memory/config.ts";
import type { Device } from "../../../src/runtime/device.ts";
import { deviceTest } from "../../graph/devices.ts";
import { randomTokens, smallBackbone as shape, smallParts } from "../../longmem/random_model.ts";
import { referenceBackbone, referenceLocal } from "../../longmem/reference_backbone.ts";
import { assert, assertClose, test } from "../../testing.ts";

const T = 6, V = shape.vocabSize, tolerance = 1e-4;
const sizes = { capacityTokens: 16, retrievedTokens: 5, lambda: 0.4, temperature: 3 };
const { backbone } = smallParts();

/** A kNN-LM on a device. */
async function withModel(
  device: Device,
  use: (model: PromptedModel, backbone: LongMem) => Promise<void>,
  options: { shared?: boolean; windowTokens?: number } & Partial<typeof sizes> = {},
): Promise<void> {
  const { shared = false, windowTokens = T, ...settings } = { ...sizes, ...options };
  const bank = shared ? "shared" : "per-row";
  const memory = memoryOfSizes({ ...settings, chunkTokens: 1 }, bank);
  const model = new LongMem(device, { backbone, memory, other: { network: "knn-lm", shape: {} } });
  const window = { contextTokens: T, windowTokens, shared };
  await use(knnModel("knn", model, { ...settings, ...window, vocabSize: V }), model);
  await model.close();
}

/** One row of tokens as a batch; targets are the tokens that follow, and 5 at the end. */
function batch(...rows: readonly Int32Array[]): SegmentRows {
  return {
    tokens: Int32Array.from(rows.flatMap((row) => [...row])),
    targets: Int32Array.from(rows.flatMap((row) => [...row.subarray(1), 5])),
    rows: rows.length,
  };
}

/** Probabilities of the backbone and what the MLP of its last block reads, at each token of a segment, in double precision. */
function reference(segment: Int32Array) {
  const { logits, mlpInputs } = referenceBackbone(
    shape,
    (name) => backbone.weights.get(name)!.data,
    segment,
    { rows: 1, attention: referenceLocal(shape.heads) },
  );
  const probabilities = logits.map((row) => {
    const weights = [...row].map(Math.exp), sum = weights.reduce((a, b) => a + b);
    return weights.map((weight) => weight / sum);
  });
  return { probabilities, states: mlpInputs.at(-1)! };
}

/** kNN-LM by its definition, of segments read before and one that is scored: its distribution at each token. */
function bruteForce(
  read: readonly Int32Array[],
  segment: Int32Array,
  { capacityTokens, retrievedTokens, lambda, temperature, windowTokens = T }:
    & typeof sizes
    & { windowTokens?: number } = sizes,
): number[][] {
  const all = [...read, segment], text = all.flatMap((tokens) => [...tokens]);
  /** What the backbone makes of segment s in its window. */
  const inWindow = (s: number) => {
    const { length } = all[s], end = all.slice(0, s + 1).flatMap((tokens) => [...tokens]).length;
    const window = text.slice(Math.max(0, end - length - windowTokens + T), end);
    const { probabilities, states } = reference(Int32Array.from(window));
    return { probabilities: probabilities.slice(-length), states: states.slice(-length) };
  };
  const pairs = read.flatMap((_, s) => inWindow(s).states)
    .map((state, i) => ({ state, next: text[i + 1] }))
    .slice(-capacityTokens);
  const { probabilities, states } = inWindow(read.length);
  return states.map((query, t) => {
    const nearest = pairs
      .map(({ state, next }) => ({
        next,
        distance: query.reduce((sum, x, e) => sum + (x - state[e]) ** 2, 0),
      }))
      .sort((a, b) => a.distance - b.distance)
      .slice(0, retrievedTokens);
    const weights = nearest.map(({ distance }) => Math.exp(-distance / temperature));
    const total = weights.reduce((a, b) => a + b, 0);
    return probabilities[t].map((p, id) => {
      if (nearest.length === 0) return p;
      const votes = nearest.reduce((sum, { next }, j) => sum + (next === id ? weights[j] : 0), 0);
      return lambda * votes / total + (1 - lambda) * p;
    });
  });
}

/** Segments with unlike first tokens: states that begin segments are equal where these are, and which of them is nearer is no question. */
const segments = (seed: string, count: number) =>
  Array.from({ length: count }, (_, i) => randomTokens(T, `${seed} ${i}`).with(0, 10 + i));

deviceTest("knnModel() is kNN-LM by its definition, row by row", async (device) => {
  await withModel(device, async (model) => {
    const texts = [segments("first", 5), segments("second", 5)];
    await model.startDocument(0, 0);
    // The second document begins later; the memory holds two segments and a part of a third.
    for (let s = 0; s < 5; s++) {
      if (s === 1) await model.startDocument(1, 1);
      const asked = batch(texts[0][s], texts[1][s]);
      const prompted = await model.ask(asked);
      const scored = s === 4 ? (await model.choose(asked)).nll : await model.score(asked);
      for (const row of [0, 1]) {
        const read = texts[row].slice(row === 0 ? 0 : 1, s);
        if (row === 1 && s === 0) continue;
        const expected = bruteForce(read, texts[row][s]);
        const of = (values: ArrayLike<number>) => Array.from(values).slice(row * T, (row + 1) * T);
        const targets = of(asked.targets);
        const nll = expected.map((p, t) => -Math.log(p[targets[t]]));
        const name = `row ${row}, segment ${s}`;
        assertClose(of(scored), nll, { tolerance, name });
        assertClose(of(prompted.nll), nll, { tolerance, name: `${name}, asked` });
        assert.deepEqual(of(prompted.choices), expected.map((p) => p.indexOf(Math.max(...p))));
        assert.deepEqual(
          of(prompted.ranks!),
          expected.map((p, t) => 1 + p.filter((other) => other > p[targets[t]]).length),
        );
      }
    }
  });
});

deviceTest("knnModel() finds and predicts with a window that slides", async (device) => {
  const windowTokens = 2 * T + 2;
  await withModel(device, async (model) => {
    const texts = [segments("window, first", 5), segments("window, second", 5)];
    for (let s = 0; s < 5; s++) {
      const asked = batch(texts[0][s], texts[1][s]);
      const { choices } = await model.ask(asked);
      const nll = await model.score(asked);
      for (const row of [0, 1]) {
        const expected = bruteForce(texts[row].slice(0, s), texts[row][s], {
          ...sizes,
          windowTokens,
        });
        const of = (values: ArrayLike<number>) => Array.from(values).slice(row * T, (row + 1) * T);
        const targets = of(asked.targets);
        assertClose(of(nll), expected.map((p, t) => -Math.log(p[targets[t]])), {
          tolerance,
          name: `row ${row}, segment ${s}`,
        });
        assert.deepEqual(of(choices), expected.map((p) => p.indexOf(Math.max(...p))));
      }
    }
  }, { windowTokens });
});

const onCpu = { kinds: ["cpu"] } as const;

deviceTest("knnModel() gives the votes lambda of the whole, and 1 in all", async (device) => {
  const [before, now] = segments("sums", 2);
  const distributions = async (options: Partial<typeof sizes>) => {
    const sums: number[][] = Array.from({ length: T }, () => []);
    await withModel(device, async (model) => {
      await model.read(batch(before));
      for (let id = 0; id < V; id++) {
        const { nll } = await model.ask({ ...batch(now), targets: new Int32Array(T).fill(id) });
        nll.forEach((nats, t) => sums[t].push(Math.exp(-nats)));
      }
    }, options);
    return sums;
  };
  for (const options of [{}, { temperature: 50 }, { retrievedTokens: 1 }]) {
    const found = await distributions(options);
    assertClose(found.flat(), bruteForce([before], now, { ...sizes, ...options }).flat(), {
      tolerance: 1e-5,
      name: JSON.stringify(options),
    });
    assertClose(found.map((p) => p.reduce((a, b) => a + b)), found.map(() => 1), {
      tolerance: 1e-5,
    });
  }
}, onCpu);

deviceTest("knnModel() is the backbone where nothing is remembered", async (device) => {
  await withModel(device, async (model, backbone) => {
    const [before, now] = segments("empty", 2), asked = batch(now);
    const options = { network: "backbone" } as const;
    const alone = await backbone.choose(asked.tokens, asked.targets, options);
    const isAlone = async () => {
      const { nll, choices, ranks } = await model.ask(asked);
      assertClose(nll, alone.nll, { tolerance: 1e-5 });
      assert.deepEqual([choices, ranks], [alone.choices, alone.ranks]);
    };
    await isAlone();
    await model.read(batch(before));
    const { nll } = await model.ask(asked);
    assert.ok(nll.some((nats, i) => Math.abs(nats - alone.nll[i]) > 0.01));
    await model.startDocument(0, 1);
    await isAlone();
    assertClose(await model.score(asked), alone.nll, { tolerance: 1e-5 });
  });
}, onCpu);

deviceTest("knnModel() sees no later token", async (device) => {
  await withModel(device, async (model) => {
    const [before, now] = segments("causal", 2);
    await model.read(batch(before));
    const targets = batch(now).targets;
    const { nll } = await model.ask(batch(now));
    for (let t = 1; t < T; t++) {
      const changed = now.with(t, now[t] === 5 ? 6 : 5);
      const other = await model.ask({ ...batch(changed), targets });
      assertClose(other.nll.subarray(0, t), nll.subarray(0, t), { tolerance: 1e-6 });
      assert.ok(other.nll[t] !== nll[t], "the changed token itself matters");
    }
    // What follows the newest remembered token is the first of the segment, whatever it is.
    const first = await model.ask({ ...batch(now.with(0, 7)), targets });
    const expected = bruteForce([before], now.with(0, 7)).map((p, t) => -Math.log(p[targets[t]]));
    assertClose(first.nll, expected, { tolerance });
  });
}, onCpu);

deviceTest("knnModel() remembers no padding, and shares what row 0 has read", async (device) => {
  const [before, next, now] = segments("padding", 3);
  const short = before.subarray(0, 4);
  const expected = bruteForce([short, next], now).map((p, t) =>
    -Math.log(p[batch(now).targets[t]])
  );
  for (const shared of [false, true]) {
    await withModel(device, async (model) => {
      await model.startDocument(0, 0);
      await model.read({ ...batch(Int32Array.of(...short, 1, 1)), lengths: [4] });
      await model.read(batch(next));
      assertClose((await model.ask(batch(now))).nll, expected, { tolerance });
      if (!shared) return;
      const { nll } = await model.ask(batch(now, now));
      assertClose(nll, [...expected, ...expected], { tolerance });
    }, { shared });
  }
}, onCpu);

test("knn-lm takes the sizes of the evaluation's memory, and is called by its settings", () => {
  const memory = memoryPart.fill({ capacityTokens: 512, retrievedTokens: 32 }, {
    protocol: "strict",
  });
  const filled = fillModel("knn-lm", { contextTokens: 64, memory });
  assert.deepEqual(filled, {
    model: "knn-lm",
    capacityTokens: 512,
    retrievedTokens: 32,
    lambda: 0.25,
    temperature: 10,
  });
  assert.equal(modelName(filled), "knn-lm-m512-k32-l0.25-t10");
  const other = fillModel({ model: "knn-lm", lambda: 0.5, temperature: 1 }, { contextTokens: 64 });
  assert.equal(modelName(other), "knn-lm-m65536-k64-l0.5-t1");
  const windowed = { ...filled, windowTokens: 128 };
  assert.equal(modelName(windowed), "knn-lm-m512-k32-l0.25-t10-window-128");
});
