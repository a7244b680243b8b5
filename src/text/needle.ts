/**
 * Texts that tell a few facts at chosen distances before a question, and otherwise nothing. No weights can know the
 * facts: they are drawn for each text.
 */
import type { SentenceConfig } from "./chronicle/config.ts";
import { Draft, drawFact, pick } from "./chronicle/draft.ts";
import { personRelations, specialIds, wordIds } from "./chronicle/vocabulary.ts";
import { Random } from "../random.ts";
import { cutSegments } from "./segments.ts";
import { encodeFollowing, type Tokenizer } from "./tokenizer.ts";
import { InputRangeError } from "../errors.ts";

/** A fact in token ids. */
export interface NeedleFact {
  /** The sentence that tells it. */
  readonly statement: readonly number[];
  /** Place of the answer's first token in the statement. */
  readonly answerStart: number;
  /** The question: the beginning of another telling. */
  readonly question: readonly number[];
  /** The answer: its continuation. */
  readonly answer: readonly number[];
}

/** How facts, and nothing, are told. */
export interface NeedleWording {
  /** The token with which a text begins. */
  readonly bos: number;
  /** Facts that are not about the same. */
  facts(count: number, random: Random): NeedleFact[];
  /** A sentence that tells nothing, and has no word of an answer. */
  filler(random: Random): readonly number[];
}

/** Facts of persons among sentences that tell nothing, in the words of the chronicle: "kept NAME THING .", asked by "kept NAME". */
export function chronicleWording(sentence: SentenceConfig): NeedleWording {
  const tell = (random: Random, config: SentenceConfig, write: (draft: Draft) => void) => {
    const draft = new Draft(random, config);
    write(draft);
    return [...draft.finish("needle").tokens.slice(1, -1)];
  };
  return {
    bos: specialIds.bos,
    facts(count, random) {
      const names = random.shuffle([...wordIds.persons]).slice(0, count);
      return names.map((name) => {
        const fact = drawFact(name, pick(personRelations, random), random);
        const statement = tell(random, sentence, (draft) => draft.tellPerson([fact]));
        const plain = { ...sentence, timeShare: 0 };
        const question = tell(random, plain, (draft) => draft.tellPerson([fact])).slice(0, -2);
        return { statement, answerStart: statement.length - 2, question, answer: [fact.value] };
      });
    },
    filler: (random) => tell(random, sentence, (draft) => draft.tellNothing()),
  };
}

/**
 * Pass keys of five digits among plain sentences: "The pass key is 71432. Remember it.", asked by "The pass key is"; where
 * there are several, "The pass key of Ada is 71432. Remember it."
 */
export function englishWording(tokenizer: Tokenizer): NeedleWording {
  const encode = (text: string) => encodeFollowing(tokenizer, text);
  const fillers = fillerSentences.map((text) => encode(` ${text}`));
  return {
    bos: tokenizer.specialIds.bos,
    facts(count, random) {
      const owners = random.shuffle([...keyOwners]).slice(0, count);
      return owners.map((owner) => {
        const question = encode(count === 1 ? " The pass key is" : ` The pass key of ${owner} is`);
        const answer = encode(` ${10_000 + random.below(90_000)}`);
        const statement = [...question, ...answer, ...encode(". Remember it.")];
        return { statement, answerStart: question.length, question, answer };
      });
    },
    filler: (random) => pick(fillers, random),
  };
}

const fillerSentences = [
  "The grass along the road is green.",
  "A small bird sings above the old gate.",
  "Nothing much happened in the afternoon.",
  "The river runs slowly under the bridge.",
  "Some clouds drift over the hills.",
  "It was neither warm nor cold.",
  "The table stands beside the window.",
  "People walk by without a word.",
  "The wind moves the leaves a little.",
  "Far away a dog barks at the moon.",
  "The bread on the shelf smells fresh.",
  "Another day went by as the last one did.",
] as const;

const keyOwners = [
  ...["Ada", "Adam", "Alice", "Anna", "Arthur", "Ben", "Bertha", "Carl", "Clara", "Conrad"],
  ...["Dora", "Edgar", "Edith", "Emil", "Emma", "Ernest", "Eva", "Felix", "Frank", "Frida"],
  ...["George", "Greta", "Hannah", "Harold", "Helen", "Henry", "Ida", "Irene", "Jacob", "John"],
  ...["Julia", "Karl", "Laura", "Leo", "Louis", "Lucy", "Martha", "Max", "Nora", "Oscar"],
];

/** Facts of a text at most: as many as there are names. */
export const mostNeedles = Math.min(keyOwners.length, wordIds.persons.length);

export interface NeedleTextOptions {
  readonly wording: NeedleWording;
  /** Tokens from a fact's value to the answer at least; and no more than one sentence, or one of the other facts, beyond. */
  readonly distances: readonly number[];
  /** Facts of a text: for each number there are texts. */
  readonly needles: readonly number[];
  /** How many times each fact of each distance is asked for; the draws of several are independent. */
  readonly instances: number;
  /** Tokens T of a segment, and of a prompt before its last answered token. */
  readonly contextTokens: number;
  readonly seed: number;
}

/** A question about a fact of a text. */
export interface NeedleQuestion {
  readonly distance: number;
  /** The distance that it is: tokens from the first of the value to the first of the answer. */
  readonly actualDistance: number;
  /** Positions of the value's tokens in the context; those in the prompt itself are left out. */
  readonly places: readonly number[];
  /** The text behind the context, the question and the answer. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** Tokens of the answer, at the end. */
  readonly scored: number;
}

/** A text with facts and the questions about them. */
export interface NeedleText {
  /** Number of the instance. */
  readonly instance: number;
  /** Facts that the text tells. */
  readonly needles: number;
  /** The text without its end: segments of T tokens. */
  readonly reading: readonly Int32Array[];
  /** The end of the text with a question about each fact. */
  readonly prompts: readonly NeedleQuestion[];
}

/**
 * Makes texts of one length. Each of an instance's texts of n facts tells them at n of the distances in turn, so that
 * an instance asks for every distance: one fact needs a text for every distance, many facts share one.
 *
 * A prompt has the last T tokens before the answer; the context is everything before, in whole segments.
 *
 * @throws {RangeError} If a prompt of T tokens has no room for a question and its answer.
 */
export function writeNeedleTexts(options: NeedleTextOptions): NeedleText[] {
  const { wording, distances, needles, instances, contextTokens: T, seed } = options;
  const ends = needles.flatMap((count) =>
    Array.from({ length: instances }, (_, instance) => {
      const texts = Math.ceil(distances.length / count);
      return Array.from({ length: texts }, (_, text) => {
        const random = new Random(`${seed}/needle/${count}/${instance}/${text}`);
        const told = Array.from(
          { length: count },
          (_, i) => distances[(text * count + i) % distances.length],
        );
        return { instance, needles: count, random, ...writeEnd(told, wording, random) };
      });
    }).flat()
  );
  const asked = ends.flatMap(({ facts }) => facts);
  const longest = Math.max(...asked.map(({ question, answer }) => question.length + answer.length));
  const local = T + 1 - longest; // tokens of the text that every prompt has room for
  if (local < 0) {
    throw new InputRangeError(
      `Cannot ask for a fact as contextTokens must hold the question and all but the last token of the answer: ` +
        `current value is ${T}, allowed are ${longest - 1} and more`,
    );
  }
  const needed = 1 + Math.max(...ends.map(({ tokens }) => tokens.length)); // and <s>
  const R = T * Math.max(1, Math.ceil((needed - local) / T));
  return ends.map(({ instance, needles, random, tokens: end, facts }) => {
    const tokens = [...end];
    while (tokens.length < R + local) tokens.unshift(...wording.filler(random));
    const text = Int32Array.from(tokens.slice(-(R + local)));
    text[0] = wording.bos;
    const prompts = facts.map(({ distance, fromEnd, question, answer }): NeedleQuestion => ({
      distance,
      actualDistance: fromEnd + question.length,
      places: answer.map((_, i) => R + local - fromEnd + i).filter((place) => place < R),
      tokens: Int32Array.of(...text.subarray(R), ...question, ...answer),
      scored: answer.length,
    }));
    return { instance, needles, reading: cutSegments(text.subarray(0, R), T), prompts };
  });
}

/** Writes the end of a text, from its farthest fact on; `fromEnd` counts the tokens from a fact's value on. */
function writeEnd(distances: readonly number[], wording: NeedleWording, random: Random) {
  const sentences: (readonly number[])[] = [];
  let length = 0;
  const tell = (sentence: readonly number[]) => {
    sentences.unshift(sentence);
    length += sentence.length;
  };
  const nearFirst = wording.facts(distances.length, random)
    .map((fact, i) => ({ ...fact, distance: distances[i] }))
    .sort((a, b) => a.distance - b.distance);
  const facts = nearFirst.map((fact) => {
    const { statement, answerStart, question, distance } = fact;
    const rest = statement.length - answerStart;
    while (length + rest + question.length < distance) tell(wording.filler(random));
    tell(statement);
    return { ...fact, fromEnd: length - answerStart };
  });
  return { tokens: sentences.flat(), facts };
}
