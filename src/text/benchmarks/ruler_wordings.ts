/**
 * The words of RULER's tasks in English, and in the words of the chronicle, whose tokenizer has no others.
 */
import type { Random } from "../../random.ts";
import { pick } from "../chronicle/draft.ts";
import { words } from "../chronicle/vocabulary.ts";
import {
  publishedAnswerTokens,
  type RulerTask,
  type RulerValue,
  type RulerWording,
} from "./ruler.ts";
import { distinct, drawNames, drawWords } from "./word_lists.ts";

/** Letters of a coded word, and of a variable. */
const codedLetters = 6, variableLetters = 5;

const kindNames = {
  name: ["name", "names"],
  pair: ["name", "names"],
  number: ["number", "numbers"],
  code: ["code", "codes"],
} as const satisfies Readonly<Record<RulerValue, readonly [string, string]>>;

/** English. Numbers have seven digits, codes the form of UUIDs, variables five letters. */
export const englishRuler: RulerWording = {
  joints: { facts: "\n", haystack: " " },
  noise: () =>
    "The rain has stopped. The road is long. The river is wide. We walk on. They turn back.",
  draw(kind, count, random) {
    switch (kind) {
      case "name":
      case "pair":
        return drawNames(count, random);
      case "number":
        return distinct(count, 9e6, "numbers", () => String(1_000_000 + random.below(9_000_000)));
      case "code":
        return distinct(count, Infinity, "codes", () => uuid(random));
      default:
        return kind satisfies never;
    }
  },
  countOf: (kind) => ({ name: 1e4, pair: 1e4, number: 9e6, code: 2 ** 122 })[kind],
  tell: (key, value, kind) => `The secret ${kindNames[kind][0]} of ${key} is ${value}.`,
  needles({ keys, kind, count }) {
    const [one, many] = kindNames[kind], owners = listing(keys);
    return {
      before: count === 1
        ? `A secret ${one} is hidden in the following text. Remember it: you will be asked for it.\n`
        : `Some secret ${many} are hidden in the following text. Remember them: you will be asked for them.\n`,
      question: count === 1
        ? `\nWhat is the secret ${one} of ${owners} in this text? The secret ${one} of ${owners} is`
        : `\nWhat are all the secret ${many} of ${owners} in this text? The secret ${many} of ${owners} are`,
    };
  },
  variables: (count, random) =>
    distinct(
      count,
      26 ** variableLetters,
      "variables",
      () => letters(variableLetters, "A", random),
    ),
  variableCount: 26 ** variableLetters,
  assigned: (count, random) =>
    distinct(count, 9e4, "values", () => String(10_000 + random.below(90_000))),
  assign: (variable, value) => `VAR ${variable} = ${value}`,
  copy: (variable, from) => `VAR ${variable} = VAR ${from}`,
  tracking: (value, count) => ({
    before: "Variables are assigned in the following text. Remember which has which value.\n\n",
    question: `\nQuestion: Which variables have the value ${value}?` +
      ` Answer: These ${count} variables have the value ${value}:`,
  }),
  words: drawWords,
  wordCount: 10_000,
  list: (words) => words.map((word, i) => `${i + 1}. ${word}`).join(" "),
  common: (count) => ({
    before: "In the following list some words stand more often than others. Remember these.\n",
    question: `\nQuestion: What are the ${count} most common words of the list?` +
      ` Answer: The ${count} most common words of the list are:`,
  }),
  coded: (count, random) => [
    "...",
    ...distinct(count - 1, 26 ** codedLetters, "words", () => letters(codedLetters, "a", random)),
  ],
  frequent: (count) => ({
    before: "Count the words of the following coded text; dots are no word.\n",
    question: `\nQuestion: What are the ${numeral(count)} most frequent words of the coded text?` +
      ` Answer: The ${numeral(count)} most frequent words of the coded text are:`,
  }),
  join: (answers) => answers.join(", "),
  answerTokens: publishedAnswerTokens,
};

const { persons, ships, things } = words;
const listed = [...words.goods, ...words.nouns, ...words.verbs, ...words.captains];
const codeWords = 4;

/**
 * The chronicle: "kept PERSON THING ." tells a number, four things are a code, and a person and a ship a pair. There are no words to announce or to explain anything: a question is the beginning of the sentence that told.
 */
export const chronicleRuler: RulerWording = {
  joints: { facts: "\n", haystack: "\n" },
  noise(random) {
    const [a, b] = sample(words.nouns, 2, random),
      [verb] = sample(words.verbs, 1, random);
    return `the ${a} of the ${b} ${verb} .`;
  },
  draw(kind, count, random) {
    if (kind === "number") return sample(things, count, random);
    if (kind === "code") {
      return distinct(
        count,
        things.length ** codeWords,
        "codes",
        () => Array.from({ length: codeWords }, () => pick(things, random)).join(" "),
      );
    }
    if (kind === "name") return sample(persons, count, random);
    const most = persons.length * ships.length;
    return distinct(count, most, "names", () => {
      const i = random.below(most);
      return `${persons[i % persons.length]} ${ships[Math.floor(i / persons.length)]}`;
    });
  },
  countOf: (kind) =>
    ({
      name: persons.length,
      pair: persons.length * ships.length,
      number: things.length,
      code: things.length ** codeWords,
    })[kind],
  tell: (key, value) => `kept ${key} ${value} .`,
  needles: ({ keys }) => ({ before: "", question: `\nkept ${keys.join(" and ")}` }),
  variables: (count, random) => sample(ships, count, random),
  variableCount: ships.length,
  assigned: (count, random) => sample(words.cargoes, count, random),
  assign: (variable, value) => `carried ${variable} ${value} .`,
  copy: (variable, from) => `obeyed ${variable} ${from} .`,
  tracking: (value) => ({ before: "", question: `\n${value} carried` }),
  words: (count, random) => sample(listed, count, random),
  wordCount: listed.length,
  list: (words) => words.join(" "),
  common: () => ({ before: "roll ", question: " .\nroll" }),
  coded(count, random) {
    const coded = sample(listed, Math.min(count - 1, listed.length), random);
    return [",", ...coded];
  },
  frequent: () => ({ before: "song ", question: " .\nsong" }),
  join: (answers) => answers.join(" "),
  answerTokens: (task) => (({ cwe: 20, vt: 10, fwe: 6 }) as Record<RulerTask, number>)[task] ?? 8,
};

function sample(words: readonly string[], count: number, random: Random): string[] {
  return distinct(count, words.length, "words", () => pick(words, random));
}

function letters(count: number, first: string, random: Random): string {
  const code = first.charCodeAt(0);
  return String.fromCharCode(...Array.from({ length: count }, () => code + random.below(26)));
}

function uuid(random: Random): string {
  const hex = Array.from({ length: 4 }, () => random.nextUint32().toString(16).padStart(8, "0"))
    .join("");
  const variant = "89ab"[random.below(4)];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${
    hex.slice(17, 20)
  }-${hex.slice(20)}`;
}

function numeral(count: number): string {
  return ["no", "one", "two", "three", "four", "five"][count] ?? String(count);
}

function listing(keys: readonly string[]): string {
  return keys.length === 1 ? keys[0] : `${keys.slice(0, -1).join(", ")} and ${keys.at(-1)}`;
}
