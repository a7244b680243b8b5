import { writeBook } from "../../../src/text/chronicle/book.ts";
import {
  checkChronicle,
  type ChronicleConfig,
  defaultChronicle,
} from "../../../src/text/chronicle/config.ts";
import { writeDrill } from "../../../src/text/chronicle/drill.ts";
import { writePretrainingDocuments } from "../../../src/text/chronicle/pretraining.ts";
import { writeReviewTask } from "../../../src/text/chronicle/reviews.ts";
import { assert, test } from "../../testing.ts";

/** The default with some fields of one part changed. */
function changed<K extends "book" | "sentence" | "drill" | "reviews" | "pretraining">(
  part: K,
  fields: Partial<ChronicleConfig[K]>,
): ChronicleConfig {
  return { ...defaultChronicle, [part]: { ...defaultChronicle[part], ...fields } };
}

test("checkChronicle() names what is wrong", () => {
  const cases: [ChronicleConfig, string][] = [
    [
      changed("book", { personsPerChapter: 3 }),
      "there are 40 names of persons and book.chapters * book.personsPerChapter needs one each: current value is 48",
    ],
    [
      changed("book", { goodsPerChapter: 3 }),
      "there are 40 names of goods and book.chapters * book.goodsPerChapter needs one each: current value is 48",
    ],
    [
      changed("book", { chapters: 25, personsPerChapter: 1, goodsPerChapter: 1 }),
      "there are 24 names of ships and book.chapters needs one each: current value is 25",
    ],
    [
      changed("drill", { ships: 25 }),
      "there are 24 names of ships and drill.ships needs one each: current value is 25",
    ],
    [
      changed("book", { sentencesPerChapter: 5 }),
      "book.sentencesPerChapter must be at least 2 * book.personsPerChapter + book.goodsPerChapter, which is 6: " +
      "current value is 5",
    ],
    [
      {
        ...changed("book", { chapters: 1, sentencesPerChapter: 20, shipMentions: 0 }),
        contextTokens: 106,
      },
      "a book must be longer than a segment of contextTokens, which is 106: " +
      "current values are 1 chapters of 20 sentences, which may be no more than 106 tokens",
    ],
    [
      changed("book", { chapters: 1.5 }),
      "book.chapters must be a whole number at least 1: current value is 1.5",
    ],
    [
      changed("book", { recentMentions: 0 }),
      "book.recentMentions must be a whole number at least 1: current value is 0",
    ],
    [
      { ...defaultChronicle, contextTokens: 1 },
      "contextTokens must be a whole number at least 2: current value is 1",
    ],
    [
      changed("book", { shipShare: NaN }),
      "book.shipShare must be in 0 .. 1: current value is NaN",
    ],
    [
      changed("sentence", { timeShare: 1.01 }),
      "sentence.timeShare must be in 0 .. 1: current value is 1.01",
    ],
    [
      changed("drill", { goodShare: -0.1 }),
      "drill.goodShare must be in 0 .. 1: current value is -0.1",
    ],
    [
      changed("drill", { openingShare: 2 }),
      "drill.openingShare must be in 0 .. 1: current value is 2",
    ],
    [
      changed("book", { reviewShare: 0.5 }),
      "book.recentPersonShare + book.anyPersonShare + book.reviewShare must be at most 1: " +
      "current values are 0.4, 0.17, 0.5",
    ],
    [
      changed("drill", { songShare: 0.7 }),
      "drill.songShare + drill.rollShare must be at most 1: current values are 0.7, 0.35",
    ],
    [
      changed("drill", { rollPairs: { from: 4, to: 25 } }),
      "drill.rollPairs.to must be a whole number in 4 .. 24: current value is 25",
    ],
    [
      changed("drill", { entities: { from: 8, to: 3 } }),
      "drill.entities.to must be a whole number in 8 .. 40: current value is 3",
    ],
    [
      changed("drill", { repetitions: { from: 0, to: 3 } }),
      "drill.repetitions.from must be a whole number at least 1: current value is 0",
    ],
    [
      changed("reviews", { goods: 41 }),
      "reviews.goods must be a whole number in 2 .. 40: current value is 41",
    ],
    [
      changed("reviews", { demonstrations: 31 }),
      "reviews.demonstrations must be a whole number at least 32: current value is 31",
    ],
    [
      changed("pretraining", { books: -1 }),
      "pretraining.books must be a whole number at least 0: current value is -1",
    ],
  ];
  for (const [config, reason] of cases) {
    assert.throws(() => checkChronicle(config), {
      name: "RangeError",
      message: `Cannot write chronicles as ${reason}`,
    });
  }
});

test("Whatever writes a chronicle checks its configuration", () => {
  const wrong = changed("book", { chapters: 0 });
  const writers = [
    () => writeBook(wrong, 1),
    () => writeDrill(wrong, 1),
    () => writePretrainingDocuments(wrong, 1).next(),
    () => writeReviewTask(wrong, { seed: 1, localDemonstrations: 0 }),
  ];
  for (const write of writers) assert.throws(write, /Cannot write chronicles as book\.chapters/);
});

test("checkChronicle() takes the default, and what only just fits", () => {
  assert.equal(checkChronicle(defaultChronicle), defaultChronicle);
  const tight = {
    ...changed("book", {
      chapters: 20,
      personsPerChapter: 2,
      goodsPerChapter: 2,
      sentencesPerChapter: 6,
      // Their sum in floating point is above one.
      recentPersonShare: 0.34,
      anyPersonShare: 0.56,
      reviewShare: 0.1,
    }),
    contextTokens: 1399,
  };
  const { persons, goods, ships } = countNames(checkChronicle(tight));
  assert.deepEqual([persons, goods, ships], [40, 40, 20]);
  assert.ok(writeBook(tight, 1).tokens.length > 1399);
  assert.throws(() => checkChronicle({ ...tight, contextTokens: 1400 }), RangeError);
});

/** Names of a book of a configuration that are not the same. */
function countNames(config: ChronicleConfig) {
  const said = writeBook(config, 1).text().split(/\s+/);
  const after = (cue: string) => new Set(said.filter((_, i) => said[i - 1] === cue)).size;
  const persons = new Set(
    said.filter((_, i) => /^(came-from|hailed-from|was-a|worked-as|kept|owned)$/.test(said[i - 1])),
  );
  const goods = new Set(said.filter((_, i) => said[i + 1] === "Sentiment:"));
  return { persons: persons.size, goods: goods.size, ships: after("ship") };
}

test("checkChronicle() refuses documents that memory does not hold, at once", () => {
  const huge: [ChronicleConfig, RegExp][] = [
    [
      changed("pretraining", { books: 1e9 }),
      /together must have 1073741824 tokens at most: current values are 1000000000 books and 1500 drills of about \d+ tokens$/,
    ],
    [changed("pretraining", { drills: 1e9 }), /750 books and 1000000000 drills/],
    [changed("pretraining", { books: Number.MAX_SAFE_INTEGER }), /together must have/],
    [
      changed("drill", { scenes: 1e9 }),
      /a drill must have 16777216 tokens at most: the fields of drill make about 160000000000$/,
    ],
    [changed("drill", { sceneTokens: 1e9 }), /a drill must have/],
    [changed("drill", { songWords: { from: 1e9, to: 1e9 } }), /a drill must have/],
    [changed("drill", { repetitions: { from: 1e9, to: 1e9 } }), /a drill must have/],
    [changed("drill", { repetitions: { from: 3, to: 1e9 } }), /a drill must have/],
    [changed("drill", { songWords: { from: 3, to: 1e9 } }), /a drill must have/],
    [changed("book", { sentencesPerChapter: 1e9 }), /a book must have 16777216 tokens at most/],
    [changed("book", { shipMentions: 1e9 }), /a book must have/],
    [changed("reviews", { demonstrations: 1e9 }), /reviews must have/],
  ];
  for (const [config, message] of huge) {
    assert.throws(() => checkChronicle(config), { name: "RangeError", message });
    assert.throws(() => [...writePretrainingDocuments(config, 1)], { message });
  }
  assert.equal(checkChronicle(defaultChronicle), defaultChronicle);
});
