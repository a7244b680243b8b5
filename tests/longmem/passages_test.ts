import { modelOf } from "../../src/checkpoint/load.ts";
import type { MemoryReading } from "../../src/longmem/explanation.ts";
import { rememberDocument } from "../../src/longmem/generation.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { explainToken, inspectDocument, passagesOf } from "../../src/longmem/passages.ts";
import { testedDevice } from "../graph/devices.ts";
import { assert, assertClose, test } from "../testing.ts";
import { randomTokens, smallMemory, smallParts } from "./random_model.ts";

test("passagesOf() joins adjacent chunks and adds up what each head takes of them", () => {
  const reading: MemoryReading = {
    nll: new Float32Array(2),
    nllWithout: new Float32Array(2),
    nllHidden: [],
    heads: 2,
    positions: 2,
    chunks: 3,
    chunkTokens: 2,
    // Of head 0 the chunks of both positions, then of head 1.
    starts: Float64Array.of(...[0, 0, 0], ...[8, 20, 6], ...[0, 0, 0], ...[11, 40, -1]),
    weights: Float32Array.of(
      ...Array(6).fill(1 / 6),
      ...[0.125, 0.125, 0.25, 0.25, 0, 0.25],
      ...Array(6).fill(1 / 6),
      ...[0.25, 0.25, 0.125, 0.375, 0, 0],
    ),
    gates: Float32Array.of(0.5, 0.25),
  };
  // A gap of one token, which fills no chunk, lies between tokens 9 and 11.
  assert.deepEqual(passagesOf(reading, 1), [
    { start: 6, end: 13, shares: [0.25, 0.125] },
    { start: 20, end: 22, shares: [0.25, 0] },
    { start: 40, end: 42, shares: [0, 0.125] },
  ]);
});

/** A model with a document in its memory. */
async function withDocument() {
  const parts = smallParts({ capacityTokens: 100 });
  const model = new LongMem(await testedDevice("cpu"), parts);
  await model.remember(randomTokens(96, "document"));
  return modelOf(model, parts.memory!);
}

test("explainToken() hides in turn what the position before a token reads most", async () => {
  const model = await withDocument();
  const text = randomTokens(40, "text"), token = text[39];
  for (const [length, contextTokens] of [[10, 36], [39, 36]]) {
    const window = text.slice(39 - length, 39), seen = window.slice(-contextTokens);
    const targets = Int32Array.of(token);
    const found = await explainToken(model, token, window, { contextTokens, passages: 2 });
    const whole = await model.score(seen, targets, { readOnly: true });
    assertClose([found.probability], [Math.exp(-whole[0])], { tolerance: 1e-5 });
    const alone = await model.score(seen, targets, { network: "sidenet" });
    assertClose([found.without], [Math.exp(-alone[0])], { tolerance: 1e-5 });
    const reading = await model.explain(seen, targets, { hidden: found.passages });
    const together = await model.explain(seen, targets, { hidden: [found.passages] });
    const all = Math.exp(-together.nllHidden[0][0]);
    assertClose([found.withoutAll], [all], { tolerance: 1e-5 });
    assert.ok(found.passages.every(({ without }) => Math.abs(Math.log(without / all)) > 1e-4));
    const read = passagesOf(reading, seen.length - 1);
    assert.ok(read.length > 2, "more is read than is looked at");
    const looked = read.slice(0, 2).map(({ start }) => start).sort();
    assert.deepEqual(found.passages.map(({ start }) => start).sort(), looked);
    found.passages.forEach((passage, i) => {
      assertClose([passage.without], [Math.exp(-reading.nllHidden[i][0])], { tolerance: 1e-5 });
    });
    assert.ok(found.passages[0].without < found.passages[1].without, "what raises it most first");
    assert.ok(
      found.passages.some(({ without }) => Math.abs(Math.log(without / found.probability)) > 1e-3),
    );
  }
  await model.close();
});

test("inspectDocument() scores every token as passes do, and leaves the document in memory", async () => {
  const document = randomTokens(30, "a document"), contextTokens = 8, chunkTokens = 4;
  const parts = smallParts(), device = await testedDevice("cpu");
  const model = new LongMem(device, parts), other = new LongMem(device, parts);
  const read: number[] = [];
  const found = await inspectDocument(model, document, {
    contextTokens,
    chunkTokens,
    passages: 3,
    progress: (tokens) => void read.push(tokens),
  });
  assert.deepEqual(read, [8, 16, 24, 30]);
  assert.ok(Number.isNaN(found.probabilities[0]) && found.passages[0].length === 0);
  for (let start = 0; start < 29; start += contextTokens) {
    const tokens = document.slice(start, Math.min(29, start + contextTokens));
    const targets = document.slice(start + 1, start + 1 + tokens.length);
    for (
      const [network, probabilities] of [
        ["longmem", found.probabilities],
        ["sidenet", found.without],
      ] as const
    ) {
      const nll = await other.score(tokens, targets, { network, readOnly: true });
      const ofSegment = probabilities.slice(start + 1, start + 1 + tokens.length);
      assertClose(ofSegment, nll.map((x) => Math.exp(-x)), { tolerance: 1e-5 });
    }
    const { starts } = await other.explain(tokens, targets);
    const known = new Set(starts);
    for (const passages of found.passages.slice(start + 1, start + 1 + tokens.length)) {
      assert.ok(passages.length <= 3 && passages.every(({ start }) => known.has(start)));
      assert.equal(passages.length > 0, start > 0);
    }
    await other.remember(document.slice(start, start + contextTokens));
  }
  await other.resetMemory();
  await rememberDocument(modelOf(other, smallMemory), document, { contextTokens });
  const bytes = await Promise.all([model, other].map((one) => one.memoryBytes()));
  assert.deepEqual(bytes[0], bytes[1]);
  assert.deepEqual([...model.rememberedIds({ start: 8, end: 13 })], [...document.slice(8, 16)]);
  // 7 chunks of 4 tokens are held, of which the oldest of the 7 written is that of token 0.
  await model.remember(randomTokens(8, "more"));
  assert.deepEqual([...model.rememberedIds({ start: 0, end: 12 })], [...document.slice(8, 12)]);
  assert.equal(smallMemory.capacityTokens, 28);
  await model.close();
  await other.close();
});
