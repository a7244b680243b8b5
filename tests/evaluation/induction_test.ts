import { alibiSlopes } from "../../src/backbone/attention_bias.ts";
import { architectureOf } from "../../src/backbone/architectures.ts";
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import {
  type InductionMeasure,
  inductionScores,
  inductionThreshold,
  recommendMemoryBlock,
} from "../../src/evaluation/induction.ts";
import { initializeSideNet } from "../../src/longmem/initialization.ts";
import { memoryLayer } from "../../src/longmem/sidenet_shape.ts";
import { ratio } from "../../src/statistics/estimates.ts";
import { writeBooks } from "../../src/text/chronicle/book.ts";
import { defaultChronicle } from "../../src/text/chronicle/config.ts";
import { assert, assertClose, repositoryPath, test } from "../testing.ts";
import {
  contentFreeBackbone,
  distanceAttention,
  inductionBackbone,
  inductionHead,
} from "./induction_backbone.ts";

const device = "cpu";

/** Tests that open the native engine, which stays. */
function engineTest(name: string, fn: () => Promise<void>): void {
  test({ name, sanitizeOps: false, sanitizeResources: false, fn });
}

function values({ heads }: InductionMeasure): number[] {
  return heads.flat().map(({ value }) => value);
}

engineTest("inductionScores finds the one head that was made for induction", async () => {
  const backbone = inductionBackbone();
  const { repeated, recalls, recommendation, contextTokens } = await inductionScores(backbone, {
    contextTokens: 26,
    sequences: 5,
    device,
  });
  assert.equal(recalls, undefined);
  assert.equal(contextTokens, 26);
  const n = 12; // the words that are not special; 1 + 2 n tokens fit
  assert.equal(repeated.pairs, 5 * n);
  assert.equal(repeated.heads[0][0].n, 5);
  repeated.heads.forEach((heads, block) =>
    heads.forEach(({ value }, head) => {
      if (block === inductionHead.block && head === inductionHead.head) {
        assert.ok(value > 0.999, `${value}`);
        return;
      }
      // The others attend over a distance of n - 1.
      const slope = alibiSlopes(8)[head];
      const expected = Array.from(
        { length: n },
        (_, i) => distanceAttention(slope, 1 + n + i, 2 + i),
      );
      const mean = expected.reduce((sum, p) => sum + p, 0) / n;
      assertClose([value], [mean], { tolerance: 1e-6, name: `block ${block} head ${head}` });
    })
  );
  assertClose(
    repeated.blocks.map(({ value }) => value),
    repeated.heads.map((heads) => heads.reduce((sum, { value }) => sum + value, 0) / 8),
    { tolerance: 1e-12 },
  );
  assert.deepEqual(recommendation, {
    measure: "repeated",
    isInductionBlock: true,
    sidenet: {
      reductionFactor: 2,
      memoryBlock: 1,
      initialization: { kind: "blocks", blocks: [1] },
    },
  });
});

engineTest(
  "inductionScores looks from the token before each near recall to its last mention",
  async () => {
    const shape = { layers: 2, hiddenDim: 8, heads: 4, feedForwardDim: 8, vocabSize: 322 };
    const T = 96, books = 2;
    const { recalls } = await inductionScores(contentFreeBackbone(shape), {
      ...{ contextTokens: T, books, sequences: 1, seed: 3, device },
    });
    const sums = new Float64Array(4), ofBook: number[] = [], counts: number[] = [];
    let pairs = 0;
    for (const book of writeBooks(defaultChronicle, { seed: "3/induction", count: books })) {
      const before = { sum: sums[3], pairs };
      for (const { position, lastMention } of book.recalls) {
        const start = T * Math.floor((position - 1) / T);
        if (lastMention < start) continue;
        pairs++;
        alibiSlopes(4).forEach((slope, h) =>
          sums[h] += distanceAttention(slope, position - 1 - start, lastMention - start)
        );
      }
      ofBook.push(sums[3] - before.sum);
      counts.push(pairs - before.pairs);
    }
    assert.ok(pairs > 100);
    assert.equal(recalls!.pairs, pairs);
    assert.equal(recalls!.heads[1][3].n, books);
    const expected = [...sums, ...sums].map((sum) => sum / pairs);
    assertClose(values(recalls!), expected, { tolerance: 1e-6 });
    assertClose([recalls!.heads[0][3].stderr!], [ratio(ofBook, counts).stderr!], {
      tolerance: 1e-7,
    });
  },
);

engineTest("inductionScores of random weights is about that of distance alone", async () => {
  const shape = { layers: 4, hiddenDim: 32, heads: 4, feedForwardDim: 64, vocabSize: 322 };
  const weights = initializeBackbone(shape, 7, { kind: "scaled" });
  const measured = await inductionScores({ shape, weights }, { sequences: 8, books: 1, device });
  const blind = await inductionScores(contentFreeBackbone(shape), {
    ...{ sequences: 8, books: 1, device },
  });
  assertClose(values(measured.repeated), values(blind.repeated), { tolerance: 0.002 });
  assertClose(values(measured.recalls!), values(blind.recalls!), { tolerance: 0.015 });
  assert.ok(Math.max(...values(measured.recalls!)) < inductionThreshold / 4);
  assert.equal(measured.recommendation.isInductionBlock, false);
});

engineTest(
  "inductionScores finds block 2 of the chronicle's backbone by both measures",
  async () => {
    const path = repositoryPath("data/chronicle/backbone");
    const options = { sequences: 8, books: 2, device } as const;
    const found = await inductionScores(path, options);
    assert.equal(found.contextTokens, 128);
    const { recommendation, recalls } = found;
    assert.deepEqual(recommendation, {
      measure: "recalls",
      isInductionBlock: true,
      // As experiments/quickstart.ts declares it.
      sidenet: {
        reductionFactor: 2,
        memoryBlock: 2,
        initialization: { kind: "blocks", blocks: [0, 2] },
      },
    });
    recalls!.heads.forEach((heads, block) =>
      heads.slice(2).forEach(({ value }) => assert.equal(value > 0.7, block === 2))
    );
    const alone = await inductionScores(path, { ...options, corpus: "none" });
    assert.equal(alone.recalls, undefined);
    assert.equal(alone.recommendation.measure, "repeated");
    assert.equal(alone.recommendation.sidenet.memoryBlock, 2);
    assert.deepEqual(alone.repeated, found.repeated);
    const other = await inductionScores(path, { ...options, corpus: "none", seed: 2 });
    assert.notDeepEqual(other.repeated, alone.repeated);
  },
);

test("recommendMemoryBlock begins the layer that reads as a copy of the cached block", () => {
  const shape = { layers: 12, hiddenDim: 4, heads: 1, feedForwardDim: 4, vocabSize: 8 };
  const weights = initializeBackbone(shape, 1);
  for (const reductionFactor of [1, 2, 3, 4]) {
    for (let best = 0; best < shape.layers; best++) {
      const blocks = Array.from(
        { length: 12 },
        (_, i) => ({ value: i === best ? 0.3 : 0.2, n: 1 }),
      );
      const repeated = { blocks, heads: blocks.map((block) => [block]), pairs: 1 };
      const { sidenet } = recommendMemoryBlock({ repeated }, { shape, reductionFactor });
      assert.equal(sidenet.memoryBlock, best);
      const sideNet = { ...sidenet, layers: shape.layers / reductionFactor };
      const copied = initializeSideNet(sideNet, { shape, weights }, sidenet.initialization, 1);
      assert.deepEqual(
        copied.get(`layers.${memoryLayer(sideNet)}.self_attn.q_proj.weight`)!.data,
        weights.get(`transformer.h.${best}.attn.q_proj.weight`)!.data,
        `r ${reductionFactor}, R ${best}`,
      );
    }
  }
});

test("recommendMemoryBlock ranks blocks by all heads, and calls one of induction by its best", () => {
  const measure = (heads: number[][]): InductionMeasure => ({
    heads: heads.map((values) => values.map((value) => ({ value, n: 1 }))),
    blocks: heads.map((values) => ({
      value: values.reduce((sum, value) => sum + value, 0) / values.length,
      n: 1,
    })),
    pairs: 1,
  });
  const options = { shape: { layers: 2 }, reductionFactor: 2 };
  const recommended = (heads: number[][], recalls?: number[][]) =>
    recommendMemoryBlock(
      { repeated: measure(heads), ...(recalls ? { recalls: measure(recalls) } : {}) },
      options,
    );
  const broad = recommended([[0.9, 0], [0.5, 0.5]]);
  assert.deepEqual([broad.sidenet.memoryBlock, broad.isInductionBlock], [1, true]);
  const below = recommended([[0.2, 0.2], [inductionThreshold - 1e-6, 0]]);
  assert.deepEqual([below.sidenet.memoryBlock, below.isInductionBlock], [0, false]);
  assert.equal(recommended([[0, 0], [inductionThreshold, 0]]).isInductionBlock, true);
  const both = recommended([[0.9, 0], [0, 0]], [[0, 0], [0.4, 0]]);
  assert.deepEqual([both.measure, both.sidenet.memoryBlock], ["recalls", 1]);
});

engineTest("inductionScores takes windows as long as a backbone has positions for", async () => {
  const sizes = { layers: 2, hiddenDim: 16, heads: 2, feedForwardDim: 64, vocabSize: 60 };
  const { settings } = architectureOf({ architecture: "gpt2" });
  const shape = { ...sizes, architecture: "gpt2", settings: settings!.parse({ positions: 64 }) };
  const backbone = { shape, weights: initializeBackbone(shape, 1) };
  const { contextTokens } = await inductionScores(backbone, { sequences: 1, device });
  assert.equal(contextTokens, 64);
});

engineTest("inductionScores says what is not possible", async () => {
  const backbone = inductionBackbone();
  const range = (message: RegExp) => ({ name: "RangeError", message });
  const scores = (options: Parameters<typeof inductionScores>[1]) =>
    inductionScores(backbone, { ...options, device });
  await assert.rejects(
    scores({ corpus: "chronicle" }),
    range(
      /Cannot measure induction as .* 322 words: current value of the backbone's vocabSize is 16/,
    ),
  );
  await assert.rejects(
    scores({ reductionFactor: 3 }),
    range(
      /reductionFactor must divide the backbone's 2 layers: current value is 3, allowed are 1, 2$/,
    ),
  );
  await assert.rejects(scores({ contextTokens: 4 }), range(/contextTokens .* is 4, allowed are 5/));
  await assert.rejects(scores({ sequences: 0 }), range(/sequences must be a whole number/));
  await assert.rejects(scores({ books: 0.5 }), range(/books must be a whole number/));
  const tiny = { ...backbone.shape, vocabSize: 5 };
  await assert.rejects(
    inductionScores({ shape: tiny, weights: initializeBackbone(tiny, 1) }, { device }),
    range(/two different tokens: current value of vocabSize is 5/),
  );
  await assert.rejects(
    inductionScores({ ...backbone, shape: tiny }, { device }),
    range(/tensor "transformer.wte.weight" has another shape/),
  );
});

engineTest(
  "inductionScores fails where finite weights compute an attention that is not",
  async () => {
    const backbone = inductionBackbone();
    for (const [name, { data }] of backbone.weights) {
      if (/h\.1\.attn\.[qk]_proj/.test(name)) {
        for (let i = 0; i < data.length; i++) {
          data[i] *= 1e25;
        }
      }
    }
    await assert.rejects(
      inductionScores(backbone, { contextTokens: 26, sequences: 2, device }),
      /Cannot measure induction as the attention of block 1, head 7 is NaN: .* float32/,
    );
  },
);
