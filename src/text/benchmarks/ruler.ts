/**
 * The generated tasks of RULER (arXiv 2404.06654): needles, variable tracking, and common and frequent words. Tasks, numbers of
 * needles, hops and words are those of the published configuration (github.com/NVIDIA/RULER, scripts/synthetic.yaml and
 * scripts/data/synthetic); texts, names and prompts are ours, so that numbers are not to be compared with published ones.
 *
 * | task              | surrounding text     | asked for                                                      |
 * | ----------------- | -------------------- | -------------------------------------------------------------- |
 * | `niah_single_1`   | repeated sentences   | the number of the one name                                     |
 * | `niah_single_2`   | the haystack         | the same                                                       |
 * | `niah_single_3`   | the haystack         | the code of the one name                                       |
 * | `niah_multikey_1` | the haystack         | the number of one of four names                                |
 * | `niah_multikey_2` | other names' numbers | the number of a name                                           |
 * | `niah_multikey_3` | other codes' codes   | the code of a code                                             |
 * | `niah_multivalue` | the haystack         | all four numbers of a name                                     |
 * | `niah_multiquery` | the haystack         | the numbers of four names                                      |
 * | `vt`              | repeated sentences   | all five variables of a chain of assignments                   |
 * | `cwe`             | -                    | the ten words of a list that occur ten times as often as others |
 * | `fwe`             | -                    | the three most frequent words of Zeta's distribution           |
 *
 * Differences from the published generator: needles stand anywhere, each place as likely; every text begins elsewhere in the
 * haystack; the numbers of multi-value and multi-query needles differ; `fwe` draws its words for every text.
 */
import type { Random } from "../../random.ts";
import { fillText } from "./filling.ts";
import { type GeneratedText, roomOf, type TextOptions, type TextRoom } from "./generated_text.ts";
import { hideFacts, surroundByHaystack, type Surroundings } from "./hiding.ts";

/** A task. */
export type RulerTask =
  | "niah_single_1"
  | "niah_single_2"
  | "niah_single_3"
  | "niah_multikey_1"
  | "niah_multikey_2"
  | "niah_multikey_3"
  | "niah_multivalue"
  | "niah_multiquery"
  | "vt"
  | "cwe"
  | "fwe";

/** The tasks, in the order of tables. */
export const rulerTasks = [
  "niah_single_1",
  "niah_single_2",
  "niah_single_3",
  "niah_multikey_1",
  "niah_multikey_2",
  "niah_multikey_3",
  "niah_multivalue",
  "niah_multiquery",
  "vt",
  "cwe",
  "fwe",
] as const satisfies readonly RulerTask[];

/** Kinds of values and of keys; pairs are names of which there are many. */
export type RulerValue = "name" | "pair" | "number" | "code";

/** The words of texts and prompts. */
export interface RulerWording {
  /** Text between sentences of repeated text and facts, and between those of a haystack. */
  readonly joints: { readonly facts: string; readonly haystack: string };
  /** Sentences that tell nothing, the same at every place. */
  noise(random: Random): string;
  /** Values of a kind that differ. */
  draw(kind: RulerValue, count: number, random: Random): string[];
  /** How many values of a kind there are. */
  countOf(kind: RulerValue): number;
  /** The sentence that tells a value of a key. */
  tell(key: string, value: string, kind: RulerValue): string;
  /** Announces needles, and asks for them. */
  needles(asked: {
    readonly keys: readonly string[];
    readonly kind: RulerValue;
    /** Values asked for. */
    readonly count: number;
  }): { readonly before: string; readonly question: string };
  /** Names of variables that differ. */
  variables(count: number, random: Random): string[];
  /** How many names of variables there are. */
  readonly variableCount: number;
  /** The values of variables. */
  assigned(count: number, random: Random): string[];
  assign(variable: string, value: string): string;
  copy(variable: string, from: string): string;
  /** Announces assignments, and asks for `count` variables of a value. */
  tracking(
    value: string,
    count: number,
  ): { readonly before: string; readonly question: string };
  /** Words that differ, as many as there are at most. */
  words(count: number, random: Random): string[];
  /** Words of a list at most. */
  readonly wordCount: number;
  /** A list of words, with the announcement of it and the question for the `count` most common. */
  list(words: readonly string[]): string;
  common(count: number): { readonly before: string; readonly question: string };
  /** Coded words that differ, after a first one that counts for nothing. */
  coded(count: number, random: Random): string[];
  frequent(count: number): { readonly before: string; readonly question: string };
  /** Several answers in one line. */
  join(answers: readonly string[]): string;
  /** Tokens of a written answer at most, by task. */
  answerTokens(task: RulerTask): number;
}

/** Tokens of a written answer to a published task at most (scripts/data/synthetic/constants.py). */
export function publishedAnswerTokens(task: string): number {
  return { vt: 30, cwe: 120, fwe: 50 }[task] ?? (task.startsWith("qa") ? 32 : 128);
}

type Written = Pick<GeneratedText, "context" | "question" | "answers" | "chance">;

/** Room for a text, and how it is written. */
type Room = TextOptions<RulerWording> & TextRoom;

/**
 * Writes a text of a task, as long as has room.
 *
 * @throws {RangeError} If the length has no room for the facts and the question.
 */
export function writeRulerText(
  task: RulerTask,
  options: TextOptions<RulerWording>,
): GeneratedText {
  const { wording, length, instance, seed } = options;
  const maxAnswerTokens = options.maxAnswerTokens ?? wording.answerTokens(task);
  const room = roomOf("ruler", { task, length, instance, seed, maxAnswerTokens });
  return { task, length, instance, ...writers[task]({ ...options, ...room }), maxAnswerTokens };
}

const writers: Readonly<Record<RulerTask, (room: Room) => Written>> = {
  "niah_single_1": (room) => writeNeedles(room, { around: "noise" }),
  "niah_single_2": (room) => writeNeedles(room, { around: "haystack" }),
  "niah_single_3": (room) => writeNeedles(room, { around: "haystack", value: "code" }),
  "niah_multikey_1": (room) => writeNeedles(room, { around: "haystack", keys: 4 }),
  "niah_multikey_2": (room) => writeNeedles(room, { around: "needles", key: "pair" }),
  "niah_multikey_3": (room) =>
    writeNeedles(room, { around: "needles", key: "code", value: "code" }),
  "niah_multivalue": (room) => writeNeedles(room, { around: "haystack", values: 4 }),
  "niah_multiquery": (room) => writeNeedles(room, { around: "haystack", keys: 4, asked: 4 }),
  "vt": (room) => writeTracking(room, { hops: 4 }),
  "cwe": (room) => writeCommon(room, { common: 10 }),
  "fwe": (room) => writeFrequent(room, { asked: 3, exponent: 2 }),
};

function surroundings(
  { wording, haystack, random }: Room,
  kind: "noise" | "haystack",
  without: readonly string[],
): Surroundings {
  const { joints } = wording;
  if (kind === "haystack") {
    const options = { random: random("haystack"), joint: joints.haystack, without };
    return surroundByHaystack(haystack, options);
  }
  const noise = wording.noise(random("noise"));
  return { joint: joints.facts, take: (count) => new Array<string>(count).fill(noise) };
}

function writeNeedles(
  room: Room,
  { around, key = "name", value = "number", keys = 1, values = 1, asked = 1 }: {
    readonly around: "noise" | "haystack" | "needles";
    readonly key?: RulerValue;
    readonly value?: RulerValue;
    /** Keys of which values are told. */
    readonly keys?: number;
    /** Values of each key. */
    readonly values?: number;
    /** Keys that are asked for. */
    readonly asked?: number;
  },
): Written {
  const { wording } = room, random = room.random("needles");
  const drawnKeys = wording.draw(key, keys, random);
  const drawnValues = wording.draw(value, keys * values, random);
  const needles = drawnKeys.map((key, i) => ({
    key,
    values: drawnValues.slice(i * values, (i + 1) * values),
  }));
  const facts = random.shuffle(
    needles.flatMap(({ key, values }) => values.map((told) => wording.tell(key, told, value))),
  );
  const wanted = random.shuffle([...needles]).slice(0, asked);
  const answers = wanted.flatMap(({ values }) => values);
  const asking = wording.needles({
    keys: wanted.map(({ key }) => key),
    kind: value,
    count: answers.length,
  });
  const surrounding = around === "needles"
    ? {
      joint: wording.joints.facts,
      take: (count: number) => {
        const others = room.random("others");
        // Only keys must differ.
        const drawn = wording.draw(key, count + 1, others);
        return drawn.filter((other) => other !== drawnKeys[0]).slice(0, count).map((other) =>
          wording.tell(other, wording.draw(value, 1, others)[0], value)
        );
      },
    }
    : surroundings(room, around, drawnKeys);
  return {
    context: hideFacts(facts, room, { ...asking, ...surrounding }),
    question: asking.question,
    answers,
    chance: answers.length / wording.countOf(value),
  };
}

function writeTracking(room: Room, { hops }: { readonly hops: number }): Written {
  const { wording } = room, random = room.random("chain");
  const size = hops + 1;
  const names = wording.variables(2 * size, random);
  const [shown, value] = wording.assigned(2, random);
  const answers = names.slice(0, size), example = names.slice(size);
  const chain = (variables: readonly string[], value: string) => [
    wording.assign(variables[0], value),
    ...variables.slice(1).map((variable, i) => wording.copy(variable, variables[i])),
  ];
  const asking = wording.tracking(value, size), exampleAsking = wording.tracking(shown, size);
  const noise = surroundings(room, "noise", []);
  // A short example with its answer comes first, as in the published texts.
  const shownText = chain(example, shown).flatMap((fact) => [fact, ...noise.take(1)]).join(
    noise.joint,
  );
  const before =
    `${exampleAsking.before}${shownText}${exampleAsking.question} ${wording.join(example)}\n\n` +
    asking.before;
  const facts = chain(answers, value);
  return {
    context: hideFacts(facts, room, { before, question: asking.question, ...noise }),
    question: asking.question,
    answers,
    chance: size / wording.variableCount,
  };
}

/** Times that common and uncommon words occur: in short texts fewer, as published. */
function repetitionsOf(length: number): { common: number; uncommon: number } {
  return length < 4096 ? { common: 6, uncommon: 1 } : { common: 30, uncommon: 3 };
}

function writeCommon(room: Room, { common }: { readonly common: number }): Written {
  const { wording, count, budget, length, name } = room;
  const asking = wording.common(common);
  const listed = (
    uncommon: number,
    times: { common: number; uncommon: number },
    random: Random,
  ) => {
    const words = wording.words(common + uncommon, random);
    const repeated = words.flatMap((word, i) =>
      new Array<string>(i < common ? times.common : times.uncommon).fill(word)
    );
    return { answers: words.slice(0, common), text: wording.list(random.shuffle(repeated)) };
  };
  const example = listed(common, { common: 3, uncommon: 1 }, room.random("example"));
  const before = `${asking.before}${example.text}${asking.question} ${
    wording.join(example.answers)
  }\n\n${asking.before}`;
  const most = wording.wordCount - common;
  let times = repetitionsOf(length);
  const write = (uncommon: number) => ({
    ...listed(uncommon, times, room.random("words")),
    uncommon,
  });
  const countAll = ({ text }: { readonly text: string }) =>
    count(before + text) + count(asking.question);
  let written = fillText(write, { count: countAll, budget, least: 1, most, name });
  // A closed vocabulary ends before the room does: then all words are told more often, in the same proportion.
  while (written.uncommon === most) {
    times = { common: times.common + 10, uncommon: times.uncommon + 1 };
    const more = write(most);
    if (countAll(more) > budget) break;
    written = more;
  }
  return {
    context: before + written.text,
    question: asking.question,
    answers: written.answers,
    chance: common / (common + written.uncommon),
  };
}

function writeFrequent(
  room: Room,
  { asked, exponent }: { readonly asked: number; readonly exponent: number },
): Written {
  const { wording, count, budget, name } = room;
  const { before, question } = wording.frequent(asked);
  const coded = wording.coded(Math.max(asked + 2, Math.floor(budget / 50)), room.random("coded"));
  const zeta = zetaOf(exponent);
  const { text, shown } = fillText(
    (words) => {
      const counts = coded.map((_, i) => Math.floor(words * (i + 1) ** -exponent / zeta));
      const all = coded.flatMap((word, i) => new Array<string>(counts[i]).fill(word));
      return {
        text: `${before}${room.random("order").shuffle(all).join(" ")}`,
        shown: counts.filter((count) => count > 0).length - 1,
      };
    },
    {
      count: ({ text }) => count(text) + count(question),
      budget,
      // The fourth word that counts occurs at least once, and less often than the third.
      least: Math.ceil(zeta * (asked + 2) ** exponent * 2),
      name,
    },
  );
  return {
    context: text,
    question,
    answers: coded.slice(1, asked + 1),
    chance: asked / shown,
  };
}

/** Riemann's zeta function of a number above 1, from 100,000 terms and the integral of the rest. */
function zetaOf(s: number): number {
  const terms = 100_000;
  let sum = 0;
  for (let k = terms; k >= 1; k--) sum += k ** -s;
  return sum + (terms + 0.5) ** (1 - s) / (s - 1);
}
