import {
  type ChronicleBook,
  openingTokens,
  writeBook,
  writeBooks,
} from "../../../src/text/chronicle/book.ts";
import { defaultChronicle } from "../../../src/text/chronicle/config.ts";
import { isFar, type RecallKind } from "../../../src/text/chronicle/recall.ts";
import { vocabulary } from "../../../src/text/chronicle/vocabulary.ts";
import { hashOf } from "../../../src/text/tokenizer.ts";
import { assert, test } from "../../testing.ts";
import { mentionsOf, recallsOf } from "./replay.ts";

const books = writeBooks(defaultChronicle, { seed: "book test", count: 60 });
const T = defaultChronicle.contextTokens;

test("writeBook() writes the same book of the same seed, byte for byte, and another of another", () => {
  const book = writeBook(defaultChronicle, "7/test");
  const { text: _, ...plain } = book,
    { text: __, ...again } = writeBook(defaultChronicle, "7/test");
  assert.deepEqual(again, plain);
  assert.notDeepEqual(writeBook(defaultChronicle, "7/train").tokens, book.tokens);
  // A change here makes all books, and what was measured on them, others.
  assert.equal(
    hashOf([writeBook(defaultChronicle, 1).text()]).slice(0, 16),
    "f2547256aef02aa1",
  );
});

test("writeBooks() writes books that differ in their facts, not in their first so many", () => {
  const ten = writeBooks(defaultChronicle, { seed: "book test", count: 10 });
  assert.deepEqual(ten.map(({ tokens }) => tokens), books.slice(0, 10).map(({ tokens }) => tokens));
  assert.deepEqual(ten.map(({ name }) => name).slice(0, 2), ["book_0", "book_1"]);
  // Two books agree in a fact about as often as chance has it: 1 in 24 for persons.
  let shared = 0, same = 0;
  const facts = books.map((book) => factsOf(book, "person"));
  for (let i = 1; i < facts.length; i++) {
    for (const [fact, value] of facts[i]) {
      if (!facts[i - 1].has(fact)) continue;
      shared++;
      if (facts[i - 1].get(fact) === value) same++;
    }
  }
  assert.ok(shared > 3000 && Math.abs(same / shared - 1 / 24) < 0.012, `${same} of ${shared}`);
});

test("No book contradicts itself", () => {
  for (const book of books) {
    const said = new Map<string, string>();
    for (const { entity, relation, value } of mentionsOf(book.tokens)) {
      const fact = `${entity} ${relation}`;
      assert.equal(said.get(fact) ?? value, value, `${book.name}: ${fact}`);
      said.set(fact, value);
    }
    // 32 persons and 16 ships with three facts each, 32 goods with one.
    assert.equal(said.size, 32 * 3 + 16 * 3 + 32);
  }
});

test("Recalls are the mentions but the first of each fact, with where the last was", () => {
  for (const book of books) {
    assert.deepEqual(book.recalls, recallsOf(book.tokens));
    for (const { position, lastMention, answer } of book.recalls) {
      assert.equal(book.tokens[position], answer);
      assert.equal(book.tokens[lastMention], answer);
    }
  }
});

test("Chapters start where they are said to, the opening tells of the ship that has just rested", () => {
  for (const { tokens, chapters } of books) {
    const said = Array.from(tokens, (id) => vocabulary[id]);
    assert.equal(chapters.length, 16);
    assert.equal(said.slice(0, 6).join(" "), "<s> here begins the book .");
    assert.equal(chapters[0], 1);
    assert.deepEqual(
      chapters.slice(1),
      said.flatMap((word, position) => word === "chapter" ? [position] : []),
    );
    chapters.slice(1).forEach((start) => {
      assert.equal(said.slice(start - 4, start - 2).join(" "), "so rested");
      assert.match(
        said.slice(start, start + openingTokens).join(" "),
        /^chapter bearing \S+ , obeying \S+ , seeking \S+ \.$/,
      );
      assert.equal(
        said.slice(start + openingTokens, start + openingTokens + 3).join(" "),
        "now the ship",
      );
    });
    assert.equal(said.at(-1), "</s>");
  }
});

test("Openings are out of reach of a segment, and so are two in three of all recalls", () => {
  const recalls = books.flatMap((book) => book.recalls);
  const far = recalls.filter((recall) => isFar(recall, T));
  for (const recall of recalls) if (recall.kind === "opening") assert.ok(isFar(recall, T));
  assert.ok(far.length / recalls.length > 0.6, `${far.length} of ${recalls.length} are far`);
});

test("Books have the lengths, densities and distances of those that backbones and SideNets learned from", () => {
  // From the measurements on which the defaults rest: mean tokens 5037, of 4965 .. 5132; then for each kind its
  // share of all tokens, the 10th, 25th, 50th, 75th and 90th percentile of its distances, and its far share.
  const lengths = books.map((book) => book.tokens.length);
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  assert.ok(Math.abs(tokens / books.length - 5037) < 40, `mean length is ${tokens / books.length}`);
  assert.ok(Math.min(...lengths) > 4850 && Math.max(...lengths) < 5250, `${lengths}`);
  const expected: [RecallKind, number, number[], number][] = [
    ["person", 0.083, [16, 40, 98, 300, 952], 0.65],
    ["label", 0.018, [21, 55, 143, 378, 1160], 0.73],
    ["opening", 0.009, [201, 211, 236, 267, 285], 1],
  ];
  for (const [kind, share, percentiles, farShare] of expected) {
    const recalls = books.flatMap((book) => book.recalls).filter((recall) => recall.kind === kind);
    assert.ok(Math.abs(recalls.length / tokens / share - 1) < 0.1, `${kind}: ${recalls.length}`);
    const distances = recalls.map((recall) => recall.distance).sort((a, b) => a - b);
    [0.1, 0.25, 0.5, 0.75, 0.9].forEach((part, i) => {
      const distance = distances[Math.floor(part * distances.length)];
      const message = `${kind}: percentile ${part} is ${distance}, not ${percentiles[i]}`;
      assert.ok(Math.abs(distance / percentiles[i] - 1) < 0.25, message);
    });
    const far = recalls.filter((recall) => isFar(recall, T)).length / recalls.length;
    assert.ok(Math.abs(far - farShare) < 0.04, `${kind}: ${far} are far`);
  }
});

test("Persons, goods and ships are told of again to the end of the book", () => {
  // Otherwise nothing would need a memory longer than a chapter.
  let distant = 0;
  for (const { recalls } of books) {
    for (const { distance } of recalls) if (distance > 2048) distant++;
  }
  assert.ok(distant / books.length > 8, `${distant} in ${books.length} books`);
});

test("Longer books of more names can be written", () => {
  const long = writeBook({
    ...defaultChronicle,
    book: { ...defaultChronicle.book, chapters: 20, sentencesPerChapter: 72 },
  }, 1);
  assert.ok(Math.abs(long.tokens.length - 11_500) < 700, `${long.tokens.length}`);
  assert.deepEqual(long.recalls, recallsOf(long.tokens));
});

function factsOf(book: ChronicleBook, kind: RecallKind): Map<string, string> {
  return new Map(
    mentionsOf(book.tokens).filter((mention) => mention.kind === kind)
      .map(({ entity, relation, value }) => [`${entity} ${relation}`, value]),
  );
}
