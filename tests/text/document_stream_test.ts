import { DocumentStream, type DocumentStreamOptions } from "../../src/text/document_stream.ts";
import type { TokenizedDocument } from "../../src/text/document_tokens.ts";
import { assert, test } from "../testing.ts";

const pad = 1;

/** Document n has the tokens 1000 n, 1000 n + 1, ... */
function documentsOf(lengths: readonly number[]): TokenizedDocument[] {
  return lengths.map((length, n) => ({
    name: `document ${n + 1}`,
    tokens: Int32Array.from({ length }, (_, i) => 1000 * (n + 1) + i),
    words: length,
  }));
}

const options: DocumentStreamOptions = { batchSize: 2, contextTokens: 4, pad, seed: 5 };
const lengths = [9, 3, 22, 5, 14, 6, 2];

/** Reads segments row by row and joins them into documents; checks what holds for every batch. */
function readDocuments(stream: DocumentStream, batches: number): number[][] {
  const { batchSize: B, contextTokens: T } = stream;
  const open: number[][] = Array.from({ length: B }, () => []);
  const closed: number[][] = [];
  for (let step = 0; step < batches; step++) {
    const batch = stream.next();
    assert.equal(batch.epoch, Math.floor(step / stream.stepsPerEpoch));
    assert.equal(batch.endsEpoch, (step + 1) % stream.stepsPerEpoch === 0);
    for (let b = 0; b < B; b++) {
      const tokens = Array.from(batch.tokens.subarray(b * T, b * T + T)).filter((id) => id !== pad);
      const targets = Array.from(batch.targets.subarray(b * T, b * T + T));
      // Padding is at the right, of tokens and targets alike.
      assert.deepEqual(
        targets,
        Array.from(targets, (_, t) => t < tokens.length ? tokens[t] + 1 : pad),
      );
      assert.equal(batch.tokens[b * T], tokens[0]);
      if (batch.starts[b]) {
        if (step > 0) closed.push(open[b]);
        open[b] = [];
      }
      open[b].push(...tokens);
    }
  }
  return closed;
}

test("DocumentStream reads whole documents from beginning to end, all equally often", () => {
  const documents = documentsOf(lengths);
  const stream = new DocumentStream(documents, options);
  // Segments: 2 + 1 + 6 + 1 + 4 + 2 + 1 = 17 in two rows.
  assert.equal(stream.stepsPerEpoch, 9);
  const read = readDocuments(stream, 900);
  const counts = new Array(lengths.length).fill(0);
  for (const tokens of read) {
    const n = Math.floor(tokens[0] / 1000) - 1;
    assert.deepEqual(tokens, Array.from(documents[n].tokens.subarray(0, -1)));
    counts[n]++;
  }
  // 1,800 segments are 105.9 rounds; what the rows read last is not counted.
  assert.ok(Math.max(...counts) <= 107 && Math.min(...counts) >= 104, `read ${counts} times`);
});

test("DocumentStream deals the documents of each round in an order of its own, which the seed decides", () => {
  // Documents of one segment and one row: the order of the sequence is that of the batches.
  const order = (seed: number, rounds: number) => {
    const stream = new DocumentStream(documentsOf(new Array(8).fill(4)), {
      ...options,
      batchSize: 1,
      seed,
    });
    assert.equal(stream.stepsPerEpoch, 8);
    return Array.from(
      { length: rounds },
      () => Array.from({ length: 8 }, () => stream.next().tokens[0] / 1000).join(""),
    );
  };
  const rounds = order(5, 20);
  for (const round of rounds) assert.equal([...round].sort().join(""), "12345678");
  assert.equal(new Set(rounds).size, 20);
  assert.deepEqual(order(5, 20), rounds);
  assert.notEqual(order(6, 1)[0], rounds[0]);
});

test("DocumentStream gives the next document to the first row that needs one", () => {
  const single = new DocumentStream(documentsOf(lengths), { ...options, batchSize: 1 });
  const sequence: number[] = [];
  for (let i = 0; i < 100; i++) {
    const { tokens, starts } = single.next();
    if (starts[0]) sequence.push(tokens[0]);
  }
  const stream = new DocumentStream(documentsOf(lengths), { ...options, batchSize: 3 });
  const dealt: number[] = [];
  for (let i = 0; i < 20; i++) {
    const { tokens, starts } = stream.next();
    for (let b = 0; b < 3; b++) if (starts[b]) dealt.push(tokens[b * 4]);
  }
  // 60 segments, of which a document has 17 / 7.
  assert.ok(dealt.length >= 20, `${dealt.length} documents`);
  assert.deepEqual(dealt, sequence.slice(0, dealt.length));
});

test("DocumentStream.seek() continues where position() was taken, wherever that is", () => {
  const open = () => new DocumentStream(documentsOf(lengths), options);
  const stream = open(), later = open();
  for (let step = 0; step < 40; step++) {
    const resumed = open();
    resumed.seek(JSON.parse(JSON.stringify(stream.position())));
    for (let i = 0; i < 30; i++) assert.deepEqual(resumed.next(), later.next());
    stream.next();
    later.seek(stream.position());
  }
  const position = stream.position();
  const next = [stream.next(), stream.next(), stream.next()];
  for (let again = 0; again < 2; again++) {
    stream.seek(position);
    assert.deepEqual([stream.next(), stream.next(), stream.next()], next);
  }
  stream.seek(open().position());
  assert.deepEqual(stream.next(), open().next());
});

test("DocumentStream cuts long documents into parts that lose no target", () => {
  const stream = new DocumentStream(documentsOf([12]), {
    ...options,
    batchSize: 1,
    maxDocumentTokens: 5,
  });
  // Targets 1 .. 11 in parts of 5, 5 and 1, each in segments of 4.
  assert.equal(stream.stepsPerEpoch, 5);
  const targets: number[] = [];
  let starts = 0;
  for (let i = 0; i < 5; i++) {
    const batch = stream.next();
    if (batch.starts[0]) starts++;
    for (const id of batch.targets) if (id !== pad) targets.push(id);
  }
  assert.equal(starts, 3);
  assert.deepEqual(targets.sort((a, b) => a - b), Array.from({ length: 11 }, (_, i) => 1001 + i));
});

test("DocumentStream rejects fewer documents than rows, and empty ones", () => {
  const fewest = new DocumentStream(documentsOf([9, 2]), options);
  assert.deepEqual(fewest.next().starts, [true, true]);
  assert.throws(() => new DocumentStream(documentsOf([9]), options), {
    name: "RangeError",
    message:
      /^Cannot deal documents to 2 rows as every row needs one: current number of documents is 1; a smaller batchSize or corpus.maxDocumentTokens/,
  });
  assert.throws(() => new DocumentStream(documentsOf([9, 1]), options), {
    name: "RangeError",
    message:
      'Cannot cut document "document 2" into segments as it must have two tokens or more: current value is 1',
  });
});

test("DocumentStream.seek() rejects a position of another stream", () => {
  const stream = new DocumentStream(documentsOf(lengths), options);
  const other = new DocumentStream(documentsOf([...lengths, 8]), options);
  const wider = new DocumentStream(documentsOf(lengths), { ...options, batchSize: 3 });
  for (let i = 0; i < 3; i++) {
    other.next();
    wider.next();
  }
  const position = other.position() as { rows: { part: number; segment: number }[] };
  const here = { ...position, parts: 7, stepsPerEpoch: 9 };
  stream.seek({ ...here, rows: [{ part: 0, segment: 2 }, { part: 6, segment: 1 }] });
  for (
    const position of [
      undefined,
      {},
      other.position(),
      wider.position(),
      { ...here, rows: [] },
      { ...here, rows: [{ part: 0, segment: 3 }, { part: 6, segment: 1 }] },
      { ...here, rows: [{ part: 0, segment: 2 }, { part: 7, segment: 1 }] },
    ]
  ) {
    assert.throws(() => stream.seek(position), {
      name: "RangeError",
      message:
        /^Cannot seek in documents as the position must be that of a stream with 2 rows, 7 documents and 9 steps/,
    });
  }
});
