import {
  languageModel,
  otherDocuments,
  otherReadings,
  readableText,
  type ScoredLongMem,
} from "../../../src/evaluation/shared/language_model.ts";
import { severalOtherTexts } from "../../../src/evaluation/shared/other_texts.ts";
import { otherDocumentModel } from "../../../src/evaluation/shared/other_document.ts";
import { scoreDocuments } from "../../../src/evaluation/perplexity.ts";
import { readDocuments } from "../../../src/evaluation/shared/read_documents.ts";
import { LongMem } from "../../../src/longmem/longmem.ts";
import { testedDevice } from "../../graph/devices.ts";
import { assert, assertClose, test } from "../../testing.ts";
import { smallBackbone, smallMemory, smallSideNet } from "../../training/small_training.ts";
import {
  randomBackbone,
  randomIds,
  randomSideNet,
  smallShapes,
} from "../../architectures/small_models.ts";
import { cutDocument, cutSegments } from "../../../src/text/segments.ts";
import { pad, randomDocuments } from "../small_documents.ts";

/** A LongMem that writes down what is asked of it. */
function recordingLongMem(): { model: ScoredLongMem; calls: unknown[][] } {
  const calls: unknown[][] = [];
  const model: ScoredLongMem = {
    score: (tokens, targets, options) => {
      calls.push(["score", [...tokens], [...targets], options]);
      return Promise.resolve(new Float32Array(tokens.length));
    },
    choose: (tokens, targets, options) => {
      calls.push(["choose", [...tokens], [...targets], options]);
      return Promise.resolve({
        nll: new Float32Array(tokens.length),
        choices: new Int32Array(tokens.length),
      });
    },
    remember: (tokens, options) => {
      calls.push(["remember", [...tokens], options]);
      return Promise.resolve();
    },
    resetMemory: (rows) => {
      calls.push(["resetMemory", rows]);
      return Promise.resolve();
    },
  };
  return { model, calls };
}

test("languageModel() resets a row's memory where its document begins, and lets score() write", async () => {
  const { model, calls } = recordingLongMem();
  const scored = languageModel("longmem", model, "longmem");
  await scored.startDocument(1, 5);
  const tokens = Int32Array.of(4, 5, 6, 7), targets = Int32Array.of(5, 6, 7, 8);
  await scored.score({ tokens, targets, rows: 2 });
  await scored.choose({ tokens, targets, rows: 2 });
  assert.deepEqual(calls, [
    ["resetMemory", [1]],
    ["score", [4, 5, 6, 7], [5, 6, 7, 8], { batch: 2, network: "longmem" }],
    ["choose", [4, 5, 6, 7], [5, 6, 7, 8], { batch: 2, network: "longmem" }],
  ]);
});

test("otherDocumentModel() scores without writing, then writes the next document's segment", async () => {
  const documents = randomDocuments([6, 4, 9], { contextTokens: 3 });
  const { model, calls } = recordingLongMem();
  await scoreDocuments(otherDocumentModel("other", model, otherDocuments(documents)), documents, {
    rows: 1,
    pad,
  });
  const tokens = (document: number, segment: number) => [
    ...documents[document].segments[segment].tokens,
  ];
  const resets = calls.filter(([name]) => name === "resetMemory");
  assert.equal(resets.length, 3);
  for (const [, , , options] of calls.filter(([name]) => name === "score")) {
    assert.deepEqual(options, { batch: 1, readOnly: true });
  }
  // Longest first: 2 remembers 0, 0 remembers 1, 1 remembers 2.
  assert.deepEqual(
    calls.map(([name, of]) => name === "resetMemory" ? name : [name, of]),
    [
      "resetMemory",
      ...[["score", tokens(2, 0)], ["remember", tokens(0, 0)]],
      ...[["score", tokens(2, 1)], ["remember", tokens(0, 1)]],
      ...[["score", tokens(2, 2)], ["remember", tokens(0, 0)]], // read again
      "resetMemory",
      ...[["score", tokens(0, 0)], ["remember", tokens(1, 0)]],
      ...[["score", tokens(0, 1)], ["remember", tokens(1, 0)]], // its end is padded
      "resetMemory",
      ...[["score", tokens(1, 0)], ["remember", tokens(2, 0)]],
      ...[["score", tokens(1, 1)], ["remember", tokens(2, 1)]],
    ],
  );
});

test("otherDocumentModel() chooses from the memory that it would score with", async () => {
  const documents = randomDocuments([6, 4, 9], { contextTokens: 3 });
  const read = async (asks: "score" | "choose") => {
    const { model, calls } = recordingLongMem();
    const other = otherDocumentModel("other", model, otherDocuments(documents));
    await readDocuments<unknown>(other, documents, { rows: 2, pad }, {
      read: (batch) => other[asks](batch),
      nll: () => new Float32Array(99),
      take: () => {},
    });
    return calls.map(([name, ...of]) => [name === "choose" ? "score" : name, ...of]);
  };
  assert.deepEqual(await read("choose"), await read("score"));
});

test("otherDocumentModel() remembers no padding, and nothing of the document itself", async () => {
  const other = (lengths: readonly number[][], T = 4) =>
    lengths.map((segments) => ({
      segments: segments.map((targetTokens) => ({
        tokens: Int32Array.from({ length: T }, (_, t) => t < targetTokens ? 10 * T + t : pad),
        targetTokens,
      })),
    }));
  const remembered = async (others: ReturnType<typeof other>) => {
    const { model, calls } = recordingLongMem();
    const control = otherDocumentModel("other", model, others);
    for (let row = 0; row < others.length; row++) await control.startDocument(row, row);
    await control.read({
      tokens: Int32Array.from({ length: 4 * others.length }, () => 5),
      rows: others.length,
    });
    return calls.at(-1)![1];
  };
  // Shorter than a segment: told again and again, as longer ones are.
  assert.deepEqual(await remembered(other([[3], [4, 1]])), [40, 41, 42, 40, 40, 41, 42, 43]);
  for (const [others, current] of [[other([[3]], 3), "3"], [other([[]]), "none"]] as const) {
    await assert.rejects(
      remembered(others),
      new RegExp(
        "^RangeError: Cannot read another document as its segments must be as long as the document's own: " +
          `current lengths are ${current} and 4$`,
      ),
    );
  }
});

/** Documents of some lengths, each of a cluster. */
type Lengths = [length: number, cluster?: string][];
function clustered(...documents: Lengths) {
  return documents.map(([length, cluster], i) => ({
    name: `${i}`,
    segments: [{ tokens: new Int32Array(length), targetTokens: length }],
    ...(cluster !== undefined && { cluster }),
  }));
}

test("otherDocuments() takes the next document, and needs another one", () => {
  const names = (...documents: Lengths) =>
    otherDocuments(clustered(...documents)).map(({ name }) => name).join("");
  assert.equal(names([4], [9], [4]), "120");
  assert.throws(
    () => names([4]),
    /^RangeError: Cannot read another document as there is none: current number of documents is 1, allowed are 2 and more$/,
  );
});

test("otherDocuments() takes the same text, or a part of it, only where there is no other", () => {
  const tokens = ["12", "12345", "67", "1234"].map((digits) => Int32Array.from(digits, Number));
  const texts = tokens.map((ids, i) => ({ name: `${i}`, ...readableText(cutSegments(ids, 2)) }));
  const names = (documents: typeof texts) =>
    otherDocuments(documents).map(({ name }) => name).join("");
  assert.equal(names(texts), "2232");
  assert.equal(names(texts.toSpliced(2, 1)), "130");
  for (const seed of [1, 2, 3]) {
    const several = severalOtherTexts(texts, { texts: 1, capacityTokens: 9, seed })[0];
    assert.deepEqual(several[0].segments[0].tokens, tokens[2]);
    assert.deepEqual(several[3].segments[0].tokens, tokens[2]);
  }
});

test("otherReadings() cuts other texts like those in whose place they are read", () => {
  const texts = ["123", "45678"].map((digits) =>
    readableText(cutSegments(Int32Array.from(digits, Number), 2))
  );
  const read = (documents: typeof texts) =>
    otherReadings(documents).map(({ segments }) => segments.map(({ tokens }) => [...tokens]));
  assert.deepEqual(read(texts), [[[4, 5], [6]], [[1, 2], [3, 1], [2]]]);
  const whole = ["12", "3456"].map((digits) =>
    readableText(cutSegments(Int32Array.from(digits, Number), 2))
  );
  assert.deepEqual(read(whole), [[[3, 4], [5, 6]], [[1, 2]]]);
});

test("otherDocuments() takes one of another cluster that is at least as long, or the longest", () => {
  const names = (...documents: Lengths) =>
    otherDocuments(clustered(...documents)).map(({ name }) => name).join("");
  // 0 and 1 are one author's: 2 is too short for 0, 3 is long enough; 4 is the longest.
  assert.equal(names([5, "a"], [4, "a"], [3, "b"], [5, "c"], [9, "d"]), "33340");
  assert.throws(
    () => names([5, "a"], [4, "a"]),
    /^RangeError: Cannot read a document of another cluster as there is none: current cluster of all documents is "a"$/,
  );
});

test("otherDocuments() takes a further document only where the list has none", () => {
  const names = (documents: Lengths, further: Lengths) =>
    otherDocuments(
      clustered(...documents),
      () => clustered(...further).map((document) => ({ ...document, name: `f${document.name}` })),
    ).map(({ name }) => name).join(" ");
  assert.equal(names([[4], [4]], [[9]]), "1 0");
  assert.equal(names([[4]], [[9], [9]]), "f0");
  // No listed document is of another author; of the further ones the first is.
  assert.equal(names([[4, "a"], [4, "a"]], [[9, "a"], [5, "b"]]), "f1 f1");
  assert.throws(
    () => names([[4, "a"]], [[9, "a"]]),
    /^RangeError: Cannot read a document of another cluster as there is none: current cluster of all documents is "a"$/,
  );
});

test({
  name: "otherDocumentModel() with copies of one document is LongMem itself",
  // The shared device outlives the test.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const backbone = smallBackbone();
    const model = new LongMem(await testedDevice("cpu"), {
      backbone,
      sideNet: smallSideNet(backbone),
      memory: smallMemory,
    });
    const [document] = randomDocuments([32], { contextTokens: 8 });
    const [another] = randomDocuments([32], { contextTokens: 8, seed: "another" });
    const options = { rows: 1, pad };
    const own = languageModel("longmem", model, "longmem");
    const [nats] = await scoreDocuments(own, [document], options);
    const natsBeside = async (other: typeof document) => {
      const documents = [document, other];
      const control = otherDocumentModel("other", model, otherDocuments(documents));
      return (await scoreDocuments(control, documents, options))[0];
    };
    assertClose([await natsBeside(document)], [nats], { tolerance: 1e-4 });
    assert.ok(Math.abs(await natsBeside(another) - nats) > 1e-2);
    await model.close();
  },
});

test({
  name: "languageModel() writes no padding to a memory, whether it scores, chooses or reads",
  // The shared device outlives the test.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const device = await testedDevice("cpu"), T = 8;
    const [official, , llama] = smallShapes();
    for (const shape of [official, llama]) {
      const backbone = randomBackbone(shape), sideNet = randomSideNet(backbone);
      const text = randomIds(11, "text"), prompt = randomIds(6, "prompt");
      const document = { name: "text", tokens: text, words: 1 };
      const { segments } = cutDocument(document, { contextTokens: T, pad });
      const asked = { tokens: prompt.slice(0, 5), targets: prompt.slice(1), rows: 1 };
      for (const network of ["longmem", "infllm"] as const) {
        await using model = new LongMem(device, {
          backbone,
          memory: { ...smallMemory, retrievedTokens: 10 }, // all, padding too if there were any
          ...(network === "longmem"
            ? { sideNet }
            : { other: { network: "infllm", shape: { distanceTokens: T } } }),
        });
        const language = languageModel("model", model, network);
        await model.remember(text.slice(0, 8));
        await model.remember(text.slice(8, 10));
        const { nll: expected } = await language.ask(asked);
        for (const path of ["score", "choose", "read"] as const) {
          await language.startDocument(0, 0);
          for (const { tokens, targets, targetTokens } of segments) {
            await language[path]({ tokens, targets, rows: 1, lengths: [targetTokens] });
          }
          assert.deepEqual(model.memoryFillChunks, [5], `${shape.architecture}, ${path}`);
          const { nll } = await language.ask(asked);
          assertClose(nll, expected, { tolerance: 1e-5, name: `${network}, ${path}` });
        }
      }
    }
  },
});
