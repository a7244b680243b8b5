import { DocumentStream } from "../../src/text/document_stream.ts";
import { RepetitionStream } from "../../src/text/repetition_stream.ts";
import { assert, test } from "../testing.ts";

const T = 12, pad = 1;
const documents = [{
  name: "counting",
  tokens: Int32Array.from({ length: 100 }, (_, i) => 1000 + i),
  words: 100,
}];
const ids = Array.from({ length: 50 }, (_, i) => 10 + i);

function streams() {
  const corpus = () =>
    new DocumentStream(documents, { batchSize: 1, contextTokens: T, pad, seed: 3 });
  return { corpus: corpus(), mixed: new RepetitionStream(corpus(), { rows: 2, ids, seed: 7 }) };
}

test("RepetitionStream leaves the rows of the corpus as they are, and adds rows of tokens that repeat", () => {
  const { corpus, mixed } = streams();
  assert.equal(mixed.batchSize, 3);
  assert.equal(mixed.stepsPerEpoch, corpus.stepsPerEpoch);
  const phrases: string[] = [];
  for (let step = 0; step < 20; step++) {
    const read = corpus.next(), batch = mixed.next();
    assert.deepEqual(batch.tokens.slice(0, T), read.tokens);
    assert.deepEqual(batch.targets.slice(0, T), read.targets);
    assert.deepEqual(batch.starts, [...read.starts, true, true]);
    assert.deepEqual(batch.targetTokens, [...read.targetTokens!, T, T]);
    assert.equal(batch.epoch, read.epoch);
    for (const row of [1, 2]) {
      const tokens = Array.from(batch.tokens.subarray(row * T, (row + 1) * T));
      const targets = Array.from(batch.targets.subarray(row * T, (row + 1) * T));
      assert.deepEqual(targets.slice(0, -1), tokens.slice(1));
      const all = [...tokens, targets.at(-1)!];
      const period = new Set(all).size;
      assert.ok(period >= 4 && period <= T / 2, `a phrase of ${period} tokens`);
      assert.deepEqual(all, all.map((_, t) => all[t % period]));
      assert.ok(all.every((id) => ids.includes(id)));
      phrases.push(all.join());
    }
  }
  assert.equal(new Set(phrases).size, 40, "every row has a phrase of its own");
});

test("RepetitionStream.seek() goes on as if it had never stopped", () => {
  const { mixed } = streams();
  for (let step = 0; step < 11; step++) mixed.next();
  const position = JSON.parse(JSON.stringify(mixed.position()));
  const following = [mixed.next(), mixed.next()];
  const other = streams().mixed;
  other.seek(position);
  assert.deepEqual([other.next(), other.next()], following);
  for (const step of [undefined, -1, 2 ** 53]) {
    assert.throws(
      () => other.seek({ corpus: position.corpus, step }),
      /Cannot seek in batches with repeated tokens .* current value is/,
    );
  }
});

test("RepetitionStream refuses a vocabulary that has too few tokens for a phrase", () => {
  const { corpus } = streams();
  assert.throws(
    () => new RepetitionStream(corpus, { rows: 1, ids: ids.slice(0, T - 1), seed: 7 }),
    /Cannot repeat random tokens .* current values are 12 tokens of a segment and 11 of the vocabulary/,
  );
});
