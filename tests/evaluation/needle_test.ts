import { needleMetrics, sumsOf } from "./measured_metrics.ts";
import { languageModel, type PromptedModel } from "../../src/evaluation/shared/language_model.ts";
import { askNeedles, needle } from "../../src/evaluation/needle.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import type { SampleRecord } from "../../src/results/records.ts";
import { type NeedleText, type NeedleWording, writeNeedleTexts } from "../../src/text/needle.ts";
import { testedDevice } from "../graph/devices.ts";
import { ReferenceMemory, referencePass } from "../longmem/reference_model.ts";
import { smallParts } from "../longmem/random_model.ts";
import { assert, assertClose, test } from "../testing.ts";

/** The words of a model of 31 tokens: "9 NAME VALUE VALUE 8" among "4 5 6". */
const wording: NeedleWording = {
  bos: 0,
  facts: (count, random) => {
    const names = random.shuffle([10, 11, 12, 13, 14, 15]).slice(0, count);
    return names.map((name) => {
      const answer = [16 + random.below(6), 24 + random.below(6)];
      return { statement: [9, name, ...answer, 8], answerStart: 2, question: [9, name], answer };
    });
  },
  filler: () => [4, 5, 6],
};

const pad = 1;
const options = { rows: 2, memory: "per-row", pad, chunkTokens: 4 } as const;

/** Knows what it has read in its last `capacity` tokens, and names what followed the last two tokens there. */
function lookup(capacity: number): PromptedModel {
  const read = new Map<number, number[]>();
  const ask: PromptedModel["ask"] = ({ tokens, targets, rows }) => {
    const T = tokens.length / rows;
    const choices = tokens.map((_, i) => {
      const row = Math.floor(i / T), here = [...tokens.subarray(row * T, i + 1)];
      const all = [...(read.get(row) ?? []).slice(-capacity), ...here];
      const [a, b] = here.slice(-2);
      const place = all.findIndex((id, j) => j < all.length - 2 && id === a && all[j + 1] === b);
      return place < 0 ? 3 : all[place + 2];
    });
    return Promise.resolve({
      nll: new Float32Array(tokens.length).fill(0.5),
      choices,
      ranks: choices.map((choice, i) => choice === targets[i] ? 1 : 4),
    });
  };
  return {
    name: "lookup",
    startDocument(row) {
      read.set(row, []);
      return Promise.resolve();
    },
    read({ tokens, rows }) {
      const T = tokens.length / rows;
      for (let row = 0; row < rows; row++) {
        read.get(row)?.push(...tokens.subarray(row * T, (row + 1) * T));
      }
      return Promise.resolve();
    },
    ask,
    choose: ask,
    score: () => Promise.reject(new Error("not asked")),
  };
}

const texts = writeNeedleTexts({
  wording,
  distances: [8, 30, 60],
  needles: [1, 3],
  instances: 4,
  contextTokens: 16,
  seed: 1,
});

test("askNeedles() finds right what a model can still know, and wrong what it has forgotten", async () => {
  const samples = await askNeedles(lookup(32), texts, options);
  assert.deepEqual(
    samples.map(({ item }) => item),
    [0, 1, 2, 3].flatMap((i) => `1/${i}`).concat(
      [0, 1, 2, 3].map((i) => `3/${i}`),
    ),
  );
  for (const { distances, correct, ranks, nats } of samples) {
    assert.deepEqual(distances, [8, 30, 60]);
    assert.deepEqual(correct, [1, 1, 0]);
    assert.deepEqual(ranks, [1, 1, 4]);
    assert.deepEqual(nats, [1, 1, 1]); // two tokens of half a nat
  }
  const all = await askNeedles(lookup(1000), texts, options);
  assert.ok(all.every(({ correct }) => (correct as number[]).every(Boolean)));
});

test("askNeedles() wants every token of an answer", async () => {
  const model = lookup(1000);
  const half: PromptedModel = {
    ...model,
    async ask(prompt) {
      const said = await model.ask(prompt);
      return { ...said, choices: said.choices.map((id) => id >= 24 ? 3 : id) };
    },
  };
  const samples = await askNeedles(half, texts, options);
  assert.ok(samples.every(({ correct }) => (correct as number[]).every((value) => value === 0)));
});

test("needleMetrics() gives shares by distance and number of facts, and the paired difference", () => {
  const record = (
    item: string,
    needles: number,
    fields: Record<string, number[]>,
  ): SampleRecord => ({
    item,
    needles,
    ...fields,
  });
  const samples = [
    record("1/0", 1, {
      distances: [8, 60],
      correct: [1, 0],
      ranks: [1, 4],
      retrieved: [-1, 1],
      headShares: [-1, 0.5],
    }),
    record("1/1", 1, {
      distances: [8, 60],
      correct: [1, 1],
      ranks: [1, 1],
      retrieved: [-1, 0],
      headShares: [-1, 0],
    }),
    record("2/0", 2, {
      distances: [8, 60],
      correct: [0, 0],
      ranks: [2, 5],
      retrieved: [-1, 1],
      headShares: [-1, 1],
    }),
    record("2/1", 2, {
      distances: [8, 60],
      correct: [1, 0],
      ranks: [1, 10],
      retrieved: [-1, 0],
      headShares: [-1, 0.25],
    }),
  ];
  const nothing = samples.map((sample) => ({ ...sample, correct: [1, 0] }));
  const labels = { evaluation: "needle", model: "longmem" };
  const metrics = needleMetrics(labels, samples, { model: "backbone", samples: nothing });
  const value = (name: string) => metrics.find((metric) => metric.name === name)?.value;
  const expected = {
    "accuracy": 4 / 8,
    "accuracy at 8": 3 / 4,
    "accuracy at 60": 1 / 4,
    "accuracy of 1": 3 / 4,
    "accuracy of 2 at 8": 1 / 2,
    "accuracy of 2 at 60": 0,
    "reciprocal rank at 60": (1 / 4 + 1 + 1 / 5 + 1 / 10) / 4,
    "retrieved by any head": 1 / 2,
    "retrieved by any head at 60": 1 / 2,
    "retrieved by a head of 2 at 60": 0.625,
    "accuracy over backbone": 0,
    "accuracy at 60 over backbone": 1 / 4,
    "accuracy at 8 over backbone": -1 / 4,
  };
  for (const [name, share] of Object.entries(expected)) {
    assertClose([value(name)!], [share], { tolerance: 1e-12, name });
  }
  assert.equal(
    value("retrieved by any head at 8"),
    undefined,
    "what is in the prompt does not count",
  );
  assert.ok(metrics.every(({ n }) => n === 4 || n === 2));
  // Instances are the units: 1, 1, 0 and 1 of 4 are right at 8 tokens.
  const near = metrics.find(({ name }) => name === "accuracy at 8")!;
  assertClose([near.stderr!], [Math.sqrt(0.1875 / 3)], { tolerance: 1e-12 });
  // Tables compare by the same sums.
  for (const metric of metrics.filter(({ name }) => !name.includes(" over "))) {
    assert.equal(sumsOf(needle, metric.name, samples)?.items.length, metric.n, metric.name);
  }
  const without = samples.map(({ retrieved: _r, headShares: _h, ...sample }) =>
    sample as SampleRecord
  );
  assert.ok(needleMetrics(labels, without).every(({ name }) => !name.startsWith("retrieved")));
});

/** By doubles and plain loops: which heads retrieve the chunks of a value, with the bank as lists of chunks of known tokens. */
function bruteForce(
  parts: ReturnType<typeof smallParts>,
  text: NeedleText,
  prompt: number,
): number[] {
  const { chunkTokens: c } = parts.memory;
  const memory = new ReferenceMemory(parts.memory, 1);
  /** First token of each chunk in the bank. */
  const chunks: number[] = [];
  text.reading.forEach((segment, s) => {
    const T = segment.length;
    for (let t = 0; t + c <= T; t += c) chunks.push(s * T + t);
    referencePass(parts, memory, segment, { rows: 1 });
    chunks.splice(0, chunks.length - memory.bankOf(0).length);
  });
  const { tokens, scored, places } = text.prompts[prompt];
  const { retrieved } = referencePass(parts, memory, tokens.slice(0, -1), {
    rows: 1,
    readOnly: true,
  });
  const shares = places.map((place, i) => {
    const heads = retrieved[tokens.length - 1 - scored + i]!;
    const finds = heads.map((ages) =>
      ages.some((age) => age >= 0 && chunks[age] <= place && place < chunks[age] + c)
    );
    return finds.filter(Boolean).length / heads.length;
  });
  return shares;
}

for (const capacityTokens of [28, 80]) {
  test({
    name: `askNeedles() says which facts a memory of ${capacityTokens} tokens retrieves`,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      // Chunks of 5 tokens in segments of 16: the last token of each is lost.
      const parts = smallParts({ capacityTokens, chunkTokens: 5, retrievedTokens: 10 });
      const model = new LongMem(await testedDevice("cpu"), parts);
      const longmem = languageModel("longmem", model, "longmem");
      const samples = await askNeedles(longmem, texts, { ...options, chunkTokens: 5 });
      await model.close();
      const found = new Map<string, { retrieved: number[]; headShares: number[] }>();
      for (const text of texts) {
        const item = `${text.needles}/${text.instance}`;
        const entry = found.get(item) ?? { retrieved: [], headShares: [] };
        found.set(item, entry);
        text.prompts.forEach(({ places }, i) => {
          const shares = bruteForce(parts, text, i);
          entry.retrieved.push(
            places.length === 0 ? -1 : Number(shares.every((share) => share > 0)),
          );
          entry.headShares.push(
            places.length === 0
              ? -1
              : shares.reduce((sum, share) => sum + share, 0) / shares.length,
          );
        });
      }
      const seen: number[] = [];
      for (const { item, retrieved, headShares } of samples) {
        assert.deepEqual(retrieved, found.get(item)!.retrieved, item);
        assertClose(headShares as number[], found.get(item)!.headShares, {
          tolerance: 1e-12,
          name: item,
        });
        seen.push(...headShares as number[]);
      }
      assert.ok(
        seen.includes(0) && seen.includes(-1) && seen.some((share) => share > 0),
        `${seen}`,
      );
    },
  });
}

test("askNeedles() asks nothing of a memory that there is not", async () => {
  const samples = await askNeedles(lookup(1000), texts, { ...options, chunkTokens: undefined });
  assert.ok(samples.every((sample) => !("retrieved" in sample) && !("headShares" in sample)));
});
