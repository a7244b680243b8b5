/**
 * How chronicles are written: every size, density and distance.
 */
import { words } from "./vocabulary.ts";
import { InputRangeError } from "../../errors.ts";

/** A range of whole numbers, of which each is as likely. */
export interface CountRange {
  /** The smallest. */
  readonly from: number;
  /** The largest. */
  readonly to: number;
}

/** How books are written: texts that tell facts, and tell them again much later. */
export interface BookConfig {
  /** Chapters of a book; each has a ship of its own. */
  readonly chapters: number;
  /** Sentences of a chapter, besides those that open and close it and those about its ship. */
  readonly sentencesPerChapter: number;
  /** Persons that a chapter introduces: two sentences each, three facts. */
  readonly personsPerChapter: number;
  /** Goods that a chapter is the first to review. */
  readonly goodsPerChapter: number;
  /** Share of a chapter's sentences, from its start, between which its ship's facts are told again. */
  readonly shipShare: number;
  /** How many times one of its ship's three facts is told again there. */
  readonly shipMentions: number;
  /** Of the sentences that introduce nothing: share about one of the `recentMentions` persons told of last. */
  readonly recentPersonShare: number;
  /** Share about any person known. */
  readonly anyPersonShare: number;
  /** Share that reviews a good known; the rest tells nothing. */
  readonly reviewShare: number;
  /** Share of those reviews about one of the `recentMentions` goods reviewed last; the others any good known. */
  readonly recentReviewShare: number;
  /** How many persons, and goods, count as recent. */
  readonly recentMentions: number;
}

/** How sentences are worded, in books and drills. */
export interface SentenceConfig {
  /** Share of sentences about a person that tell two facts, not one. */
  readonly twoFactShare: number;
  /** Share of sentences about a person that begin with a time. */
  readonly timeShare: number;
  /** Share of reviews with two adjectives, not one. */
  readonly twoAdjectiveShare: number;
}

/** How drills are written: pretraining documents whose dependencies are all near, and many. */
export interface DrillConfig {
  /** Scenes of a drill; the facts of one are not those of another. */
  readonly scenes: number;
  /** Tokens after which a scene ends with its sentence; about 25 sentences of facts are 160. */
  readonly sceneTokens: number;
  /** Share of scenes that are songs: a random phrase again and again. */
  readonly songShare: number;
  /** Words of a song's phrase. */
  readonly songWords: CountRange;
  /** Share of scenes that are rolls: pairs of an entity and a value, in another order each time; the rest tells facts. */
  readonly rollShare: number;
  /** Pairs of a roll. */
  readonly rollPairs: CountRange;
  /** Times that a song or a roll is given before another takes its place. */
  readonly repetitions: CountRange;
  /** Persons and goods of a scene that tells facts. */
  readonly entities: CountRange;
  /** Share of goods among them. */
  readonly goodShare: number;
  /** Ships of a scene that tells facts. */
  readonly ships: number;
  /** Share of facts about them told as an opening, as after the rest of a ship in books: its name stands some words before. */
  readonly openingShare: number;
}

/** How reviews for in-context learning are written. */
export interface ReviewsConfig {
  /** Goods of a task, each with a label. */
  readonly goods: number;
  /** Reviews of them that a model is shown: of each good as many, or one more. */
  readonly demonstrations: number;
}

/** How many documents a backbone is pretrained on. */
export interface PretrainingConfig {
  /** Books. */
  readonly books: number;
  /** Drills. */
  readonly drills: number;
}

/** How chronicles are written. */
export interface ChronicleConfig {
  /** Tokens T of the segments that the chronicle is to reach beyond: no book is shorter. */
  readonly contextTokens: number;
  /** Books. */
  readonly book: BookConfig;
  /** Sentences, in books and drills. */
  readonly sentence: SentenceConfig;
  /** Drills. */
  readonly drill: DrillConfig;
  /** Reviews for in-context learning. */
  readonly reviews: ReviewsConfig;
  /** The mixture for pretraining. */
  readonly pretraining: PretrainingConfig;
}

/** Books of about 5,040 tokens for segments of 128: two in three mentions of a known fact reach beyond the segment. */
export const defaultChronicle: ChronicleConfig = {
  contextTokens: 128,
  book: {
    chapters: 16,
    sentencesPerChapter: 36,
    personsPerChapter: 2,
    goodsPerChapter: 2,
    shipShare: 0.3,
    shipMentions: 5,
    recentPersonShare: 0.4,
    anyPersonShare: 0.17,
    reviewShare: 0.18,
    recentReviewShare: 0.5,
    recentMentions: 4,
  },
  sentence: { twoFactShare: 0.5, timeShare: 0.5, twoAdjectiveShare: 0.5 },
  drill: {
    scenes: 16,
    sceneTokens: 160,
    songShare: 0.1,
    songWords: { from: 4, to: 12 },
    rollShare: 0.35,
    rollPairs: { from: 4, to: 10 },
    repetitions: { from: 3, to: 6 },
    entities: { from: 3, to: 8 },
    goodShare: 0.4,
    ships: 2,
    openingShare: 0.3,
  },
  reviews: { goods: 32, demonstrations: 256 },
  pretraining: { books: 750, drills: 1500 },
};

/**
 * Checks that chronicles can be written so.
 *
 * @returns The configuration.
 * @throws {RangeError} If they cannot, naming the field.
 */
export function checkChronicle(config: ChronicleConfig): ChronicleConfig {
  const { book, sentence, drill, reviews, pretraining } = config;
  checkCount("contextTokens", config.contextTokens, { from: 2, to: Infinity });
  checkCounts("book", book, ["chapters", "sentencesPerChapter", "recentMentions"], 1);
  checkCounts("book", book, ["personsPerChapter", "goodsPerChapter", "shipMentions"], 0);
  checkCounts("drill", drill, ["scenes", "sceneTokens", "ships"], 1);
  for (const [part, values] of Object.entries({ book, sentence, drill })) {
    checkShares(part, values);
  }
  checkRange("drill.songWords", drill.songWords, Infinity);
  checkRange("drill.repetitions", drill.repetitions, Infinity);
  checkRange("drill.rollPairs", drill.rollPairs, words.ships.length);
  checkRange("drill.entities", drill.entities, Math.min(words.persons.length, words.goods.length));
  checkCount("reviews.goods", reviews.goods, { from: 2, to: words.goods.length });
  checkCount("reviews.demonstrations", reviews.demonstrations, {
    from: reviews.goods,
    to: Infinity,
  });
  checkCounts("pretraining", pretraining, ["books", "drills"], 0);

  const { chapters, personsPerChapter, goodsPerChapter } = book;
  checkNames("ships", "book.chapters", chapters);
  checkNames("persons", "book.chapters * book.personsPerChapter", chapters * personsPerChapter);
  checkNames("goods", "book.chapters * book.goodsPerChapter", chapters * goodsPerChapter);
  checkNames("ships", "drill.ships", drill.ships);
  checkSum(book, "book", ["recentPersonShare", "anyPersonShare", "reviewShare"]);
  checkSum(drill, "drill", ["songShare", "rollShare"]);
  const introductions = 2 * personsPerChapter + goodsPerChapter;
  if (introductions > book.sentencesPerChapter) {
    fail(
      `book.sentencesPerChapter must be at least 2 * book.personsPerChapter + book.goodsPerChapter, ` +
        `which is ${introductions}: current value is ${book.sentencesPerChapter}`,
    );
  }
  const fewest = fewestBookTokens(book);
  if (fewest <= config.contextTokens) {
    fail(
      `a book must be longer than a segment of contextTokens, which is ${config.contextTokens}: ` +
        `current values are ${chapters} chapters of ${book.sentencesPerChapter} sentences, which may be no more than ` +
        `${fewest} tokens`,
    );
  }
  checkDocumentTokens("a book", "book", fewest);
  checkDocumentTokens("a drill", "drill", drillTokens(drill));
  checkDocumentTokens("reviews", "reviews", reviewTokens * reviews.demonstrations);
  checkCorpusTokens(config, pretraining);
  return config;
}

/** Most tokens of a document; a book of the default has 5,000. */
const maxDocumentTokens = 2 ** 24;
/** Most tokens of documents of one kind together, 4 bytes each; the default pretrains on 8 million. */
const maxCorpusTokens = 2 ** 30;
/** Tokens of the shortest review. */
export const reviewTokens = 4;

/**
 * Checks that so many documents are not more than memory holds.
 *
 * @throws {RangeError} If they are.
 */
export function checkCorpusTokens(
  { book, drill }: Pick<ChronicleConfig, "book" | "drill">,
  counts: PretrainingConfig,
): void {
  const tokens = counts.books * fewestBookTokens(book) + counts.drills * drillTokens(drill);
  if (tokens <= maxCorpusTokens) return;
  fail(
    `all documents together must have ${maxCorpusTokens} tokens at most: current values are ${counts.books} books ` +
      `and ${counts.drills} drills of about ${tokens} tokens`,
  );
}

function checkDocumentTokens(document: string, part: string, tokens: number): void {
  if (tokens <= maxDocumentTokens) return;
  fail(
    `${document} must have ${maxDocumentTokens} tokens at most: the fields of ${part} make about ${tokens}`,
  );
}

/** Tokens of a drill, about: scenes end with the song, roll or sentence that fills them, and one may be of the longest. */
function drillTokens(
  { scenes, sceneTokens, songWords, rollPairs, repetitions }: DrillConfig,
): number {
  return scenes * Math.max(sceneTokens, Math.max(songWords.to, rollPairs.to) * repetitions.to);
}

/** Tokens of the shortest book that can come about: no sentence is shorter than four. */
function fewestBookTokens({ chapters, sentencesPerChapter, shipMentions }: BookConfig): number {
  // An opening, the ship that comes, its three facts and those told again, the ship that rests.
  return chapters * (4 + 6 + 4 * (3 + shipMentions + sentencesPerChapter + 1));
}

function checkCounts<K extends string>(
  part: string,
  values: Readonly<Record<K, number>>,
  keys: readonly K[],
  least: number,
): void {
  for (const key of keys) {
    checkCount(`${part}.${key}`, values[key], { from: least, to: Infinity });
  }
}

function checkCount(name: string, value: number, { from, to }: CountRange): void {
  if (Number.isSafeInteger(value) && value >= from && value <= to) return;
  const allowed = to === Infinity ? `at least ${from}` : `in ${from} .. ${to}`;
  fail(`${name} must be a whole number ${allowed}: current value is ${value}`);
}

function checkRange(name: string, range: CountRange, most: number): void {
  checkCount(`${name}.from`, range.from, { from: 1, to: most });
  checkCount(`${name}.to`, range.to, { from: range.from, to: most });
}

function checkShares(part: string, values: object): void {
  for (const [key, value] of Object.entries(values)) {
    if (!key.endsWith("Share") || (value >= 0 && value <= 1)) continue;
    fail(`${part}.${key} must be in 0 .. 1: current value is ${value}`);
  }
}

function checkSum<K extends string>(
  values: Readonly<Record<K, number>>,
  part: string,
  keys: readonly K[],
): void {
  const sum = keys.reduce((total, key) => total + values[key], 0);
  // Shares such as 0.7 + 0.2 + 0.1 need not add up to one exactly.
  if (sum <= 1 + 1e-9) return;
  fail(
    `${keys.map((key) => `${part}.${key}`).join(" + ")} must be at most 1: current values are ${
      keys.map((key) => values[key]).join(", ")
    }`,
  );
}

function checkNames(kind: "persons" | "goods" | "ships", name: string, needed: number): void {
  const names = words[kind].length;
  if (needed <= names) return;
  fail(
    `there are ${names} names of ${kind} and ${name} needs one each: current value is ${needed}`,
  );
}

function fail(reason: string): never {
  throw new InputRangeError(`Cannot write chronicles as ${reason}`);
}
