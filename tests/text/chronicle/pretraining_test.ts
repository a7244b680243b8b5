import { writeBook, writeBooks } from "../../../src/text/chronicle/book.ts";
import { defaultChronicle } from "../../../src/text/chronicle/config.ts";
import { writePretrainingDocuments } from "../../../src/text/chronicle/pretraining.ts";
import type { TokenizedDocument } from "../../../src/text/document_tokens.ts";
import { assert, test } from "../../testing.ts";

const few = { ...defaultChronicle, pretraining: { books: 6, drills: 12 } };

test("writePretrainingDocuments() mixes books and drills, more than half of the tokens drills", () => {
  const documents = [...writePretrainingDocuments(few, 1)];
  const names = documents.map((document) => document.name);
  assert.equal(new Set(names).size, 18);
  assert.equal(names.filter((name) => /^book_[0-5]$/.test(name)).length, 6);
  assert.equal(names.filter((name) => /^drill_\d+$/.test(name)).length, 12);
  const books = names.flatMap((name, i) => name.startsWith("book") ? [i] : []);
  assert.ok(books[0] < 6 && books[5] > 9, `books come at ${books} of 18`);
  const tokens = (part: TokenizedDocument[]) =>
    part.reduce((sum, document) => sum + document.tokens.length, 0);
  const drills = tokens(documents.filter(({ name }) => name.startsWith("drill")));
  assert.ok(drills / tokens(documents) > 0.5 && drills / tokens(documents) < 0.6);
  assert.deepEqual([...writePretrainingDocuments(few, 1)], documents);
  assert.notDeepEqual([...writePretrainingDocuments(few, 2)], documents);
});

test("Every document is another, and no book is one that evaluations read", () => {
  const documents = [...writePretrainingDocuments(few, 1)];
  const texts = new Set(documents.map((document) => document.tokens.join()));
  assert.equal(texts.size, 18);
  const evaluated = [
    ...writeBooks(defaultChronicle, { seed: 1, count: 20 }),
    writeBook(defaultChronicle, 1),
  ];
  for (const book of evaluated) assert.ok(!texts.has(book.tokens.join()), book.name);
});

test("The default mixture is 750 books and 1500 drills", () => {
  assert.deepEqual(defaultChronicle.pretraining, { books: 750, drills: 1500 });
});
