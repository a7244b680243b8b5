import {
  idOf,
  relations,
  vocabulary,
  wordIds,
  words,
} from "../../../src/text/chronicle/vocabulary.ts";
import { specialTokens } from "../../../src/text/tokenizer.ts";
import { assert, test } from "../../testing.ts";

test("The vocabulary has 322 tokens, no two alike, none with white space", () => {
  assert.equal(vocabulary.length, 322);
  assert.equal(new Set(vocabulary.map((word) => word.toLowerCase())).size, 322);
  for (const word of vocabulary) assert.match(word, /^\S+$/);
  const sizes = Object.fromEntries(
    Object.entries(words).map(([name, { length }]) => [name, length]),
  );
  assert.deepEqual(sizes, {
    functions: 42,
    persons: 40,
    homes: 24,
    trades: 24,
    things: 24,
    ships: 24,
    cargoes: 16,
    captains: 16,
    goals: 16,
    goods: 40,
    labels: 8,
    adjectives: 12,
    nouns: 16,
    verbs: 16,
  });
});

test("Ids number special tokens and words without gaps", () => {
  assert.deepEqual(vocabulary.map((word) => idOf(word)), vocabulary.map((_, id) => id));
  assert.deepEqual(specialTokens.map(idOf), [0, 1, 2, 3]);
  assert.deepEqual(
    Object.values(wordIds).flat(),
    Array.from({ length: 318 }, (_, i) => i + 4),
  );
  assert.deepEqual(wordIds.labels.map((id) => vocabulary[id]), [...words.labels]);
});

test("No word announces two relations", () => {
  const cues = Object.values(relations).flatMap((relation) => relation.cues);
  assert.equal(new Set(cues).size, 10);
});

test("idOf() names a word that the vocabulary lacks", () => {
  assert.throws(() => idOf("whale"), {
    name: "RangeError",
    message:
      'Cannot write a chronicle as the word must be one of its vocabulary: current value is "whale"',
  });
});
