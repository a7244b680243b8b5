/**
 * The words of bAbI's stories in English, and in the words of the chronicle, whose tokenizer has no others.
 */
import { pick } from "../chronicle/draft.ts";
import { words } from "../chronicle/vocabulary.ts";
import type { BabiCast, BabiWording } from "./babi.ts";

const things = ["apple", "football", "milk"];
const places = ["bathroom", "bedroom", "garden", "hallway", "kitchen", "office"];

/** English. Persons, places and things are bAbI's; the story that is shown before a text has others. */
export const englishBabi: BabiWording = {
  cast: (task) => ({
    persons: task === "qa5"
      ? ["Bill", "Fred", "Jeff", "Mary"]
      : ["Daniel", "John", "Mary", "Sandra"],
    places,
    things,
  }),
  exampleCast: {
    persons: ["Nora", "Peter", "Rita"],
    places: ["attic", "cellar", "porch", "stable"],
    things: ["lantern", "spoon"],
  },
  directions: ["north", "south", "east", "west"],
  moved: (person, place, random) =>
    `${person} ${pick(["went", "moved", "walked", "travelled"], random)} to the ${place}.`,
  took: (person, thing, random) =>
    `${person} ${pick(["took", "picked up", "got", "grabbed"], random)} the ${thing}.`,
  dropped: (person, thing, random) =>
    `${person} ${pick(["dropped", "put down", "left"], random)} the ${thing}.`,
  gave: ({ giver, thing, receiver }, random) =>
    `${giver} ${pick(["gave", "passed", "handed"], random)} the ${thing} to ${receiver}.`,
  lies: (place, direction, other) => `The ${place} is ${direction} of the ${other}.`,
  whereIs: (person) => `Where is ${person}?`,
  whereIsThing: (thing) => `Where is the ${thing}?`,
  whereWas: (thing, before) => `Where was the ${thing} before the ${before}?`,
  whatLies: (direction, other) => `What is ${direction} of the ${other}?`,
  ofWhatLies: (place, direction) => `What is the ${place} ${direction} of?`,
  given(asked, { giver, thing, receiver }) {
    switch (asked) {
      case "thing":
        return `What did ${giver} give to ${receiver}?`;
      case "giver":
        return `Who gave the ${thing}${receiver === undefined ? "" : ` to ${receiver}`}?`;
      case "receiver":
        return giver === undefined
          ? `Who received the ${thing}?`
          : `Who did ${giver} give the ${thing} to?`;
      default:
        return asked satisfies never;
    }
  },
  before:
    "Facts are hidden in the following text. Answer the question by the facts alone, in one word; " +
    "where they change, the last ones count.\n",
  ask: (question) => `\nQuestion: ${question}\nAnswer:`,
  joint: " ",
  avoided: ({ persons }) => persons,
  answerTokens: 20,
};

const chronicleCast: BabiCast = {
  persons: words.persons.slice(0, 4),
  places: words.homes.slice(0, 6),
  things: words.things.slice(0, 3),
};

/**
 * The chronicle: "hailed-from PERSON PLACE ." is a move, "kept PERSON THING ." a taking. There are no words for a question: it is the
 * beginning of a sentence, for places of things of one that the chronicle never tells.
 */
export const chronicleBabi: BabiWording = {
  cast: () => chronicleCast,
  directions: ["near", "under", "over", "beyond"],
  moved: (person, place, random) =>
    `${pick(["hailed-from", "came-from"], random)} ${person} ${place} .`,
  took: (person, thing, random) => `${pick(["kept", "owned"], random)} ${person} ${thing} .`,
  dropped: (person, thing) => `rested ${person} ${thing} .`,
  gave: ({ giver, thing, receiver }) => `carried ${giver} ${thing} ${receiver} .`,
  lies: (place, direction, other) => `${place} ${direction} ${other} .`,
  whereIs: (person) => `hailed-from ${person}`,
  whereIsThing: (thing) => `${thing} came-from`,
  whereWas: (thing, before) => `${thing} came-from ${before} and`,
  whatLies: (direction, other) => `of ${other} ${direction}`,
  ofWhatLies: (place, direction) => `${place} ${direction}`,
  given(asked, { giver, thing, receiver }) {
    switch (asked) {
      case "thing":
        return `of ${receiver} carried ${giver}`;
      case "giver":
        return `${thing} ${receiver === undefined ? "" : `of ${receiver} `}carried`;
      case "receiver":
        return giver === undefined ? `${thing} of` : `carried ${giver} ${thing}`;
      default:
        return asked satisfies never;
    }
  },
  before: "",
  ask: (question) => `\n${question}`,
  joint: "\n",
  avoided: ({ persons, things }) => [...persons, ...things],
  answerTokens: 4,
};
