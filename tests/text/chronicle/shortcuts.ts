/**
 * How often a guess that knows nothing of the entity is right: what a model could reach on recalls without finding
 * the earlier mention. Printed by
 *
 *     deno run --allow-read tests/text/chronicle/shortcuts.ts
 */
import { type ChronicleBook, writeBooks } from "../../../src/text/chronicle/book.ts";
import { defaultChronicle } from "../../../src/text/chronicle/config.ts";
import { isFar, type Recall, segmentStart } from "../../../src/text/chronicle/recall.ts";
import { vocabulary, type WordClass, words } from "../../../src/text/chronicle/vocabulary.ts";

/** Guesses an answer; undefined where it has none. */
type Guess = (book: ChronicleBook, recall: Recall) => number | undefined;

/** Accuracy of a guess on some recalls. */
export interface GuessAccuracy {
  readonly name: string;
  readonly kind: Recall["kind"];
  readonly far: boolean;
  readonly accuracy: number;
  /** Accuracy of a blind guess: one in the words of the answer's class. */
  readonly chance: number;
  readonly recalls: number;
}

/** Class of each id that can be an answer. */
const classes = new Map(
  (["homes", "trades", "things", "cargoes", "captains", "goals", "labels"] as WordClass[])
    .flatMap((name) => words[name].map((word) => [vocabulary.indexOf(word), name])),
);

/** Measures all guesses on books; those that learn learn from other books. */
export function measureShortcuts(
  books: readonly ChronicleBook[],
  learnedFrom: readonly ChronicleBook[],
  contextTokens: number,
): GuessAccuracy[] {
  const guesses: Record<string, Guess> = {
    "latest of class in segment": ({ tokens }, { position, answer }) =>
      latestOfClass(tokens, segmentStart(position, contextTokens), position, answer),
    "latest of class in book": ({ tokens }, { position, answer }) =>
      latestOfClass(tokens, 0, position, answer),
    "most frequent in segment": ({ tokens }, { position, answer }) =>
      mostFrequent(tokens, segmentStart(position, contextTokens), position, answer),
    "position in chapter": learn(learnedFrom, (book, { position, answer }) => {
      const start = book.chapters.findLast((start) => start <= position)!;
      return `${classes.get(answer)} ${position - start}`;
    }),
    "chapter": learn(
      learnedFrom,
      (book, { position, answer }) =>
        `${classes.get(answer)} ${book.chapters.findLastIndex((start) => start <= position)}`,
    ),
    "global frequency": learn(learnedFrom, (_, { answer }) => `${classes.get(answer)}`),
    "bigram": learn(
      learnedFrom,
      ({ tokens }, { position, answer }) => `${classes.get(answer)} ${tokens[position - 1]}`,
    ),
    "entity in other books": learn(
      learnedFrom,
      (_, { answer, entity }) => `${classes.get(answer)} ${entity}`,
    ),
    "sentence so far": learn(learnedFrom, ({ tokens }, { position, answer }) => {
      const start = tokens.lastIndexOf(vocabulary.indexOf("."), position - 1) + 1;
      return `${classes.get(answer)} ${tokens.subarray(start, position)}`;
    }),
  };
  const accuracies: GuessAccuracy[] = [];
  for (const [name, guess] of Object.entries(guesses)) {
    for (const kind of ["person", "ship", "label", "opening"] as const) {
      for (const far of [false, true]) {
        let right = 0, recalls = 0, chance = 0;
        for (const book of books) {
          for (const recall of book.recalls) {
            if (recall.kind !== kind || isFar(recall, contextTokens) !== far) continue;
            recalls++;
            chance += 1 / words[classes.get(recall.answer)!].length;
            if (guess(book, recall) === recall.answer) right++;
          }
        }
        if (recalls === 0) continue;
        accuracies.push({
          name,
          kind,
          far,
          accuracy: right / recalls,
          chance: chance / recalls,
          recalls,
        });
      }
    }
  }
  return accuracies;
}

/** The last word between two positions that is of an answer's class. */
function latestOfClass(tokens: Int32Array, start: number, end: number, answer: number) {
  for (let i = end - 1; i >= start; i--) {
    if (classes.get(tokens[i]) === classes.get(answer)) return tokens[i];
  }
}

/** The word of an answer's class that stands most often between two positions. */
function mostFrequent(tokens: Int32Array, start: number, end: number, answer: number) {
  const counts = new Map<number, number>();
  for (let i = start; i < end; i++) {
    if (classes.get(tokens[i]) !== classes.get(answer)) continue;
    counts.set(tokens[i], (counts.get(tokens[i]) ?? 0) + 1);
  }
  return largest(counts);
}

/** Guesses the most frequent answer, in other books, of recalls with the same features. */
function learn(
  books: readonly ChronicleBook[],
  features: (book: ChronicleBook, recall: Recall) => string,
): Guess {
  const answers = new Map<string, Map<number, number>>();
  for (const book of books) {
    for (const recall of book.recalls) {
      const key = features(book, recall);
      const counts = answers.get(key) ?? new Map();
      answers.set(key, counts.set(recall.answer, (counts.get(recall.answer) ?? 0) + 1));
    }
  }
  const best = new Map(Array.from(answers, ([key, counts]) => [key, largest(counts)]));
  return (book, recall) => best.get(features(book, recall));
}

function largest(counts: ReadonlyMap<number, number>): number | undefined {
  let most: number | undefined;
  for (const [id, count] of counts) {
    if (most === undefined || count > counts.get(most)!) most = id;
  }
  return most;
}

if (import.meta.main) {
  const accuracies = measureShortcuts(
    writeBooks(defaultChronicle, { seed: "measured", count: 48 }),
    writeBooks(defaultChronicle, { seed: "learned from", count: 96 }),
    defaultChronicle.contextTokens,
  );
  for (const { name, kind, far, accuracy, chance, recalls } of accuracies) {
    // deno-lint-ignore no-console -- the measurement
    console.log(
      `${name.padEnd(28)}${kind.padEnd(8)}${far ? "far " : "near"} ${accuracy.toFixed(3)}` +
        ` (chance ${chance.toFixed(3)}, n ${recalls})`,
    );
  }
}
