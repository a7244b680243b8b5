import { copyModel, type CopyOptions } from "../../../src/evaluation/models/copy.ts";
import type { Choices, SegmentRows } from "../../../src/evaluation/shared/language_model.ts";
import { Random } from "../../../src/random.ts";
import { assert, assertClose, test } from "../../testing.ts";

const pad = 1, V = 12;

/** Probabilities of a made-up backbone: of each token after another, whatever came before. */
const table = Array.from({ length: V }, (_, before) => {
  const random = new Random(`row ${before}`);
  const weights = Array.from({ length: V }, () => 1 + random.below(100));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
});

function choose(tokens: Int32Array, targets: Int32Array): Promise<Choices> {
  const probability = (i: number, id: number) => table[tokens[i]][id];
  return Promise.resolve({
    nll: Float32Array.from(targets, (id, i) => -Math.log(probability(i, id))),
    choices: tokens.map((token) => table[token].indexOf(Math.max(...table[token]))),
    ranks: targets.map((id, i) =>
      1 + table[tokens[i]].filter((p) => p > probability(i, id)).length
    ),
  });
}
const backbone = {
  choose,
  score: async (tokens: Int32Array, targets: Int32Array) => (await choose(tokens, targets)).nll,
};

const options: CopyOptions = {
  capacityTokens: 100,
  minMatchTokens: 2,
  maxMatchTokens: 4,
  copyWeight: 0.6,
  shared: false,
  contextTokens: 4,
  windowTokens: 4,
};

function open(change: Partial<CopyOptions> = {}) {
  return copyModel("copy", backbone, { ...options, ...change });
}

/** Rows of one length as a batch; targets are the tokens that follow, and padding at the end. */
function batch(...rows: readonly (readonly number[])[]): SegmentRows {
  return {
    tokens: Int32Array.from(rows.flat()),
    targets: Int32Array.from(rows.flatMap((row) => [...row.slice(1), pad])),
    rows: rows.length,
  };
}

/** The token copied at each position of some text behind what was read, by plain search. */
function bruteForce(read: readonly number[], window: readonly number[], o: CopyOptions) {
  return window.map((_, t) => {
    const kept = read.slice(Math.max(0, read.length - o.capacityTokens));
    const cut = read.length - kept.length;
    const all = [...read, ...window.slice(0, t + 1)];
    for (let n = o.maxMatchTokens; n >= o.minMatchTokens; n--) {
      const suffix = all.slice(-n).join();
      // The copied token and what was matched before it must be in memory or window.
      for (let end = all.length - 1; end >= n + cut; end--) {
        if (all.length >= n && all.slice(end - n, end).join() === suffix) return all[end];
      }
    }
    return undefined;
  });
}

test("copyModel() is a probability distribution, of the copied token and the backbone's", async () => {
  const text = [4, 5, 6, 7, 4, 5, 8, 9, 4, 5];
  const copied = bruteForce([], text, options);
  assert.deepEqual(copied.slice(-2), [undefined, 8]);
  const sums = new Float64Array(text.length);
  for (let id = 0; id < V; id++) {
    const segment = { ...batch(text), targets: new Int32Array(text.length).fill(id) };
    const nll = await open().score(segment);
    nll.forEach((nats, t) => sums[t] += Math.exp(-nats));
    const expected = text.map((token, t) =>
      copied[t] === undefined
        ? table[token][id]
        : (copied[t] === id ? 0.6 : 0) + 0.4 * table[token][id]
    );
    assertClose(nll.map((nats) => Math.exp(-nats)), expected, { tolerance: 1e-6 });
  }
  assertClose(sums, text.map(() => 1), { tolerance: 1e-5 });
});

test("copyModel() copies as a plain search does, from memory and window, row by row", async () => {
  const random = new Random("texts");
  const draw = (length: number) => Array.from({ length }, () => 4 + random.below(3));
  for (
    const change of [
      {},
      { capacityTokens: 0 },
      { capacityTokens: 5 },
      { capacityTokens: 11 },
      { minMatchTokens: 1, maxMatchTokens: 1 },
      { minMatchTokens: 3, maxMatchTokens: 6 },
    ]
  ) {
    const o = { ...options, ...change }, model = open(change);
    const read: number[][] = [[], []];
    for (let row = 0; row < 2; row++) await model.startDocument(row, row);
    for (let segment = 0; segment < 4; segment++) {
      const rows = [draw(8), draw(8)];
      const expected = rows.map((row, i) => bruteForce(read[i], row, o)).flat();
      const { choices: plain } = await choose(Int32Array.from(rows.flat()), new Int32Array(16));
      // A prompt leaves what was read as it is; so that asking twice is the same.
      for (const asked of [await model.ask(batch(...rows)), await model.choose(batch(...rows))]) {
        assert.deepEqual(
          [...asked.choices],
          expected.map((copied, i) => copied ?? plain[i]),
          JSON.stringify(change),
        );
      }
      rows.forEach((row, i) => read[i].push(...row));
    }
    assert.ok(new Set(bruteForce(read[0], draw(8), o)).size > 0);
  }
});

test("copyModel() ranks as its probabilities do, and forgets where a document begins", async () => {
  const model = open();
  const text = [4, 5, 6, 7, 4, 5, 6, 8, 4, 5, 6];
  const rankOf = async (id: number) => {
    const segment = { ...batch(text), targets: new Int32Array(text.length).fill(id) };
    const { nll, ranks, choices } = await model.ask(segment);
    return { nats: nll[10], rank: ranks![10], choice: choices[10] };
  };
  const asked = await Promise.all(Array.from({ length: V }, (_, id) => rankOf(id)));
  for (const { nats, rank, choice } of asked) {
    assert.equal(rank, 1 + asked.filter((other) => other.nats < nats).length);
    assert.equal(choice, 8);
  }
  await model.startDocument(0, 0);
  await model.read(batch([4, 5, 6, 9]));
  const { choices } = await model.ask(batch([4, 5, 6]));
  assert.equal(choices[2], 9);
  await model.startDocument(0, 1);
  const { choices: forgotten } = await model.ask(batch([4, 5, 6]));
  assert.equal(forgotten[2], table[6].indexOf(Math.max(...table[6])));
});

test("copyModel() asks all rows about what row 0 has read where it is shared, and skips padding", async () => {
  const model = open({ shared: true });
  await model.read({ ...batch([4, 5, pad, pad, pad]), lengths: [3] });
  await model.read(batch([9]));
  const { choices } = await model.ask(batch([4, 5, pad], [3, 5, pad]));
  assert.deepEqual(
    [choices[2], choices[5]],
    [9, 9],
    "9 followed a token of padding's id, not padding",
  );
});

test("copyModel() reads exactly the memory's text and the window", async () => {
  // "4 5" is followed by 6 at positions 0 to 2; 4 tokens stand between; the window asks what follows "4 5".
  const read = [4, 5, 6, 7, 8, 9, 10], window = [4, 5];
  const copiedAt = async (capacityTokens: number) => {
    const model = open({ capacityTokens, minMatchTokens: 2, maxMatchTokens: 2 });
    await model.startDocument(0, 0);
    await model.read(batch(read));
    return (await model.ask(batch(window))).choices[1] === 6;
  };
  const [, plain] = (await choose(Int32Array.from(window), new Int32Array(2))).choices;
  assert.notEqual(plain, 6, "the backbone itself names another");
  assert.deepEqual(await Promise.all([7, 6, 5, 0].map(copiedAt)), [true, false, false, false]);
  // Without a memory, the tokens just before the window are not in sight either.
  const model = open({ capacityTokens: 0, minMatchTokens: 2, maxMatchTokens: 2 });
  await model.startDocument(0, 0);
  await model.read(batch([8, 4]));
  const { choices } = await model.ask(batch([5, 6, 4, 5]));
  assert.equal(choices[3], plain, "the first 5 is in the window, the 4 before it is not");
});

test("copyModel() behind a sliding window searches what it shows, and has the backbone see it", async () => {
  const seen: number[][] = [];
  const model = {
    score(tokens: Int32Array, targets: Int32Array, asked?: { mask?: ArrayLike<number> }) {
      seen.push([...tokens].filter((_, i) => asked?.mask?.[i] === 1));
      return Promise.resolve(new Float32Array(targets.length).fill(1));
    },
    choose: () => Promise.reject(new Error("is not asked")),
  };
  const segment = (...tokens: number[]) => ({
    tokens: Int32Array.from(tokens),
    targets: Int32Array.of(...tokens.slice(1), 7),
    rows: 1,
  });
  const scores = async (windowTokens: number, capacityTokens: number) => {
    seen.length = 0;
    const copying = copyModel("copy", model, { ...options, windowTokens, capacityTokens });
    await copying.startDocument(0, 0);
    await copying.score(segment(5, 6, 7, 8));
    await copying.score(segment(9, 10, 9, 11));
    return await copying.score(segment(10, 11, 5, 6)); // 7 follows, as it did at first
  };
  const mixed = -Math.log(0.6 + 0.4 * Math.exp(-1));
  assertClose(await scores(8, 0), [1, 1, 1, 1], { tolerance: 1e-6 });
  assert.deepEqual(seen, [[5, 6, 7, 8], [5, 6, 7, 8, 9, 10, 9, 11], [9, 10, 9, 11, 10, 11, 5, 6]]);
  assertClose(await scores(12, 0), [1, 1, 1, mixed], { tolerance: 1e-6 });
  assertClose(await scores(8, 4), [1, 1, 1, mixed], { tolerance: 1e-6 });
  // A document forgets what the window showed.
  const copying = copyModel("copy", model, { ...options, windowTokens: 8, capacityTokens: 0 });
  await copying.score(segment(5, 6, 7, 8));
  await copying.startDocument(0, 1);
  seen.length = 0;
  await copying.score(segment(9, 9, 5, 6));
  assert.deepEqual(seen, [[9, 9, 5, 6]]);
});
